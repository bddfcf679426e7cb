"""The count of a network for a terminal: a table of layers, totals by kind, traffic, and the rules."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from wccsim.counting.count import LayerCount, effective_bits, total
from wccsim.counting.exact import Exact, whole
from wccsim.counting.kinds import kind_of, macs_by_kind
from wccsim.counting.run import NetworkCount
from wccsim.network.model import Layer
from wccsim.report.counts import TOTALS, notes, pair_text, provenance
from wccsim.report.tables import Report
from wccsim.report.terminal import WIDTH, Align, Cell, exact_decimal, grouped, terminal_table

MEGA = 1_000_000
SHORT = {
    "depthwise": "dw",
    "grouped": "gr",
    "transposed": "tr",
    "global average pool": "mean",
    "average pool": "avgpool",
    "max pool": "maxpool",
    "fully connected": "fc",
    "unsupported": "NOT KNOWN",
}


def stage_text(report: Report) -> str:
    """The stages for a terminal, in millions."""
    unit = "GE-ops" if report.provenance.settings["definition"] == "gates" else "BOPs"
    heads = [
        "layer",
        "stage",
        unit,
        "MAC",
        "multiply",
        "add",
        "shift",
        "compare",
        "read\nbits",
        "written\nbits",
    ]
    rows = [(row[0], row[1], *map(_mega, row[2:])) for row in report.rows]  # type: ignore[arg-type]
    sums = ["total", None, *map(_mega, report.totals.values())]  # type: ignore[arg-type]
    align: list[Align] = ["left", "left"]
    align += ["right"] * (len(heads) - 2)
    if not rows:
        return "no layer uses WCC here; --keep 25% asks for it\n"
    table = terminal_table(heads, rows, total=sums, align=align)
    return f"In millions.\n{report.notes[0]}\n\n{table}"


def count_text(counted: NetworkCount) -> str:
    """The whole terminal output: one row a layer, totals by kind, traffic, and the rules."""
    network = counted.network
    title = f"{network.name}, input {network.input_shape}"
    if network.surrogate:
        title += " (SURROGATE: not the published network)"
    parts = [
        title + "\n",
        _layer_table(counted),
        _kind_table(counted),
        _sum_lines(counted),
        "\n".join(_rule_lines(counted)) + "\n",
    ]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class _Scale:
    """A unit prefix that suits a column's total; small totals are shown exactly."""

    prefix: str
    divisor: int
    decimals: int

    @staticmethod
    def of(total: Exact) -> _Scale:
        if total < 10 * MEGA:
            return _Scale("", 1, 0)
        return _Scale("M ", MEGA, 2) if total < MEGA * MEGA else _Scale("G ", 1000 * MEGA, 3)

    def shown(self, value: Exact) -> str:
        if self.divisor == 1 or not value:
            return grouped(value)
        return f"{float(Fraction(value) / self.divisor):,.{self.decimals}f}"


def _layer_table(counted: NetworkCount) -> str:
    """One row a layer. With WCC there are more columns, so the MACs, exact below, are scaled too."""
    counts = counted.counts
    wcc = [c.layer for c in counts if c.compressed]
    macs, bops, bits = (total(counts, TOTALS[name]) for name in ("macs", "bops", "traffic_bits"))
    columns: list[tuple[str, Callable[[LayerCount], Cell], Cell]] = [
        ("layer", lambda c: c.layer.name, "total"),
        ("kind", lambda c: _kind(c.layer), None),
        ("channels", lambda c: _channels(c.layer), None),
        ("output", lambda c: f"{c.layer.out_shape.height}x{c.layer.out_shape.width}", None),
    ]
    macs_scale, bops_scale, bits_scale = _Scale.of(macs if wcc else 0), _Scale.of(bops), _Scale.of(bits)
    columns += [(f"{macs_scale.prefix}MAC", lambda c: macs_scale.shown(c.macs), macs_scale.shown(macs))]
    columns += [("w/a\nbits", lambda c: _widths(c.layer), None)]
    if wcc:
        one_setting = len({(layer.keep, layer.levels) for layer in wcc}) == 1
        columns += [] if one_setting else [("keep", lambda c: percent(c.layer.keep), None)]
        columns += [("bits a\nvalue", _bits_a_value, None)]
    unit = "GE-ops" if counted.options.definition == "gates" else "BOPs"
    head = f"{counted.options.definition}\n{bops_scale.prefix}{unit}"
    columns += [(head, lambda c: bops_scale.shown(c.bops), bops_scale.shown(bops))]
    head = f"traffic\n{bits_scale.prefix.strip()}bit"
    columns += [(head, lambda c: bits_scale.shown(c.traffic.bits), bits_scale.shown(bits))]
    align: list[Align] = ["left"] * 4
    align += ["right"] * (len(columns) - 4)
    rows = [[cell(c) for _, cell, _ in columns] for c in counts]
    return terminal_table(
        [head for head, _, _ in columns], rows, total=[t for _, _, t in columns], align=align
    )


def _kind(layer: Layer) -> str:
    kind = kind_of(layer)
    for word, short in SHORT.items():
        kind = kind.replace(word, short)
    kind += f" /{pair_text(layer.stride)}" if layer.stride != (1, 1) else ""
    return kind + (f" d{pair_text(layer.dilation)}" if layer.dilation != (1, 1) else "")


def _channels(layer: Layer) -> str:
    inputs, outputs = layer.in_shape.channels, layer.out_shape.channels
    return str(inputs) if inputs == outputs else f"{inputs} > {outputs}"


def _widths(layer: Layer) -> str:
    return f"{layer.weight_bits}/{layer.act_bits}" if layer.multiplies else str(layer.act_bits)


def _bits_a_value(c: LayerCount) -> str | None:
    bits = c.effective_bits_with_index
    return None if bits is None else f"{float(bits):.3f}"


def _mega(value: Exact) -> str:
    return f"{float(Fraction(value) / MEGA):,.2f}" if value else "0"


def percent(keep: Fraction | None) -> str | None:
    """A kept fraction as "25%"; None without WCC."""
    return None if keep is None else f"{exact_decimal(keep * 100)}%"


def _kind_table(counted: NetworkCount) -> str:
    layers = [c.layer for c in counted.counts if c.layer.multiplies]
    by_rule = [macs_by_kind(layers, "paper"), macs_by_kind(layers, "true")]
    kinds = [kind_of(layer) for layer in layers]
    rows = [(kind, kinds.count(kind), *(sums[kind] for sums in by_rule)) for kind in by_rule[0]]
    foot = ("all", len(kinds), *(whole(sum(sums.values(), Fraction(0))) for sums in by_rule))
    heads = ["MAC by kind", "layers", "counting paper", "counting true"]
    return terminal_table(heads, rows, total=foot)


def _sum_lines(counted: NetworkCount) -> str:
    sums = {name: total(counted.counts, get) for name, get in TOTALS.items()}
    unit = "GE-ops" if counted.options.definition == "gates" else "BOPs"
    rows: list[tuple[Cell, ...]] = [
        (f"{unit} ({counted.options.definition})", sums["bops"]),
        ("  convolution", sums["bops_conv"]),
        ("  transform" if unit == "BOPs" else "  added by WCC", sums["bops_haar"]),
        ("parameters", sums["params"]),
        ("memory traffic, bits", sums["traffic_bits"]),
        ("  weights", sums["traffic_weight_bits"]),
        ("  maps in", sums["traffic_in_bits"]),
        ("  maps out", sums["traffic_out_bits"]),
        ("  index", sums["traffic_index_bits"]),
    ]
    alone, paid = (effective_bits(counted.counts, with_index) for with_index in (False, True))
    if alone is None or paid is None:
        del rows[1:3]
    else:
        rows.append(("bits a value of WCC inputs", f"{float(alone):.3f}"))
        rows.append(("  with their index", f"{float(paid):.3f}"))
    return terminal_table(["totals", ""], rows, align=["left", "right"])


def _rule_lines(counted: NetworkCount) -> list[str]:
    options = counted.options
    settings = options.definitions()
    rules = [("counting", settings["counting"]), ("definition", settings["definition"])]
    used = sorted({(c.layer.keep, c.layer.levels) for c in counted.counts if c.layer.keep is not None})
    if used:
        reached = sum(c.compressed is not None for c in counted.counts)
        settings_used = ", ".join(f"keep {percent(keep)} with {levels} levels" for keep, levels in used)
        rules += [("WCC", f"on {reached} layers: {settings_used}")]
        rules += [("padding", settings["padding"]), ("maps", settings["maps"])]
        measured = "" if options.index_bits is None else f", {options.index_bits} bits a position (given)"
        rules += [("index", f"{options.index}{measured}; bits a value: kept coefficients and index together")]
        if options.word_bits is not None:
            rules += [("words", f"{options.words}, {options.word_bits} bits a kept coefficient (given)")]
    on_chip = f"{options.on_chip_bits:,} bits of maps on chip; every other map crosses once a use"
    rules += [("residency", on_chip), *(("note", note) for note in notes(counted))]
    source = provenance(counted)
    inputs = ", ".join(f"{name} {digest[:16]}" for name, digest in source.inputs.items())
    rules += [("made by", f"wccsim {source.version}; sha256 {inputs}")]
    return [line for label, text in rules for line in _wrapped(label, str(text))]


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{label:12}", subsequent_indent=" " * 12)
