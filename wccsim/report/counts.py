"""The count of a network as a report: the per-layer CSV, the JSON, and the table on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wccsim.counting.count import LayerCount, effective_bits, total
from wccsim.counting.exact import Exact
from wccsim.counting.kinds import macs_by_kind
from wccsim.counting.run import NetworkCount, count
from wccsim.counting.stages import stage_counts
from wccsim.network.model import Network
from wccsim.report.tables import Provenance, Report, data_frame
from wccsim.report.terminal import Cell

if TYPE_CHECKING:
    import pandas


def pair_text(pair: tuple[int, int]) -> int | str:
    """One number, or "2x1" (rows x columns) where the two differ."""
    return pair[0] if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


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
COLUMNS: dict[str, Callable[[LayerCount], Cell]] = {
    "layer": lambda c: c.layer.name,
    "op": lambda c: c.layer.op,
    "in_channels": lambda c: c.layer.in_shape.channels,
    "out_channels": lambda c: c.layer.out_shape.channels,
    "kernel_height": lambda c: c.layer.kernel[0],
    "kernel_width": lambda c: c.layer.kernel[1],
    "groups": lambda c: c.layer.groups,
    "stride": lambda c: pair_text(c.layer.stride),
    "dilation": lambda c: pair_text(c.layer.dilation),
    "in_height": lambda c: c.layer.in_shape.height,
    "in_width": lambda c: c.layer.in_shape.width,
    "out_height": lambda c: c.layer.out_shape.height,
    "out_width": lambda c: c.layer.out_shape.width,
    "macs": TOTALS["macs"],
    "weight_bits": lambda c: c.layer.weight_bits if c.layer.multiplies else 0,
    "act_bits": lambda c: c.layer.act_bits,
    "keep": lambda c: c.layer.keep,
    "bops_conv": TOTALS["bops_conv"],
    "bops_haar": TOTALS["bops_haar"],
    "bops": TOTALS["bops"],
    "params": TOTALS["params"],
    "traffic_weight_bits": TOTALS["traffic_weight_bits"],
    "traffic_in_bits": TOTALS["traffic_in_bits"],
    "traffic_out_bits": TOTALS["traffic_out_bits"],
    "traffic_index_bits": TOTALS["traffic_index_bits"],
    "traffic_bits": TOTALS["traffic_bits"],
}
ALSO_IN_JSON: dict[str, Callable[[LayerCount], Cell]] = {
    "executed_macs": TOTALS["executed_macs"],
    "effective_bits": lambda c: c.effective_bits,
    "effective_bits_with_index": lambda c: c.effective_bits_with_index,
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
    return Provenance(command, inputs, settings, definitions=counted.options.definitions())


def count_report(counted: NetworkCount, *, full: bool = False) -> Report:
    """One row a layer. `full` adds the columns that only the JSON has."""
    columns = {**COLUMNS, **(ALSO_IN_JSON if full else {})}
    return Report(
        tuple(columns),
        [tuple(get(c) for get in columns.values()) for c in counted.counts],
        provenance(counted),
        {
            **{name: total(counted.counts, get) for name, get in TOTALS.items()},
            "effective_bits": effective_bits(counted.counts, with_index=False),
            "effective_bits_with_index": effective_bits(counted.counts, with_index=True),
            "macs_by_kind": macs_by_kind((c.layer for c in counted.counts), counted.options.counting),
        },
        notes(counted),
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


def notes(counted: NetworkCount) -> list[str]:
    """What a reader must know besides the rules."""
    network = counted.network
    outside = [layer for layer in network.layers if not layer.counted]
    found = []
    if outside:
        names = [f"{layer.name} ({layer.macs:,} MAC)" if layer.multiplies else layer.op for layer in outside]
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        listed = ", ".join(name if times == 1 else f"{times} {name}" for name, times in counts.items())
        found.append(f"outside the published count, by the network's file: {listed}")
    if "keep" in counted.asked and not any(c.compressed for c in counted.counts):
        found.append(
            "--keep reaches no layer: none is a dense 1x1 convolution of stride 1 that is not exempt"
        )
    if network.unsupported:
        found.append(f"NOT COUNTED, not understood: {', '.join(network.unsupported)}")
    if any(isinstance(c.macs, Fraction) for c in counted.counts):
        found.append("the paper's rule gives fractions of a MAC on some layers; they are exact, not rounded")
    return found
