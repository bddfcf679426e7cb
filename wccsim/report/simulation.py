"""What `wccsim simulate` reports of one run: stages, errors, widths and actions; as text, JSON and arrays."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wccsim import __version__
from wccsim.actions import ActionCounts, Stage, total
from wccsim.datapath.dump import write_dump
from wccsim.datapath.float_reference import Scales
from wccsim.datapath.layer import LayerResult
from wccsim.datapath.measure import StageError, against_dense, stage_errors
from wccsim.datapath.plan import Plan
from wccsim.datapath.wcc_layer import WCCLayer
from wccsim.datapath.widths import SignalWidth, widths
from wccsim.errors import WccsimError
from wccsim.files import write_text
from wccsim.maps import ACTIVATIONS, FeatureMap
from wccsim.report import stored
from wccsim.report.stored import Stored, stored_of
from wccsim.report.terminal import Align, terminal_table

EXPLANATION = """\
errors   integer against float64 on the same kept positions, in real units. bound: the derived
         greatest error (docs/datapath.md, "Error bound"). at clamp: words at an end of their range.
dense    against the ordinary convolution of the dequantised map and weights, all coefficients kept.
actions  counted while running (docs/actions.md). Bits are over all memories of the stage.
"""

OUTPUTS_ALONE = """\
         These run where no inner arrays are wanted (`outputs_only`). They ran on this map too: the
         same energy, flags and output, word for word.
"""


@dataclass(frozen=True, slots=True)
class Simulation:
    """One run of a layer on a map, and what was measured of it."""

    layer: WCCLayer
    feature_map: FeatureMap
    plan: Plan
    scales: Scales
    result: LayerResult
    stored: Stored
    errors: tuple[StageError, ...]
    widths: tuple[SignalWidth, ...]
    dense_snr_db: float | None
    dense_max_error: float


def simulate(layer: WCCLayer, feature_map: FeatureMap) -> Simulation:
    """Run `layer` on the map, and the float layer and the dense convolution beside it."""
    x = feature_map.x
    plan = layer.plan(*x.shape[1:])
    result = layer.run(x)
    scales = layer.scales(plan)
    bias = layer.real_bias
    if bias is None and layer.bias is not None:
        bias = layer.bias * scales.y * 2.0 ** -layer.parameters.bias_gain()
    act = layer.made.get("act")
    if act not in ACTIVATIONS:
        act = "relu" if layer.parameters.relu else "none"
    quality, worst = against_dense(plan, x, result, scales, layer.out_scale, bias, act)
    return Simulation(
        layer=layer,
        feature_map=feature_map,
        plan=plan,
        scales=scales,
        result=result,
        stored=stored_of(plan, result),
        errors=stage_errors(plan, x, result, scales, bias),
        widths=widths(plan, x, result),
        dense_snr_db=quality,
        dense_max_error=worst,
    )


def text(run: Simulation, *, widths: bool, explain: bool) -> str:
    """The report for a terminal."""
    parts = [_heading(run), "\n", _error_table(run), "\n", _dense_line(run), "\n", _action_table(run)]
    if widths:
        parts += ["\n", _width_table(run)]
    if explain:
        parts += ["\n", EXPLANATION, stored.explanation(run.stored), _kernels(run), _multipliers(run)]
    return "".join(parts)


def _kernels(run: Simulation) -> str:
    """Which kernels ran and why; and those that run where only outputs are wanted, held against them."""

    def lines(title: str, result: LayerResult) -> str:
        reasons = f"{result.path}: {result.path_reason}".split("; ")
        return f"{title:9}" + "\n         ".join(reasons) + "\n"

    fast = run.layer.run(run.feature_map.x, outputs_only=True)
    for name in ("energy", "kept", "out"):
        if not np.array_equal(getattr(fast, name), getattr(run.result, name)):
            raise WccsimError(
                f"the kernels {fast.path} and {run.result.path} differ in {name}: "
                "a fault of wccsim, please report it"
            )
    checked = "" if fast.path == run.result.path else OUTPUTS_ALONE
    return lines("kernels", run.result) + lines("outputs", fast) + checked


def report(run: Simulation) -> dict[str, Any]:
    """Everything but the arrays, as JSON can hold it."""
    p, plan, result = run.layer.parameters, run.plan, run.result
    return {
        "tool": "wccsim",
        "version": __version__,
        "inputs": {run.feature_map.name: run.feature_map.sha256},
        "parameters": {**asdict(p), "keep": str(p.keep)},
        "made": run.layer.made,
        "shape": {
            "channels": plan.channels,
            "out_channels": plan.out_channels,
            "height": plan.height,
            "width": plan.width,
            "positions": plan.positions,
            "kept": plan.kept,
        },
        "path": result.path,
        "index_bits": result.index_bits,
        "word_bits": result.word_bits,
        "stored": stored.as_json(run.stored),
        "requantisers": {
            name: {"multiplier": scaler.multiplier.tolist(), "shift": scaler.shift.tolist()}
            for name, scaler in (("r1", plan.r1), ("r2", plan.r2), ("r3", plan.r3))
        },
        "scales": {
            "x": run.scales.x,
            "q": run.scales.q,
            "y": run.scales.y.tolist(),
            "out": run.layer.out_scale,
        },
        "errors": [asdict(row) for row in run.errors],
        "dense": {"snr_db": run.dense_snr_db, "max_error": run.dense_max_error},
        "widths": [asdict(row) for row in run.widths],
        "actions": {stage.value: asdict(counts) for stage, counts in result.counts.items()},
    }


def write_json(path: str, run: Simulation) -> None:
    """The report as JSON to `path`; "-" is standard output."""
    write_text(path, json.dumps(report(run), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def dump(folder: Path, run: Simulation) -> None:
    """Every array of the run as npy, with the report, into `folder`."""
    names = ("coefficients", "energy", "kept", "indices", "q", "acc", "y", "out")
    arrays = {name: getattr(run.result, name) for name in names if getattr(run.result, name) is not None}
    arrays.update(x=run.feature_map.x, weights=run.plan.weights)
    arrays.update(stored.streams(run.stored))
    if run.plan.bias is not None:
        arrays["bias"] = run.plan.bias
    write_dump(folder, arrays, report(run))


def _heading(run: Simulation) -> str:
    p, plan = run.layer.parameters, run.plan
    padded = (
        ""
        if (plan.padded_height, plan.padded_width) == (plan.height, plan.width)
        else f", padded to {plan.padded_height}x{plan.padded_width}"
    )
    levels = "1 level" if p.levels == 1 else f"{p.levels} levels"
    shifts = f"; per-level shifts {list(p.per_level_shift)}" if p.per_level_shift else ""
    layer = (
        f"{run.feature_map.name}: {plan.channels}x{plan.height}x{plan.width} {run.feature_map.x.dtype}"
        f" -> {plan.out_channels} channels {run.result.out.dtype}{padded}\n"
    )
    if p.plain:
        return (
            f"{layer}plain quantisation to {p.act_bits} bits: no transform, all {plan.kept:,} positions, "
            f"no index\nkernels: {run.result.path}\n" + stored.line(run.stored) + _scale_note(run)
        )
    return (
        f"{layer}keep {p.keep}: {plan.kept:,} of {plan.positions:,} positions; {levels}, haar {p.haar}, "
        f"score {p.score}, selection {p.selection}\n"
        f"index {p.index}: {run.result.index_bits:,} bits{shifts}; kernels: {run.result.path}\n"
        + stored.line(run.stored)
        + _scale_note(run)
    )


def _scale_note(run: Simulation) -> str:
    """Says when the map's own scale is not the one that the layer was made for."""
    if run.feature_map.x_scale == run.layer.x_scale:
        return ""
    scales = f"{run.layer.x_scale:.6g}, not the map's {run.feature_map.x_scale:.6g}"
    return f"real values use the layer's x_scale {scales}\n"


def _error_table(run: Simulation) -> str:
    headers = ("stage", "words", "rms error", "max error", "bound", "SNR\ndB", "at\nclamp")
    rows = [
        (
            row.stage,
            row.words,
            row.rms_error,
            row.max_error,
            row.bound,
            "exact" if row.snr_db is None else f"{row.snr_db:.2f}",
            row.at_clamp,
        )
        for row in run.errors
    ]
    right: Align = "right"
    return terminal_table(headers, rows, align=["left", *[right] * (len(headers) - 1)])


def _dense_line(run: Simulation) -> str:
    quality = "equal" if run.dense_snr_db is None else f"SNR {run.dense_snr_db:.2f} dB"
    return f"against the dense float convolution: {quality}, max error {run.dense_max_error:.4g}\n"


def _action_table(run: Simulation) -> str:
    headers = ("stage", "MACs", "multiplies", "adds", "shifts", "compares", "bits read", "bits written")
    rows = [(stage.value, *_cells(run.result.counts[stage])) for stage in Stage]
    return terminal_table(headers, rows, total=("total", *_cells(total(run.result.counts))))


def _cells(counts: ActionCounts) -> tuple[int, ...]:
    fields = asdict(counts)
    operations = [fields[name] for name in ("macs", "multiplies", "adds", "shifts", "compares")]
    read = sum(value for name, value in fields.items() if name.endswith("_read_bits"))
    written = sum(value for name, value in fields.items() if name.endswith("_write_bits"))
    return (*operations, read, written)


def _width_table(run: Simulation) -> str:
    headers = ("signal", "required\nbits", "seen\nbits", "least", "greatest")
    rows = [(row.signal, row.required_bits, row.seen_bits, row.lowest, row.highest) for row in run.widths]
    return terminal_table(headers, rows)


def _multipliers(run: Simulation) -> str:
    lines = []
    for name, scaler in (("R1", run.plan.r1), ("R2", run.plan.r2), ("R3", run.plan.r3)):
        pairs = sorted(set(zip(scaler.multiplier.tolist(), scaler.shift.tolist(), strict=True)))
        shown = ", ".join(f"({m}, {s})" for m, s in pairs[:4])
        more = f" and {len(pairs) - 4} more" if len(pairs) > 4 else ""
        lines.append(f"{name} (M, s): {shown}{more}\n")
    return "".join(lines)
