"""How much a setting distorts a layer's input: from measured curves, or a documented proxy.

Distortion is noise over signal, sum of squared errors over sum of squares. Measured: the curves of
`wccsim compare --csv`, one for each map and codec, log2(noise/signal) interpolated linearly in bits
per value; the measured map is itself rounded to integers, so 1/12 LSB^2 stands in every point's
noise. Proxy, where no curves are given: noise/signal = 4^-b for quantisation to b bits, plus the
energy of what is dropped if the sorted squared coefficients fall as 1/i^2, as those of natural
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

import numpy as np
import numpy.typing as npt

from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes
from wccsim.network.model import Layer
from wccsim.parameters import padded

Floats = npt.NDArray[np.float64]

MAX_BYTES = 1 << 28
NEEDED = ("map", "channels", "height", "width", "codec", "bits_per_value", "mse", "snr_db")
LEAST_LOG2 = -40.0  # of noise/signal, where no lossy point tells the signal
REFERENCE_MSE = 1 / 12  # LSB^2: the rounding of the measured integer map itself, present at every point
WCC, UNIFORM = "wcc", "uniform"


@dataclass(frozen=True, slots=True)
class Curve:
    """log2(noise/signal) over bits per value, ascending in bits, never rising."""

    bits: tuple[float, ...]
    log2_noise: tuple[float, ...]

    def noise(self, bits: Floats) -> Floats:
        """Noise over signal at `bits`; the end segments are prolonged, never above 1 (nothing kept)."""
        known, log2_noise = np.array(self.bits), np.array(self.log2_noise)
        if len(known) == 1:
            return np.full_like(bits, min(2.0 ** self.log2_noise[0], 1.0))
        at = np.clip(np.searchsorted(known[1:-1], bits), 0, len(known) - 2)
        slope = (log2_noise[at + 1] - log2_noise[at]) / (known[at + 1] - known[at])
        log2 = np.maximum(log2_noise[at] + (bits - known[at]) * slope, LEAST_LOG2)
        found: Floats = np.minimum(np.exp2(log2), 1.0)
        return found


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
    signal: dict[str, float] = {}
    for row in reader:
        try:
            bits, mse, snr_db = (float(row[name]) for name in ("bits_per_value", "mse", "snr_db"))
            shapes[row["map"]] = (int(row["channels"]), int(row["height"]), int(row["width"]))
        except (TypeError, ValueError):
            raise WccsimError(
                "bits_per_value, mse, snr_db, channels, height, width: not all are numbers",
                Place(str(path), reader.line_num, 1),
            ) from None
        if math.isnan(snr_db) or not bits > 0 or not mse >= 0:
            continue
        if mse > 0 and math.isfinite(snr_db):
            signal[row["map"]] = mse * math.pow(10.0, snr_db / 10)
        points.setdefault(row["map"], {}).setdefault(row["codec"], {})[bits] = mse
    maps = tuple(
        MeasuredMap(
            name,
            shapes[name],
            {codec: _curve(found, signal.get(name, math.inf)) for codec, found in codecs.items()},
        )
        for name, codecs in points.items()
        if WCC in codecs and UNIFORM in codecs
    )
    if not maps:
        raise WccsimError(f"{path}: no map has points of both codecs, {WCC} and {UNIFORM}")
    return maps


def _curve(points: Mapping[float, float], signal: float) -> Curve:
    """From mean squared errors. More bits never hurt: a point worse than one with fewer takes its noise."""
    bits, noise, least = sorted(points), list[float](), math.inf
    for b in bits:
        share = (points[b] + REFERENCE_MSE) / signal
        least = min(least, math.log2(share) if share > 0 else LEAST_LOG2)
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
        if keep is not None:
            positions = _positions(layer, levels)
            kept = positions * keep.numerator // keep.denominator
            one = [np.array([float(value)]) for value in (kept, positions, levels)]
            return float(self.of_wcc(layer, one[0], one[1], one[2], act_bits)[0])
        if not self.maps:
            return math.pow(4.0, -act_bits)
        return float(self._nearest(layer).curves[UNIFORM].noise(np.array([float(act_bits)]))[0])

    def of_wcc(self, layer: Layer, kept: Floats, positions: Floats, levels: Floats, act_bits: int) -> Floats:
        """Noise over signal with WCC for many settings: kept positions of the padded map, and levels."""
        if not self.maps:
            return proxy(kept, positions, levels, act_bits)
        bits = effective_bits(layer, kept, positions, act_bits)
        return self._nearest(layer).curves[WCC].noise(bits)

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


def _positions(layer: Layer, levels: int) -> int:
    return padded(layer.in_shape.height, levels) * padded(layer.in_shape.width, levels)


def effective_bits(layer: Layer, kept: Floats, positions: Floats, act_bits: int) -> Floats:
    """Bits per value of the map: kept coefficients of the padded map and one bitmap for all channels."""
    found: Floats = (kept * layer.in_shape.channels * act_bits + positions) / layer.in_shape.values
    return found


def proxy(kept: Floats, positions: Floats, levels: Floats, act_bits: int) -> Floats:
    """The proxy of the module's first lines. With everything kept it is that of quantisation alone."""
    dropped = (1 / kept - 1 / positions) / (math.pi**2 / 6)
    # What does not fit of the approximation band, which holds 4^-levels of the positions:
    missing = np.maximum(1 - kept / positions * 4.0**levels, 0.0)
    found: Floats = np.minimum(math.pow(4.0, -act_bits) + dropped + missing, 1.0)
    return found
