"""One matrix product: against SCALE-Sim's recorded reports, a walk of the array, and by hand."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.systolic import DATAFLOWS, as_scalesim_reports, gemm_count

PEERS = Path(__file__).parent.parent / "wccsim" / "data" / "peers"


def recorded(stem: str) -> list[dict[str, str]]:
    with (PEERS / f"scalesim_3.0.0_{stem}.csv").open() as file:
        return list(csv.DictReader(file))


def label(row: dict[str, str]) -> str:
    return f"{row['name']}-{row['dataflow']}"


def product_of(row: dict[str, str]) -> tuple:
    sizes = (int(row[key]) for key in ("M", "K", "N", "array_rows", "array_cols"))
    return (*sizes, row["dataflow"], int(row.get("sim_sublayers", 1)))


@pytest.mark.parametrize(
    "row", recorded("conv") + recorded("gemm"), ids=lambda r: f"{r['name']}-{r['dataflow']}"
)
def test_scalesims_report_is_reproduced(row):
    tool = as_scalesim_reports(*product_of(row))
    assert tool.total_cycles == int(row["compute_cycles_incl_stall"])
    assert tool.sram_ifmap_reads == int(row["sram_ifmap_reads"])
    assert tool.sram_filter_reads == int(row["sram_filter_reads"])
    assert tool.sram_ofmap_writes == int(row["sram_ofmap_writes"])
    assert tool.overall_utilization_percent == pytest.approx(float(row["overall_util_pct"]), abs=6e-5)
    assert tool.mapping_efficiency_percent == pytest.approx(float(row["mapping_eff_pct"]), abs=6e-5)
    assert tool.compute_utilization_percent == pytest.approx(float(row["compute_util_pct"]), abs=6e-5)


@pytest.mark.parametrize(
    "row", recorded("conv") + recorded("gemm"), ids=lambda r: f"{r['name']}-{r['dataflow']}"
)
def test_our_counts_differ_from_its_report_only_by_the_two_known_habits(row):
    ours, tool = gemm_count(*product_of(row)), as_scalesim_reports(*product_of(row))
    assert ours.cycles == int(row["formula_cycles"]) == tool.total_cycles + int(row["sim_sublayers"])
    ghosts = ours.folds * (int(row["array_rows"]) + int(row["array_cols"]))
    extra = tool.sram_ofmap_writes - ours.sram_out_writes
    assert extra == (ghosts if row["dataflow"] == "os" else 0)


@pytest.mark.parametrize("row", recorded("quoted"), ids=label)
def test_rows_known_from_a_summary(row):
    tool = as_scalesim_reports(*product_of(row))
    pairs = {
        "reported_cycles": tool.total_cycles,
        "sram_ifmap_reads": tool.sram_ifmap_reads,
        "sram_filter_reads": tool.sram_filter_reads,
        "sram_ofmap_writes": tool.sram_ofmap_writes,
    }
    assert {key: value for key, value in pairs.items() if row[key]} == {
        key: int(row[key]) for key in pairs if row[key]
    }


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_one_product_on_one_element(dataflow):
    """The count of cycles, not the index of the last: one for OS; a stationary operand loads first."""
    count = gemm_count(1, 1, 1, 1, 1, dataflow)
    assert count.cycles == (1 if dataflow in ("os", "dot") else 2)
    assert (count.sram_in_reads, count.sram_weight_reads, count.sram_out_writes) == (1, 1, 1)


def walked_os(m: int, k: int, n: int, rows: int, columns: int) -> tuple[int, int, int]:
    """Cycle by cycle: element (r, c) works at time r + c + t, t = 0..K-1; distinct edge reads."""
    cycles, in_reads, weight_reads = 0, 0, 0
    for row in range(0, m, rows):
        for column in range(0, n, columns):
            used_rows, used_columns = min(rows, m - row), min(columns, n - column)
            last = max(r + c + t for r in range(rows) for c in range(columns) for t in range(k))
            cycles += last + 1
            in_reads += sum(1 for _ in range(used_rows) for _ in range(k))
            weight_reads += sum(1 for _ in range(used_columns) for _ in range(k))
    return cycles, in_reads, weight_reads


small = st.integers(1, 12)


@settings(max_examples=60, deadline=None)
@given(small, small, small, st.integers(1, 6), st.integers(1, 6))
def test_output_stationary_equals_a_walk_in_time(m, k, n, rows, columns):
    count = gemm_count(m, k, n, rows, columns, "os")
    assert (count.cycles, count.sram_in_reads, count.sram_weight_reads) == walked_os(m, k, n, rows, columns)


@settings(max_examples=100, deadline=None)
@given(small, small, small, st.integers(1, 6), st.integers(1, 6), st.sampled_from(DATAFLOWS))
def test_conserved_and_bounded(m, k, n, rows, columns, dataflow):
    count = gemm_count(m, k, n, rows, columns, dataflow)
    assert count.macs == m * k * n
    assert count.sram_in_reads >= m * k and count.sram_weight_reads >= k * n
    assert count.sram_out_writes - count.sram_partial_reads == m * n
    assert count.cycles >= count.ideal_cycles
    assert 0 < count.utilization_percent <= count.mapping_efficiency_percent <= 100
    twice = gemm_count(m, k, n, rows, columns, dataflow, times=2)
    assert twice.cycles == 2 * count.cycles and twice.macs == 2 * count.macs


@settings(max_examples=60, deadline=None)
@given(small, small, small, st.integers(1, 6), st.integers(1, 6), st.sampled_from(DATAFLOWS))
def test_fewer_positions_never_take_longer(m, k, n, rows, columns, dataflow):
    whole = gemm_count(m + 1, k, n, rows, columns, dataflow)
    assert gemm_count(m, k, n, rows, columns, dataflow).cycles <= whole.cycles


def test_kept_positions_do_not_save_cycles_in_proportion():
    """The paper's layer, weight-stationary on 32 x 32: a quarter kept, 3.26 times fewer cycles."""
    whole, kept = gemm_count(1156, 160, 960, 32, 32, "ws"), gemm_count(289, 160, 960, 32, 32, "ws")
    assert whole.cycles / kept.cycles == pytest.approx(3.2637, abs=1e-4)


def test_enormous_products_are_exact():
    assert gemm_count(10**30, 1, 1, 1, 1, "dot").cycles == 10**30


@settings(max_examples=60, deadline=None)
@given(
    small, small, small, st.integers(1, 6), st.integers(1, 6), st.sampled_from(DATAFLOWS), st.integers(1, 5)
)
def test_products_one_after_the_other_cost_the_sum(m, k, n, rows, columns, dataflow, times):
    one, many = (gemm_count(m, k, n, rows, columns, dataflow, t) for t in (1, times))
    for name in type(one).__slots__:
        assert getattr(many, name) == getattr(one, name) * (1 if name == "elements" else times), name
    assert many.mapping_efficiency_percent == pytest.approx(one.mapping_efficiency_percent)
    assert (many.ideal_cycles - 1) * many.elements < many.macs <= many.ideal_cycles * many.elements


@pytest.mark.parametrize(
    "sizes", [(0, 1, 1, 1, 1, "ws"), (1, -1, 1, 1, 1, "os"), (1, 1, 1, 0, 1, "is"), (1, 1, 1, 1, 1, "rs")]
)
def test_nonsense_is_refused_in_one_line(sizes):
    with pytest.raises(WccsimError) as refusal:
        gemm_count(*sizes)
    assert "\n" not in str(refusal.value)


def walked_accesses(m: int, k: int, n: int, rows: int, columns: int, dataflow: str) -> dict[str, int]:
    """Fold by fold: every word that crosses the array's edge is counted as it crosses."""
    counts = {"in": 0, "weight": 0, "out": 0, "partial": 0}
    if dataflow == "dot":
        for _ in range(m):
            for first in range(0, n, columns):
                outputs = range(first, min(first + columns, n))
                for group in range(0, k, rows):
                    inputs = range(group, min(group + rows, k))
                    counts["in"] += len(inputs)  # broadcast to all outputs
                    counts["weight"] += sum(1 for _ in inputs for _ in outputs)
                counts["out"] += len(outputs)
        return counts
    still = {"ws": (k, n), "is": (k, m)}[dataflow]  # the stationary operand's two dimensions
    streamed = m if dataflow == "ws" else n
    held, moving = ("weight", "in") if dataflow == "ws" else ("in", "weight")
    for row in range(0, still[0], rows):
        for column in range(0, still[1], columns):
            used_rows, used_columns = min(rows, still[0] - row), min(columns, still[1] - column)
            counts[held] += used_rows * used_columns
            for _ in range(streamed):
                counts[moving] += used_rows
                counts["out"] += used_columns
                counts["partial"] += used_columns if row else 0  # what the folds above left
    return counts


@settings(max_examples=80, deadline=None)
@given(small, small, small, st.integers(1, 6), st.integers(1, 6), st.sampled_from(["ws", "is", "dot"]))
def test_accesses_equal_a_walk_over_the_folds(m, k, n, rows, columns, dataflow):
    count = gemm_count(m, k, n, rows, columns, dataflow)
    walked = walked_accesses(m, k, n, rows, columns, dataflow)
    assert walked == {
        "in": count.sram_in_reads,
        "weight": count.sram_weight_reads,
        "out": count.sram_out_writes,
        "partial": count.sram_partial_reads,
    }
