"""A WCC layer as an object: calibrated from float weights and maps, or given in integers; one npz file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim import __version__
from wccsim.datapath import calibration
from wccsim.datapath.float_reference import Scales, scales_of
from wccsim.datapath.layer import LayerResult, run_plan
from wccsim.datapath.plan import Plan, make_plan
from wccsim.errors import WccsimError
from wccsim.maps import read_npz, write_arrays
from wccsim.parameters import WccParameters, padded, parse_keep
from wccsim.quantise import SMALLEST_SCALE

FORMAT = "wccsim-layer"
FORMAT_VERSION = 1
WIDEST_CHECK = 1 << 24
ARRAYS = ("weights", "weight_scale", "r1", "r2", "r3", "bias", "real_bias")

Float = npt.NDArray[np.float64]
Pair = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class WCCLayer:
    """Everything a layer is but the map: integers for the datapath and the real scales they stand for.

    weights int8 [Cout, C], real value w * weight_scale[o]; x_scale and out_scale: real value of one input
    and one output step. r1, r2, r3: (M, s) as int64 arrays of one or Cout elements. bias: int64 LL_L words
    [Cout] or None; real_bias: the float64 [Cout] they were made from. made: how, as JSON can hold it.
    """

    parameters: WccParameters
    weights: npt.NDArray[np.int8]
    weight_scale: Float
    x_scale: float
    out_scale: float
    r1: Pair
    r2: Pair
    r3: Pair
    bias: npt.NDArray[np.int64] | None = None
    real_bias: Float | None = None
    made: dict[str, Any] = field(default_factory=dict)

    def plan(self, height: int, width: int) -> Plan:
        """The checked plan for maps of height x width."""
        shape = (self.weights.shape[1], height, width)
        r1 = self.r1[0][0], self.r1[1][0]
        return make_plan(self.parameters, self.weights, shape, r1, self.r2, self.r3, self.bias)

    def run(self, x: npt.NDArray[Any], **options: Any) -> LayerResult:
        """Run on x [C, H, W] or [B, C, H, W]; options as in `run_plan`."""
        if not isinstance(x, np.ndarray) or x.ndim not in (3, 4):
            raise WccsimError("x is no array [C, H, W] or [B, C, H, W]")
        return run_plan(self.plan(*x.shape[-2:]), x, **options)

    def scales(self, plan: Plan) -> Scales:
        """The scales that the multipliers imply, per output channel."""
        return scales_of(plan, self.x_scale, self.weight_scale)

    def save(self, path: Path | str) -> None:
        """Write one npz: the arrays, and a JSON header with everything else."""
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "made_by": f"wccsim {__version__}",
            "parameters": {**asdict(self.parameters), "keep": str(self.parameters.keep)},
            "x_scale": float(self.x_scale),
            "out_scale": float(self.out_scale),
            "made": self.made,
        }
        arrays: dict[str, Any] = {
            "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8),
            "weights": self.weights,
            "weight_scale": self.weight_scale,
            **{name: np.stack(getattr(self, name)) for name in ("r1", "r2", "r3")},
        }
        for name in ("bias", "real_bias"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        write_arrays(Path(path), arrays)

    @classmethod
    def load(cls, path: Path | str) -> WCCLayer:
        """Read what `save` wrote. Strict: an unknown version, a missing or a strange member is refused."""
        members = read_npz(path, ("header", *ARRAYS))
        try:
            return _from_members(members)
        except WccsimError as problem:
            raise WccsimError(f"{path}: {problem}") from None

    @classmethod
    def from_float(
        cls,
        weights: Float,
        bias: Float | None,
        maps: list[npt.NDArray[Any]],
        x_scale: float,
        parameters: WccParameters,
        *,
        per_channel: bool = True,
        **options: Any,
    ) -> WCCLayer:
        """Quantise float weights [Cout, C] to the symmetric grid of `parameters.weight_bits`, then calibrate.

        A weight scale is greatest magnitude / limit, per output channel or one for all. Options as in
        `calibrated`.
        """
        real = np.asarray(weights, np.float64)
        if real.ndim != 2 or not real.size or not np.isfinite(real).all():
            raise WccsimError(f"float weights are {real.shape}; allowed: finite numbers [Cout, C]")
        limit = (1 << (parameters.weight_bits - 1)) - 1
        greatest = np.abs(real).max(axis=1) if per_channel else np.full(len(real), np.abs(real).max())
        scale = np.where(greatest > 0, greatest, 1.0) / limit
        codes = np.rint(real / scale[:, None]).astype(np.int8)
        return calibrated(codes, scale, bias, maps, x_scale, parameters, **options)


def calibrated(
    weights: npt.NDArray[np.int8],
    weight_scale: Float,
    bias: Float | None,
    maps: list[npt.NDArray[Any]],
    x_scale: float,
    parameters: WccParameters,
    *,
    act: str = "none",
    method: str = "mse",
    per_level_shift: bool = False,
    made: dict[str, Any] | None = None,
) -> WCCLayer:
    """The layer with R1, R2 and R3 set from the calibration maps, integer [C, H, W], real value x * x_scale.

    bias: float64 [Cout] in real units or None. act: "none", "relu" or "relu6", and decides ReLU: relu6 is
    R3's clamp at out_scale * greatest code <= 6. method: "max", "percentile:P" or "mse", for R1's clip. With
    `per_level_shift` each level also gets the power of two that errs least. R2 and R3 take the greatest
    magnitude.
    """
    calibration.check_method(method)
    if per_level_shift and parameters.plain:
        raise WccsimError("per_level_shift needs Haar levels, 1 to 5; levels 0 is a plain layer")
    if not maps:
        raise WccsimError("calibration needs at least one map")
    _check_scales(x_scale, weight_scale, bias)
    p = replace(parameters, bias=bias is not None, relu=act != "none", per_level_shift=())
    # The plan checks weights, shapes and widths before any float is computed.
    unit = (1 << 30, 0) if p.requantise_mode == "tflite_double" else (1 << 15, 31)
    for x in maps:
        zero = np.zeros(len(weights), np.int64) if p.bias else None
        make_plan(p, weights, x.shape, unit, unit, unit, zero)
    sizes = [(padded(x.shape[1], p.levels), padded(x.shape[2], p.levels)) for x in maps]
    kept = [calibration.kept_values(p, x, x_scale) for x in maps]
    step, shifts = calibration.find_clip(p, kept, *sizes[0], method, per_level_shift)
    p = replace(p, per_level_shift=shifts)
    real = weights.astype(np.float64) * weight_scale[:, None]
    words = calibration.word_scale(p, real, kept, *sizes[0], bias)
    low, high = calibration.out_range_of(real, kept, sizes, p, bias)
    out_scale = _out_scale(low, high, act, p)
    draft = _with_scales(p, weights, weight_scale, x_scale, step, words, out_scale, bias)
    return replace(draft, made={"method": method, "maps": len(maps), "act": act, **(made or {})})


def _check_scales(x_scale: float, weight_scale: Float, bias: Float | None) -> None:
    """Keep every product of scales well inside float64."""
    for what, scale in (("x_scale", np.atleast_1d(x_scale)), ("weight_scale", weight_scale)):
        if not ((scale > SMALLEST_SCALE) & (scale < 1 / SMALLEST_SCALE)).all():
            raise WccsimError(
                f"{what} reaches from {scale.min():g} to {scale.max():g}; "
                f"allowed: {SMALLEST_SCALE:g} to {1 / SMALLEST_SCALE:g}"
            )
    if bias is not None and not (np.abs(bias) < 1 / SMALLEST_SCALE).all():
        raise WccsimError(
            f"a bias reaches {np.abs(bias).max():g}; allowed: finite, below {1 / SMALLEST_SCALE:g}"
        )


def _out_scale(low: float, high: float, act: str, p: WccParameters) -> float:
    highest = p.out_format().max
    if act == "relu6":
        high = min(high, 6.0)
    reach = max(high / highest, 0.0 if p.relu else -low / 128)
    return reach if reach > 0 else 1.0


def _with_scales(
    p: WccParameters,
    weights: npt.NDArray[np.int8],
    weight_scale: Float,
    x_scale: float,
    q_step: float,
    y_step: Float,
    out_scale: float,
    bias: Float | None,
) -> WCCLayer:
    """The layer whose multipliers are nearest to these scales; the bias words follow them as rounded."""
    reach = "" if bias is None else f", with a bias that reaches {np.abs(bias).max():g}"
    r1 = calibration.scalers(p, np.array([x_scale / q_step]), f"R1 from an x_scale of {x_scale:g}")
    acc_step = x_scale / _multiplier(r1, p)[0] * weight_scale
    real = acc_step / np.where(y_step > 0, y_step, acc_step)
    r2 = calibration.scalers(p, real, f"R2 to a step of {y_step.max():g}{reach}")
    y_implied = acc_step / _multiplier(r2, p)
    real = y_implied / (out_scale * 2.0 ** p.output_gain())
    r3 = calibration.scalers(p, real, f"R3 to an out_scale of {out_scale:g}{reach}")
    words = None
    if bias is not None:
        limit = p.bias_format().max
        words = np.clip(np.rint(bias / y_implied * 2.0 ** p.bias_gain()), -limit, limit).astype(np.int64)
    return WCCLayer(p, weights, weight_scale, x_scale, out_scale, r1, r2, r3, words, bias)


def _multiplier(pair: Pair, p: WccParameters) -> Float:
    unit = 31 if p.requantise_mode == "tflite_double" else 0
    return pair[0].astype(np.float64) * np.exp2(-(pair[1] + unit).astype(np.float64))


def _from_members(members: dict[str, npt.NDArray[Any]]) -> WCCLayer:
    for name in ("header", "weights", "weight_scale", "r1", "r2", "r3"):
        if name not in members:
            raise WccsimError(f"not a saved layer: the member {name!r} is missing")
    header = _header(members["header"])
    weights, outputs = members["weights"], len(np.atleast_1d(members["weights"]))
    if weights.dtype != np.int8 or weights.ndim != 2:
        raise WccsimError(f"weights are {weights.dtype} {weights.shape}; allowed: int8 [Cout, C]")
    pairs = {}
    for name in ("r1", "r2", "r3"):
        pair = members[name]
        sizes = (1,) if name == "r1" else (1, outputs)
        if pair.dtype != np.int64 or pair.ndim != 2 or len(pair) != 2 or pair.shape[1] not in sizes:
            raise WccsimError(f"{name} is {pair.dtype} {pair.shape}; allowed: int64 [2, 1] or [2, Cout]")
        pairs[name] = (pair[0], pair[1])
    scale = _vector(members["weight_scale"], "weight_scale", np.float64, outputs)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise WccsimError("weight_scale is not positive and finite")
    bias = members.get("bias")
    real_bias = members.get("real_bias")
    layer = WCCLayer(
        parameters=_parameters(header["parameters"]),
        weights=weights,
        weight_scale=scale,
        x_scale=_scale(header, "x_scale"),
        out_scale=_scale(header, "out_scale"),
        **pairs,
        bias=None if bias is None else _vector(bias, "bias", np.int64, outputs),
        real_bias=None if real_bias is None else _vector(real_bias, "real_bias", np.float64, outputs),
        made=header["made"],
    )
    layer.plan(1 << layer.parameters.levels, max(1, _width_that_keeps(layer.parameters)))
    return layer


def _width_that_keeps(p: WccParameters) -> int:
    """A width at which a map of 2**levels rows keeps at least one position, for the check on loading."""
    return min(int(1 / p.keep) + 1, WIDEST_CHECK)


def _vector(array: npt.NDArray[Any], name: str, dtype: Any, count: int) -> npt.NDArray[Any]:
    if array.dtype != dtype or array.shape != (count,):
        raise WccsimError(f"{name} is {array.dtype} {array.shape}; allowed: {np.dtype(dtype)} ({count},)")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise WccsimError(f"{name} holds a value that is not finite")
    return array


def _header(array: npt.NDArray[Any]) -> dict[str, Any]:
    wanted = {"format", "version", "made_by", "parameters", "x_scale", "out_scale", "made"}
    try:
        header = json.loads(array.astype(np.uint8).tobytes().decode())
        if header["format"] != FORMAT or set(header) != wanted or not isinstance(header["made"], dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WccsimError("not a saved layer: its header is not the JSON that `save` writes") from None
    if header["version"] != FORMAT_VERSION:
        raise WccsimError(f"layer format version {header['version']!r:.40}; this is {FORMAT_VERSION}")
    return dict(header)


def _scale(header: dict[str, Any], name: str) -> float:
    value = header[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise WccsimError(f"{name} is {value!r:.40}; a scale is positive and finite")
    return float(value)


def _parameters(given: Any) -> WccParameters:
    names = set(WccParameters.__dataclass_fields__)
    if not isinstance(given, dict) or set(given) != names:
        raise WccsimError("the header's parameters are not those of this version")
    try:
        keep = parse_keep(given["keep"])
        shifts = tuple(given["per_level_shift"])
        flags = [given[name] for name in ("bias", "relu", "out_unsigned")]
        if not all(isinstance(flag, bool) for flag in flags) or not isinstance(given["selection"], str):
            raise ValueError
        return WccParameters(**{**given, "keep": keep, "per_level_shift": shifts})
    except (TypeError, ValueError, ZeroDivisionError):
        raise WccsimError("the header's parameters hold a value of a wrong type") from None
