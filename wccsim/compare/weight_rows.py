"""One row of the weight column: a coded map under coded weights, and the error after their convolution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.compare.metrics import Reference, decibels, gram_matrix, output_energy
from wccsim.compare.point import Point
from wccsim.compare.rows import Row, rounded
from wccsim.compare.weights import CodedWeights

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightRow:
    """The map's part is that of the comparison's row of the same map, codec and target.

    weight_codec: "as-given" is the int8 words of the npz. weight_bits: paid a weight, side bits included.
    out_mse, out_snr_db: decoded weights applied to the decoded map against W x, real units, before bias and
    activation. map_out_snr_db: W as given on the decoded map (the comparison's out_snr_db).
    weights_out_snr_db: decoded weights on the map as given. layer_bits: map and weights together. layer_bops:
    with the widths of both operands; where weights are rebuilt to 8 bits, with that work once a layer.
    """

    map: str
    map_sha256: str
    channels: int
    height: int
    width: int
    out_channels: int
    codec: str
    target: float | None
    status: str
    bits_per_value: float
    weight_codec: str
    weight_target: float
    weight_bits: float
    weight_total_bits: int
    weight_operand_bits: int
    weight_snr_db: float
    out_mse: float
    out_snr_db: float
    map_out_snr_db: float
    weights_out_snr_db: float
    layer_bits: int
    layer_bops: int
    dense_bops: int
    weight_breakdown: str
    weight_setting: str


WEIGHT_COLUMNS = tuple(field.name for field in fields(WeightRow))


def weight_rows(
    reference: Reference, row: Row, point: Point, coded: Sequence[CodedWeights]
) -> list[WeightRow]:
    """One row a coding of the map's weights, beside `row`, which `point` was measured as."""
    if not coded:
        return []
    errors = _Errors(reference, point)
    return [_weight_row(reference, row, point, one, errors) for one in coded]


class _Errors:
    """Energies after the layer, from one Gram matrix of the decoded map v and its error d = v - x.

    V v - W x = (V - W) v + W d, so an error's energy is a quadratic form of [V - W, W].
    """

    def __init__(self, reference: Reference, point: Point) -> None:
        x, v = reference.map_.x, point.decoded
        assert reference.map_.weights is not None and reference.map_.weight_scale is not None
        self._gram = gram_matrix(v, v.astype(np.int32) - x.astype(np.int32))
        self._weights = reference.map_.weights.astype(np.float64)
        self._scale, self._unit = reference.map_.weight_scale, reference.map_.x_scale**2

    def of_both(self, coded: CodedWeights) -> float:
        """Of V v against W x."""
        return self._energy(self._error(coded), self._weights)

    def of_map(self) -> float:
        """Of W v."""
        return self._energy(np.zeros_like(self._weights), self._weights)

    def of_weights(self, coded: CodedWeights) -> float:
        """Of V x: x = v - d."""
        error = self._error(coded)
        return self._energy(error, -error)

    def _error(self, coded: CodedWeights) -> Doubles:
        difference: Doubles = coded.decoded.astype(np.float64) - self._weights
        return difference

    def _energy(self, of_decoded: Doubles, of_error: Doubles) -> float:
        return output_energy(np.hstack([of_decoded, of_error]), self._gram, self._scale) * self._unit


def _weight_row(
    reference: Reference, row: Row, point: Point, coded: CodedWeights, errors: _Errors
) -> WeightRow:
    weights, signal = reference.map_.weights, reference.out_energy or 0.0
    assert weights is not None and row.out_channels is not None and row.dense_bops is not None
    lost = errors.of_both(coded)
    difference = coded.decoded.astype(np.int64) - weights
    measured = {
        "weight_bits": coded.bits / weights.size,
        "weight_snr_db": decibels(_energy(weights), _energy(difference)),
        "out_mse": lost / (row.out_channels * row.height * row.width),
        "out_snr_db": decibels(signal, lost),
        "map_out_snr_db": decibels(signal, errors.of_map()),
        "weights_out_snr_db": decibels(signal, errors.of_weights(coded)),
    }
    of_map: dict[str, Any] = {name: getattr(row, name) for name in WEIGHT_COLUMNS[:6]}
    work = point.layer_bops(row.out_channels, coded.word_bits) - int(-coded.rebuild_bops // 1)
    return WeightRow(
        **of_map,
        codec=row.codec,
        target=row.target,
        status=row.status,
        bits_per_value=row.bits_per_value,
        weight_codec=coded.codec,
        weight_target=coded.target,
        weight_total_bits=coded.bits,
        weight_operand_bits=coded.word_bits,
        layer_bits=point.bits + coded.bits,
        layer_bops=work,
        dense_bops=row.dense_bops,
        weight_breakdown=json.dumps(coded.breakdown),
        weight_setting=json.dumps(coded.setting),
        **{name: rounded(value) for name, value in measured.items()},
    )


def _energy(words: npt.NDArray[Any]) -> int:
    wide = words.astype(np.int64)
    return int((wide * wide).sum())


def weight_cells(rows: Sequence[WeightRow]) -> list[tuple[Any, ...]]:
    """The rows as tuples in the order of WEIGHT_COLUMNS; a map's natural size is the target "natural"."""
    return [
        tuple(
            "natural" if name == "target" and row.target is None else getattr(row, name)
            for name in WEIGHT_COLUMNS
        )
        for row in rows
    ]
