"""One row of the comparison: a map, a codec, a wanted rate, and what came of it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wccsim.compare.metrics import Reference, distortion
from wccsim.compare.point import Point
from wccsim.compare.search import within
from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DIGITS = 6  # of a measured float: what every machine agrees on
_MAX_CSV_BYTES = 1 << 28
LOSSLESS, REACHED, BELOW, NEAREST = "lossless", "reached", "lossless below the target", "not reached"


@dataclass(frozen=True, slots=True)
class Row:
    """target: bits a value, or None for a lossless codec's natural size.

    status: "reached" (within 1 %), "lossless" (natural size), "lossless below the target" (nothing is lost at
    fewer bits), or "not reached" (no setting of this codec comes within 1 %; the nearest is shown).
    bits_per_value counts every side bit. mse and max_error in LSBs of the map. out_*: after the 1x1
    convolution, W applied to the decoded map, before bias and activation; None without weights.
    products: multiplications of the convolution for one output channel; operand_bits: mean width of the map's
    words in them. layer_bops: convolution, codec and transforms; dense_bops: the convolution at 8/8 bits.
    """

    map: str
    map_sha256: str
    channels: int
    height: int
    width: int
    out_channels: int | None
    codec: str
    target: float | None
    status: str
    bits_per_value: float
    total_bits: int
    mse: float
    snr_db: float
    max_error: int
    zeros_kept: float | None
    out_mse: float | None
    out_snr_db: float | None
    codec_bops_per_value: float
    layer_bops: int | None
    dense_bops: int | None
    products: int
    operand_bits: float
    breakdown: str
    setting: str


Record = TypeVar("Record", bound="DataclassInstance")
COLUMNS = tuple(field.name for field in fields(Row))


def row_of(reference: Reference, codec: str, target: float | None, point: Point) -> Row:
    """Measure `point` against its map."""
    map_ = reference.map_
    channels, height, width = map_.x.shape
    outputs = None if map_.weights is None else int(map_.weights.shape[0])
    found = distortion(reference, point.decoded)
    measured = {name: rounded(value) for name, value in asdict(found).items()}
    return Row(
        map=map_.name,
        map_sha256=map_.sha256,
        channels=channels,
        height=height,
        width=width,
        out_channels=outputs,
        codec=codec,
        target=target,
        status=_status(point, target, map_.x.size, found.mse),
        bits_per_value=float(f"{point.bits / map_.x.size:.{DIGITS}g}"),
        total_bits=point.bits,
        codec_bops_per_value=float(f"{float(point.codec_bops / map_.x.size):.{DIGITS}g}"),
        layer_bops=None if outputs is None else point.layer_bops(outputs),
        dense_bops=None if outputs is None else 64 * channels * outputs * height * width,
        products=point.products,
        operand_bits=float(f"{point.product_bits / point.products:.{DIGITS}g}"),
        breakdown=json.dumps(point.breakdown),
        setting=json.dumps(point.setting, default=str),
        **measured,
    )


def _status(point: Point, target: float | None, values: int, mse: float) -> str:
    if target is None:
        return LOSSLESS
    if within(point.bits, target * values):
        return REACHED
    return BELOW if mse == 0 and point.bits < target * values else NEAREST


def rounded(value: Any) -> Any:
    """A finite float to DIGITS significant digits; anything else as it is."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{DIGITS}g}")
    return value


def read_rows(path: Path | str) -> list[Row]:
    """The rows of a CSV that `wccsim compare` wrote; WccsimError naming the line that is none."""
    return read_table(path, Row)


def read_table(path: Path | str, kind: type[Record]) -> list[Record]:
    """The rows of a CSV whose columns are the fields of the dataclass `kind`, each of a type in _KINDS."""
    text = read_bytes(path, _MAX_CSV_BYTES).decode("utf-8", errors="replace")
    read = {field.name: _KINDS[str(field.type)] for field in fields(kind)}
    reader = csv.DictReader(io.StringIO(text))
    if list(reader.fieldnames or ()) != list(read):
        raise WccsimError(f"{path}: the columns are not those of a comparison: {', '.join([*read][:4])}, ...")
    rows = []
    for number, cells in enumerate(reader, 2):
        try:
            rows.append(kind(**{name: read[name](cells[name]) for name in read}))
        except (ValueError, TypeError):
            raise WccsimError("not a row of a comparison", Place(str(path), number, 1)) from None
    return rows


def _optional(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text in ("", "natural") else kind(text)


_KINDS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "int | None": _optional(int),
    "float | None": _optional(float),
}
