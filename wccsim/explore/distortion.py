"""How much a setting distorts a layer's input: from measured curves, or a documented proxy.

Distortion is noise over signal, sum of squared errors over sum of squares. Measured: the curves of
`wccsim compare --csv`, one for each map and codec, log2(noise/signal) interpolated linearly in bits
per value. Proxy, where no curves are given: noise/signal = 4^-b for quantisation to b bits, plus
the energy of what is dropped if the sorted squared coefficients fall as 1/i^2, as those of natural
images roughly do; without room for the whole approximation band, what is missing of it is lost too.
The proxy orders settings; it predicts no task's accuracy.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes
from wccsim.network.model import Layer

MAX_BYTES = 1 << 28
NEEDED = ("map", "channels", "height", "width", "codec", "bits_per_value", "snr_db")
LEAST_LOG2 = -40.0  # of noise/signal: a lossless point has none, and a logarithm needs one
WCC, UNIFORM = "wcc", "uniform"


@dataclass(frozen=True, slots=True)
class Curve:
    """log2(noise/signal) over bits per value, ascending in bits, never rising."""

    bits: tuple[float, ...]
    log2_noise: tuple[float, ...]

    def noise(self, bits: float) -> float:
        """Noise over signal at `bits`; the end segments are prolonged, never above 1 (nothing kept)."""
        return min(math.pow(2.0, self._log2(bits)), 1.0)

    def _log2(self, bits: float) -> float:
        if len(self.bits) == 1:
            return self.log2_noise[0]
        at = next((i for i, b in enumerate(self.bits[1:-1]) if bits <= b), len(self.bits) - 2)
        x0, x1, y0, y1 = self.bits[at], self.bits[at + 1], self.log2_noise[at], self.log2_noise[at + 1]
        return max(y0 + (bits - x0) * (y1 - y0) / (x1 - x0), LEAST_LOG2)


@dataclass(frozen=True, slots=True)
class MeasuredMap:
    """The curves of one map by codec."""

    name: str
    shape: tuple[int, int, int]
    curves: Mapping[str, Curve]


def read_curves(path: Path | str) -> tuple[MeasuredMap, ...]:
    """The maps of a `wccsim compare` CSV that have both a "wcc" and a "uniform" curve."""
    text = read_bytes(path, MAX_BYTES).decode("utf-8", errors="replace")
    reader = csv.DictReader(io.StringIO(text))
    if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
        raise WccsimError(f"no column {missing[0]!r}; needed: {', '.join(NEEDED)}", Place(str(path), 1, 1))
    points: dict[str, dict[str, dict[float, float]]] = {}
    shapes: dict[str, tuple[int, int, int]] = {}
    for row in reader:
        try:
            bits, snr_db = float(row["bits_per_value"]), float(row["snr_db"])
            shapes[row["map"]] = (int(row["channels"]), int(row["height"]), int(row["width"]))
        except (TypeError, ValueError):
            raise WccsimError(
                "bits_per_value, snr_db, channels, height, width: not all are numbers",
                Place(str(path), reader.line_num, 1),
            ) from None
        if math.isnan(snr_db) or not bits > 0:
            continue
        log2_noise = max(-snr_db / 10 * math.log2(10), LEAST_LOG2)
        points.setdefault(row["map"], {}).setdefault(row["codec"], {})[bits] = log2_noise
    maps = tuple(
        MeasuredMap(name, shapes[name], {codec: _curve(found) for codec, found in codecs.items()})
        for name, codecs in points.items()
        if WCC in codecs and UNIFORM in codecs
    )
    if not maps:
        raise WccsimError(f"{path}: no map has points of both codecs, {WCC} and {UNIFORM}")
    return maps


def _curve(points: Mapping[float, float]) -> Curve:
    """More bits never hurt: a point worse than one with fewer bits takes that one's noise."""
    bits, noise, least = sorted(points), list[float](), math.inf
    for b in bits:
        least = min(least, points[b])
        noise.append(least)
    return Curve(tuple(bits), tuple(noise))


@dataclass(frozen=True, slots=True)
class Distortion:
    """Noise over signal of a layer's input under a setting. `maps` empty: the proxy."""

    maps: tuple[MeasuredMap, ...] = ()

    @property
    def source(self) -> str:
        """What the figures rest on, for a report."""
        if not self.maps:
            return "proxy (no curves given): 4^-b of quantisation, 1/i^2 energies of dropped coefficients"
        count = len(self.maps)
        return f"measured curves of {count} maps; a layer without its own takes the map nearest in shape"

    def of(self, layer: Layer, keep: Fraction | None, act_bits: int, levels: int) -> float:
        """Noise over signal; `keep` None is uniform quantisation alone."""
        if not self.maps:
            return proxy(layer, keep, act_bits, levels)
        curves = self._nearest(layer).curves
        if keep is None:
            return curves[UNIFORM].noise(act_bits)
        return curves[WCC].noise(effective_bits(layer, keep, act_bits, levels))

    def _nearest(self, layer: Layer) -> MeasuredMap:
        """The map whose name ends with the layer's, else the one nearest in channels, height and width."""
        for measured in self.maps:
            if measured.name.endswith(layer.name):
                return measured
        shape = layer.in_shape
        size = (shape.channels, shape.height, shape.width)
        return min(
            self.maps,
            key=lambda m: sum(abs(math.log2(a / b)) for a, b in zip(m.shape, size, strict=True)),
        )


def effective_bits(layer: Layer, keep: Fraction, act_bits: int, levels: int) -> float:
    """Bits per value of the map: kept coefficients of the padded map and one bitmap for all channels."""
    shape, step = layer.in_shape, 1 << levels
    positions = -(-shape.height // step) * step * (-(-shape.width // step) * step)
    kept = positions * keep.numerator // keep.denominator
    return (kept * shape.channels * act_bits + positions) / shape.values


def proxy(layer: Layer, keep: Fraction | None, act_bits: int, levels: int) -> float:
    """The proxy of the module's first lines."""
    quantised = math.pow(4.0, -act_bits)
    if keep is None or keep == 1:
        return quantised
    ratio = float(keep)
    positions = max(layer.in_shape.height * layer.in_shape.width, 2)
    total = math.pi**2 / 6
    dropped = (1 / (ratio * positions) - 1 / positions) / total
    # Without the approximation band, which holds 4^-levels of the positions and most of the energy:
    missing = max(1 - ratio * (1 << 2 * levels), 0.0)
    return min(quantised + dropped + missing, 1.0)
