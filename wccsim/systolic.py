"""One matrix product on an array: cycles, words read and written, utilisation, in closed form.

M x K inputs times K x N weights; an array of R rows and C columns. The systolic forms are those of
SCALE-Sim v3 (scalesim/compute/systolic_compute_{os,ws,is}.py), checked row by row against its
recorded reports. Two of its habits are left out here and live in `as_scalesim_reports` alone: it
prints the index of the last cycle (one less than the count) and, for output stationary, adds
folds * (R + C) writes that never happen. `dot` is the P x Q dot-product array of docs/datapath.md,
section 6, with R = P input lanes and C = Q outputs. Pure integers until the percentages.
"""

from __future__ import annotations

from dataclasses import dataclass

from wccsim.cycles import ceil_div
from wccsim.errors import WccsimError

DATAFLOWS = ("ws", "os", "is", "dot")
SYSTOLIC = ("ws", "os", "is")


@dataclass(frozen=True, slots=True)
class GemmCount:
    """Counts of `times` equal products of M x K by K x N on an R x C array.

    cycles: how many cycles pass, the first and the last included. Reads and writes are words between
    the array and its buffers; a partial sum that returns to the array counts in `sram_partial_reads`.
    """

    macs: int
    cycles: int
    folds: int
    sram_in_reads: int
    sram_weight_reads: int
    sram_out_writes: int
    sram_partial_reads: int
    used_elements: int  # summed over the folds
    elements: int  # R * C

    @property
    def utilization_percent(self) -> float:
        """Overall: MACs done out of the MACs that all elements could do in `cycles`."""
        return 100 * self.macs / (self.cycles * self.elements)

    @property
    def mapping_efficiency_percent(self) -> float:
        """Mean over the folds of the share of the elements that hold work."""
        return 100 * self.used_elements / (self.folds * self.elements)

    @property
    def ideal_cycles(self) -> int:
        """Cycles if every element worked in every cycle."""
        return ceil_div(self.macs, self.elements)


def gemm_count(m: int, k: int, n: int, rows: int, columns: int, dataflow: str, times: int = 1) -> GemmCount:
    """Counts of `times` products of M x K by K x N, one after the other, on a rows x columns array.

    Raises WccsimError for a size below 1 or a dataflow that is not one of ws, os, is, dot.
    """
    for what, size in {"M": m, "K": k, "N": n, "rows": rows, "columns": columns, "times": times}.items():
        if size < 1:
            raise WccsimError(f"{what}: {size} was given; at least 1 is needed")
    if dataflow not in DATAFLOWS:
        raise WccsimError(f"dataflow {dataflow!r} is not known; allowed: {', '.join(DATAFLOWS)}")
    if dataflow == "dot":
        return _dot(m, k, n, rows, columns, times)
    # Sr and Sc lie on the array's rows and columns; T streams through it (SCALE-Sim's names).
    sr, sc, t = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
    row_folds, column_folds = ceil_div(sr, rows), ceil_div(sc, columns)
    # Operands skew in over R + C - 2 cycles; a stationary operand is first shifted in over R more.
    fold_cycles = (rows if dataflow != "os" else 0) + rows + columns + t - 2
    reduction_folds = 1 if dataflow == "os" else row_folds
    return GemmCount(
        macs=times * m * k * n,
        cycles=times * row_folds * column_folds * fold_cycles,
        folds=times * row_folds * column_folds,
        sram_in_reads=times * m * k * (1 if dataflow == "is" else column_folds),
        sram_weight_reads=times * k * n * {"os": row_folds, "ws": 1, "is": column_folds}[dataflow],
        sram_out_writes=times * m * n * reduction_folds,
        sram_partial_reads=times * m * n * (reduction_folds - 1),
        used_elements=times * sr * sc,
        elements=rows * columns,
    )


def _dot(m: int, k: int, n: int, p_lanes: int, q_lanes: int, times: int) -> GemmCount:
    """P products for each of Q sums a cycle; the sums stay, so every cycle reads fresh weights."""
    k_folds, n_folds = ceil_div(k, p_lanes), ceil_div(n, q_lanes)
    return GemmCount(
        macs=times * m * k * n,
        cycles=times * m * k_folds * n_folds,
        folds=times * k_folds * n_folds,
        sram_in_reads=times * m * k * n_folds,
        sram_weight_reads=times * m * k * n,
        sram_out_writes=times * m * n,
        sram_partial_reads=0,
        used_elements=times * k * n,
        elements=p_lanes * q_lanes,
    )


@dataclass(frozen=True, slots=True)
class ScalesimReport:
    """What SCALE-Sim 3.0.0 prints for the same product: for comparison, never for our own counts."""

    total_cycles: int
    overall_utilization_percent: float
    mapping_efficiency_percent: float
    compute_utilization_percent: float
    sram_ifmap_reads: int
    sram_filter_reads: int
    sram_ofmap_writes: int


def as_scalesim_reports(
    m: int, k: int, n: int, rows: int, columns: int, dataflow: str, times: int = 1
) -> ScalesimReport:
    """The report SCALE-Sim 3.0.0 would print in CALC mode, its two habits included.

    Its compute utilisation divides by another fold length than its cycles: 2R + 2C + T - 3 for the
    stationary dataflows. A depthwise layer is `times` products; one cycle is lost for each.
    """
    if dataflow not in SYSTOLIC:
        raise WccsimError(f"SCALE-Sim has no dataflow {dataflow!r}; allowed: {', '.join(SYSTOLIC)}")
    ours = gemm_count(m, k, n, rows, columns, dataflow, times)
    cycles = ours.cycles - times
    ghosts = ours.folds * (rows + columns) if dataflow == "os" else 0
    t = {"os": k, "ws": m, "is": n}[dataflow]
    fold = rows + columns + t - 2 if dataflow == "os" else 2 * (rows + columns) + t - 3
    return ScalesimReport(
        total_cycles=cycles,
        overall_utilization_percent=100 * ours.macs / (max(cycles, 1) * ours.elements),
        mapping_efficiency_percent=ours.mapping_efficiency_percent,
        compute_utilization_percent=100 * ours.used_elements * t / (ours.folds * ours.elements * fold),
        sram_ifmap_reads=ours.sram_in_reads,
        sram_filter_reads=ours.sram_weight_reads,
        sram_ofmap_writes=ours.sram_out_writes + ghosts,
    )
