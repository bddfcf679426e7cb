"""The numbers the paper prints, as data: wccsim/paper/data/*.csv."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of a BOPs table: its widths, its kept fraction, and the printed BOPs in 10^9 as text."""

    table: str
    row: str
    weight_bits: int
    act_bits: str  # "8", or "2-4" where the paper mixes two
    shrinkage_percent: str  # "", "50", or "25-50" where the paper mixes two
    printed: str


@dataclass(frozen=True, slots=True)
class Table3Row:
    """A row of Table 3: one convolution, its printed map size and its printed MAC."""

    name: str
    kernel: int
    height: int
    width: int
    macs: int


def settings(table: str) -> tuple[Setting, ...]:
    """The rows of "Table 1 Cityscapes", "Table 1 VOC", "Table 2", "monodepth2" or "EfficientDet"."""
    file, key, value = {
        "Table 1 Cityscapes": ("table1.csv", "dataset", "cityscapes"),
        "Table 1 VOC": ("table1.csv", "dataset", "voc"),
        "Table 2": ("table2.csv", "", ""),
        "monodepth2": ("camera_ready.csv", "network", "monodepth2_mobilenetv2"),
        "EfficientDet": ("camera_ready.csv", "network", "tf_efficientdet_d1"),
    }[table]
    return tuple(
        Setting(
            table,
            row.get("row") or _row_name(row),
            int(row["weight_bits"]),
            row["act_bits"],
            row["shrinkage_percent"],
            row["bops_giga"],
        )
        for row in _rows(file)
        if not key or row[key] == value
    )


def table3() -> tuple[Table3Row, ...]:
    """The 50 rows of Table 3, as printed."""
    return tuple(
        Table3Row(row["name"], int(row["k"]), int(row["h"]), int(row["w"]), int(row["mac"]))
        for row in _rows("table3.csv")
    )


TABLE3_TOTALS = {1: 18_022_413_312, 3: 1_056_190_968}  # printed under the table, by kernel size
INLINE_MEGA_BOPS = {"convolution": "11364", "Haar": "54"}  # section 4.1: 160 -> 960, 34x34, 8 bit


def percent(text: str) -> Fraction:
    """A printed percentage as a fraction of 1."""
    return Fraction(text) / 100


def _row_name(row: dict[str, str]) -> str:
    if row["weight_bits"] == "32":
        return "FP32"
    name = f"{row['weight_bits']}/{row['act_bits']}"
    return f"{name} WCC {row['shrinkage_percent']}%" if row["shrinkage_percent"] else name


def _rows(file: str) -> list[dict[str, str]]:
    with (DATA / file).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
