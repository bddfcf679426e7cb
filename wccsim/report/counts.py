"""The count of a network as a report: the per-layer CSV, the JSON, and the table on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wccsim.counting.count import LayerCount, total
from wccsim.counting.exact import Exact, whole
from wccsim.counting.macs import Counting, macs
from wccsim.counting.run import NetworkCount, count
from wccsim.counting.stages import stage_counts
from wccsim.network.model import Layer, Network
from wccsim.report.tables import Provenance, Report, data_frame, exact_decimal
from wccsim.report.terminal import WIDTH, Align, Cell, terminal_table

if TYPE_CHECKING:
    import pandas

MEGA = 1_000_000


def _pair(pair: tuple[int, int]) -> int | str:
    return pair[0] if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


COLUMNS: dict[str, Callable[[LayerCount], Cell]] = {
    "layer": lambda c: c.layer.name,
    "op": lambda c: c.layer.op,
    "in_channels": lambda c: c.layer.in_shape.channels,
    "out_channels": lambda c: c.layer.out_shape.channels,
    "kernel_height": lambda c: c.layer.kernel[0],
    "kernel_width": lambda c: c.layer.kernel[1],
    "groups": lambda c: c.layer.groups,
    "stride": lambda c: _pair(c.layer.stride),
    "dilation": lambda c: _pair(c.layer.dilation),
    "in_height": lambda c: c.layer.in_shape.height,
    "in_width": lambda c: c.layer.in_shape.width,
    "out_height": lambda c: c.layer.out_shape.height,
    "out_width": lambda c: c.layer.out_shape.width,
    "macs": lambda c: c.macs,
    "weight_bits": lambda c: c.layer.weight_bits if c.layer.multiplies else 0,
    "act_bits": lambda c: c.layer.act_bits,
    "keep": lambda c: c.layer.keep,
    "bops_conv": lambda c: c.bops_conv,
    "bops_haar": lambda c: c.bops_haar,
    "bops": lambda c: c.bops,
    "params": lambda c: c.params,
    "traffic_weight_bits": lambda c: c.traffic.weight_bits,
    "traffic_in_bits": lambda c: c.traffic.in_bits,
    "traffic_out_bits": lambda c: c.traffic.out_bits,
    "traffic_index_bits": lambda c: c.traffic.index_bits,
    "traffic_bits": lambda c: c.traffic.bits,
}
ALSO_IN_JSON: dict[str, Callable[[LayerCount], Cell]] = {
    "executed_macs": lambda c: c.executed_macs,
    "effective_bits": lambda c: c.effective_bits,
    "effective_bits_with_index": lambda c: c.effective_bits_with_index,
}
TOTALS: dict[str, Callable[[LayerCount], Exact]] = {
    "macs": lambda c: c.macs,
    "executed_macs": lambda c: c.executed_macs,
    "bops_conv": lambda c: c.bops_conv,
    "bops_haar": lambda c: c.bops_haar,
    "bops": lambda c: c.bops,
    "params": lambda c: c.params,
    "traffic_weight_bits": lambda c: c.traffic.weight_bits,
    "traffic_in_bits": lambda c: c.traffic.in_bits,
    "traffic_out_bits": lambda c: c.traffic.out_bits,
    "traffic_index_bits": lambda c: c.traffic.index_bits,
    "traffic_bits": lambda c: c.traffic.bits,
}
STAGE_COLUMNS = (
    "layer",
    "stage",
    "bops",
    "macs",
    "multiplies",
    "adds",
    "shifts",
    "compares",
    "bits_read",
    "bits_written",
)


def bops(network: Network | Path | str, **options: Any) -> pandas.DataFrame:
    """MACs, BOPs and traffic of a network, a file or a shipped name: one row a layer, as the CSV.

    `options` are those of `wccsim bops` and of `wccsim.counting.run.count`: input_size ("HxW" or a
    pair), weight_bits, act_bits, keep, levels, counting, definition, padding, maps, index,
    on_chip_bits, allow_unsupported. Integers are exact; the rules, the version and the input's
    sha256 are in `.attrs["provenance"]`. WccsimError for anything that is not allowed.

    >>> import wccsim
    >>> int(wccsim.bops("mobilenetv2", counting="paper").macs.sum())
    19078604280
    """
    return data_frame(count_report(count(network, **options)))


def provenance(counted: NetworkCount, command: str = "bops") -> Provenance:
    """Version, the network's sha256, what was asked, and every rule by name."""
    inputs = {counted.network.name: counted.network.sha256}
    if counted.gates:
        inputs["gates.json"] = counted.gates.sha256
    settings = {**counted.options.as_settings(), **counted.asked}
    if counted.network.surrogate:
        settings["surrogate"] = True
    return Provenance(command, inputs, settings)


def count_report(counted: NetworkCount, *, full: bool = False) -> Report:
    """One row a layer. `full` adds the columns that only the JSON has."""
    columns = {**COLUMNS, **(ALSO_IN_JSON if full else {})}
    return Report(
        tuple(columns),
        [tuple(get(c) for get in columns.values()) for c in counted.counts],
        provenance(counted),
        {
            **{name: total(counted.counts, get) for name, get in TOTALS.items()},
            "macs_by_kind": _by_kind(counted, counted.options.counting),
        },
        _notes(counted),
    )


def stage_report(counted: NetworkCount) -> Report:
    """One row for every stage of every WCC layer: operations and bits moved inside the accelerator."""
    rows: list[tuple[Cell, ...]] = []
    for counts in counted.counts:
        if counts.layer.keep is None:
            continue
        for stage in stage_counts(counts.layer, counted.options, counted.gates):
            a = stage.actions
            rows.append(
                (
                    counts.layer.name,
                    stage.stage.value,
                    stage.bops,
                    *(a.macs, a.multiplies, a.adds, a.shifts, a.compares),
                    *(stage.bits_read, stage.bits_written),
                )
            )
    sums = [sum(row[i] for row in rows) for i in range(2, len(STAGE_COLUMNS))]  # type: ignore[misc]
    return Report(
        STAGE_COLUMNS,
        rows,
        provenance(counted, "bops --stages"),
        dict(zip(STAGE_COLUMNS[2:], sums, strict=True)),
        ("Operations and bits are those of the padded map; BOPs follow --definition and --padding.",),
    )


def stage_text(report: Report) -> str:
    """The stages for a terminal, in millions."""
    unit = "GE-ops" if str(report.provenance.settings["definition"]).startswith("gates") else "BOPs"
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


def kind_of(layer: Layer) -> str:
    """What a reader calls the layer: "1x1", "depthwise 3x3", "add"."""
    if not layer.multiplies:
        return layer.op.replace("_", " ")
    kernel = f"{layer.kernel[0]}x{layer.kernel[1]}"
    if layer.op == "conv_transpose":
        return f"transposed {kernel}"
    if layer.op != "conv":
        return layer.op.replace("_", " ")
    if layer.groups == 1:
        return kernel
    depthwise = layer.groups == layer.in_shape.channels == layer.out_shape.channels
    return f"{'depthwise' if depthwise else 'grouped'} {kernel}"


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


def _layer_table(counted: NetworkCount) -> str:
    compressed = any(c.compressed for c in counted.counts)
    unit = "M GE-ops" if counted.options.definition == "gates" else "M BOPs"
    heads = ["layer", "kind", "channels", "output", "MAC", "w/a\nbits"]
    heads += ["keep", "bits a\nvalue"] if compressed else []
    heads += [f"{counted.options.definition}\n{unit}", "traffic\nMbit"]
    rows = [_layer_row(c, compressed) for c in counted.counts]
    sums = counted.counts
    foot: list[Cell] = ["total", None, None, None, total(sums, TOTALS["macs"]), None]
    foot += [None, None] if compressed else []
    foot += [_mega(total(sums, TOTALS["bops"])), _mega(total(sums, TOTALS["traffic_bits"]))]
    align: list[Align] = ["left"] * 4
    align += ["right"] * (len(heads) - 4)
    return terminal_table(heads, rows, total=foot, align=align)


def _layer_row(c: LayerCount, compressed: bool) -> list[Cell]:
    layer = c.layer
    kind = kind_of(layer).replace("depthwise", "dw").replace("grouped", "gr").replace("transposed", "tr")
    kind += f" /{_pair(layer.stride)}" if layer.stride != (1, 1) else ""
    kind += f" d{_pair(layer.dilation)}" if layer.dilation != (1, 1) else ""
    inputs, outputs = layer.in_shape.channels, layer.out_shape.channels
    row: list[Cell] = [
        layer.name,
        kind,
        str(inputs) if inputs == outputs else f"{inputs} > {outputs}",
        f"{layer.out_shape.height}x{layer.out_shape.width}",
        c.macs,
        f"{layer.weight_bits}/{layer.act_bits}" if layer.multiplies else str(layer.act_bits),
    ]
    if compressed:
        row += [
            percent(layer.keep),
            c.effective_bits_with_index and f"{float(c.effective_bits_with_index):.3f}",
        ]
    return [*row, _mega(c.bops), _mega(c.traffic.bits)]


def _mega(value: Exact) -> str:
    return f"{float(Fraction(value) / MEGA):,.2f}" if value else "0"


def percent(keep: Fraction | None) -> str | None:
    """A kept fraction as "25%"; None without WCC."""
    return None if keep is None else f"{exact_decimal(keep * 100)}%"


def _by_kind(counted: NetworkCount, counting: Counting) -> dict[str, Exact]:
    sums: dict[str, Exact] = {}
    for c in counted.counts:
        if c.layer.multiplies:
            kind = kind_of(c.layer)
            sums[kind] = whole(sums.get(kind, 0) + macs(c.layer, counting))
    return dict(sorted(sums.items()))


def _kind_table(counted: NetworkCount) -> str:
    by_rule = [_by_kind(counted, "paper"), _by_kind(counted, "true")]
    kinds = [kind_of(c.layer) for c in counted.counts if c.layer.multiplies]
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
    if not sums["bops_haar"]:
        del rows[1:3]
    return terminal_table(["totals", ""], rows, align=["left", "right"])


def _rule_lines(counted: NetworkCount) -> list[str]:
    options = counted.options
    settings = options.as_settings()
    rules = [("counting", settings["counting"]), ("definition", settings["definition"])]
    if any(c.compressed for c in counted.counts):
        rules += [("padding", settings["padding"]), ("maps", settings["maps"])]
        rules += [("index", f"{options.index}; bits a value: kept coefficients and index together")]
    on_chip = f"{options.on_chip_bits:,} bits of maps on chip; every other map crosses once a use"
    rules += [("residency", on_chip), *(("note", note) for note in _notes(counted))]
    source = provenance(counted)
    inputs = ", ".join(f"{name} {digest[:16]}" for name, digest in source.inputs.items())
    rules += [("made by", f"wccsim {source.version}; sha256 {inputs}")]
    return [line for label, text in rules for line in _wrapped(label, str(text))]


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{label:12}", subsequent_indent=" " * 12)


def _notes(counted: NetworkCount) -> list[str]:
    network = counted.network
    outside = [layer for layer in network.layers if not layer.counted]
    notes = []
    if outside:
        names = [f"{layer.name} ({layer.macs:,} MAC)" if layer.multiplies else layer.op for layer in outside]
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        listed = ", ".join(name if times == 1 else f"{times} {name}" for name, times in counts.items())
        notes.append(f"outside the published count, by the network's file: {listed}")
    if network.unsupported:
        notes.append(f"NOT COUNTED, not understood: {', '.join(network.unsupported)}")
    if any(isinstance(c.macs, Fraction) for c in counted.counts):
        notes.append("the paper's rule gives fractions of a MAC on some layers; they are exact, not rounded")
    return notes
