"""Draws docs/datapath.svg: the stages of a WCC layer with the width of every wire.

The widths are not typed: they come from the parameter object that configures the simulator and the
Verilog. `python docs/datapath_picture.py` writes the picture; tests/test_docs.py compares it.
"""

from pathlib import Path

from wccsim.parameters import WccParameters

BOX_WIDTH, BOX_HEIGHT, GAP, LEFT, TOP, ROW = 150, 64, 92, 20, 78, 150
INK, PAPER, WIRE, NOTE = "#1b1f24", "#f4f6f8", "#57606a", "#0a5a8a"


def stages(p: WccParameters, channels: int) -> list[list[tuple[str, str, str]]]:
    """Rows of (title, what it does, wire after it)."""
    return [
        [
            ("pad", "zeros to 2^L, right, bottom", f"{p.in_bits} b"),
            ("Haar, L levels", "a+b+c+d ..., no rounding", f"{p.coefficient_bits()} b"),
            ("score", "sum of squares, channels", f"{p.score_bits(channels)} b"),
            ("top-k", "one bitmap for all channels", "1 b"),
        ],
        [
            ("gather + R1", "(v M1 + half) >> s1+l", f"{p.act_bits} b"),
            ("MAC array", f"int{p.weight_bits} weights, exact", f"{p.accumulator_bits(channels)} b"),
            ("R2", "to wavelet words", f"{p.wavelet_bits} b"),
            ("zero-fill", "AND with the bitmap", f"{p.wavelet_bits} b"),
        ],
        [
            ("bias", "added to every LL word", f"{p.wavelet_bits + 1} b"),
            ("inverse Haar", "same butterfly, << L-l", f"{p.inverse_bits()} b"),
            ("R3", "ReLU here only", f"{p.out_format().bits} b"),
            ("crop", "to H x W", f"{p.out_format().bits} b"),
        ],
    ]


def text(x: float, y: float, words: str, size: int = 12, colour: str = INK, weight: str = "400") -> str:
    """One centred line of text."""
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" font-weight="{weight}">{words}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, arrow: bool = True) -> str:
    """A wire, with an arrow head at its end."""
    head = ' marker-end="url(#arrow)"' if arrow else ""
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{WIRE}" stroke-width="1.6" fill="none"{head}/>'


def box(x: float, y: float, title: str, what: str) -> list[str]:
    """One stage."""
    frame = f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7" fill="{PAPER}" stroke="{INK}"'
    middle = x + BOX_WIDTH / 2
    return [
        f'<rect x="{x}" y="{y}" {frame}/>',
        text(middle, y + 27, title, 14, INK, "600"),
        text(middle, y + 47, what, 11, WIRE),
    ]


def wrap(x: float, y: float, note: str, width: float) -> list[str]:
    """The wire from the end of a row, at (x, y), back to the start of the row below."""
    middle = y + ROW / 2
    way = f"M{x:g} {y:g}V{middle:g}H{LEFT + BOX_WIDTH / 2:g}V{y + ROW - BOX_HEIGHT / 2 - 2:g}"
    style = f'stroke="{WIRE}" stroke-width="1.6" fill="none" marker-end="url(#arrow)"'
    return [f'<path d="{way}" {style}/>', text(width / 2, middle - 7, note, 12, NOTE, "600")]


def draw() -> str:
    """The picture as SVG text."""
    p, channels = WccParameters(bias=True), 1024
    rows = stages(p, channels)
    notes = [
        "bitmap, 1 b / position, and the kept coefficients",
        "wavelet words; zero where the bitmap is 0",
        "",
    ]
    width, height = 2 * LEFT + 4 * (BOX_WIDTH + GAP), TOP + 2 * ROW + BOX_HEIGHT + 22
    widths = f"b = {p.in_bits}, L = {p.levels}, C = {channels}, YW = {p.wavelet_bits}, with bias"
    font = 'font-family="Helvetica, Arial, sans-serif" text-anchor="middle"'
    head = f'<path d="M0 0L8 3.5L0 7z" fill="{WIRE}"/>'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<defs><marker id="arrow" markerWidth="9" markerHeight="9" refX="7" refY="3.5" orient="auto">',
        f"{head}</marker></defs>",
        text(width / 2, 28, "One WCC layer, stage by stage: int8 in, int8 out", 17, INK, "600"),
        text(width / 2, 50, f"widths in bits at {widths}", 12, WIRE),
    ]
    for r, (row, note) in enumerate(zip(rows, notes, strict=True)):
        y = TOP + r * ROW
        for c, (title, what, wire) in enumerate(row):
            x, wraps = LEFT + c * (BOX_WIDTH + GAP), bool(note) and c == len(row) - 1
            end = x + BOX_WIDTH + (GAP - 20 if c == len(row) - 1 else GAP - 2)
            parts += box(x, y, title, what)
            parts.append(text(x + BOX_WIDTH + GAP / 2, y + BOX_HEIGHT / 2 - 9, wire, 12, NOTE, "600"))
            parts.append(line(x + BOX_WIDTH, y + BOX_HEIGHT / 2, end, y + BOX_HEIGHT / 2, not wraps))
            if wraps:
                parts += wrap(end, y + BOX_HEIGHT / 2, note, width)
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    Path(__file__).with_name("datapath.svg").write_text(draw(), encoding="utf-8")
