"""What the pages say of the comparison on real maps follows from the committed CSVs, by another road.

Nothing of `wccsim.compare` or `wccsim.report` is used: the CSVs are read with the standard library.
"""

import csv
import math
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REAL = ROOT / "reports" / "compare" / "real"
MARK = "MobileNetV2 maps of [reports/compare/real]"
RATES = ("2", "3", "4", "6", "8")
LOSSLESS = {"zvc", "rlc", "csr", "ebpc", "rice", "huffman", "dc-ac-style", "deflate"}

Row = dict[str, str]


def read(name: str) -> list[Row]:
    with (REAL / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def gaps(codec: str, rate: str) -> list[float]:
    """SNR(codec) - SNR(uniform) on each map, dB."""
    return [float(row[f"ahead_db_at_{rate}"]) for row in read("crossover.csv") if row["codec"] == codec]


def listed(values: list[str]) -> str:
    return f"{', '.join(values[:-1])} and {values[-1]}"


def counts(values: list[int], at: tuple[str, ...]) -> str:
    """ "11 at 2 bits, 10 at 3 and 6 at 4"."""
    first, *others = [f"{value} at {rate}" for value, rate in zip(values, at, strict=True)]
    return listed([f"{first} bits", *others])


def least_lost(rows: list[Row], rate: str) -> tuple[int, int]:
    """On how many maps nothing has a lower error than wcc-combined; than some lossless coder."""
    combined = lossless = 0
    for name in {row["map"] for row in rows}:
        here = [
            (float(row["mse"]), row["codec"])
            for row in rows
            if row["map"] == name and row["target"] == f"{rate}.0" and row["status"] != "not reached"
        ]
        best = {codec for mse, codec in here if mse == min(here)[0]}
        combined += "wcc-combined" in best
        lossless += bool(best & LOSSLESS)
    return combined, lossless


def expected() -> list[str]:
    plain = [gaps("wcc", rate) for rate in RATES]
    combined = [gaps("wcc-combined", rate) for rate in RATES]
    assert all(len(found) == 13 for found in (*plain, *combined)), "every map reaches every rate"
    assert min(map(min, combined)) >= 0, "never behind"
    means = [math.fsum(found) / len(found) for found in combined]
    rows = [row for row in read("comparison.csv") if not row["codec"].startswith("wcc+")]
    least = [least_lost(rows, rate) for rate in RATES[:-1]]
    plain_ahead = [sum(gap > 0 for gap in found) for found in plain]
    combined_ahead = [sum(gap > 0 for gap in found) for found in combined]
    by = listed([f"{mean:.1f}" for mean in means])
    first = f"On the 13 {MARK}("
    second = (
        "without fine-tuning, plain WCC loses less than uniform quantisation at the same bits on "
        f"{counts(plain_ahead, RATES)}."
    )
    third = (
        f"With every switch (`wcc-combined`) it is ahead on {counts(combined_ahead, RATES)}, never "
        f"behind, by {by} dB in the mean."
    )
    fourth = (
        f"No codec loses less than that on {counts([pair[0] for pair in least], RATES[:-1])}; "
        "a lossless coder, alone or behind a quantiser, which leaves the convolution as it was, loses least "
        f"on {counts([pair[1] for pair in least], RATES[:-1])}."
    )
    return [first, second, third, fourth]


@pytest.mark.parametrize("page", ["README.md", "docs/compare.md"])
def test_the_result_on_real_maps_is_what_the_tables_say(page: str) -> None:
    if not REAL.is_dir():
        pytest.skip("no reports/compare/real in this copy of the project")
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    for sentence in expected():
        assert sentence in text, f"{page} should say: {sentence}"
