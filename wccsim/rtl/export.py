"""Writing a layer as the files of a hardware testbench. The format is normative in docs/rtl.md."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import wccsim
from wccsim.cycles import wcc_cycles
from wccsim.datapath.layer import LayerResult, run_plan
from wccsim.datapath.plan import Plan
from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.folders import refuse_other_folder, replacing_folder
from wccsim.parameters import SCORES

SCHEMA = 1
FORMAT = "wccsim-rtl-set"
STAGES = ("coefficients", "energy", "bitmap", "q", "acc", "y", "out")
PHASES = ("haar", "select", "gather", "mac", "inverse")
INPUTS = ("x", "weights", "r1", "r2", "r3", "bias")


def write_set(
    plan: Plan, x: npt.NDArray[Any], folder: Path, *, p_lanes: int, q_lanes: int, source: dict[str, Any]
) -> dict[str, Any]:
    """Write the set of a plan on x [C, H, W] into `folder`, whole or not at all; returns the manifest.

    source: where the layer came from (case, file, sha256, seed), kept in the manifest. Raises WccsimError for
    a variant the Verilog does not build and where `folder` holds anything but an earlier set.
    """
    check_supported(plan)
    refuse_other_folder(folder, is_set, "exported set")
    result = run_plan(plan, x)
    files = {"p.vh": _header(plan, p_lanes, q_lanes), **_inputs(plan, x), **_expected(plan, result)}
    manifest = _manifest(plan, files, p_lanes, q_lanes, source)
    files["README.txt"] = _readme(manifest)
    manifest["files"]["README.txt"] = _sha256(files["README.txt"])
    files["manifest.json"] = json.dumps(manifest, indent=1) + "\n"
    with replacing_folder(folder) as fresh:
        for name, text in files.items():
            (fresh / name).write_text(text, encoding="ascii", newline="\n")
    return manifest


def check_supported(plan: Plan) -> None:
    """WccsimError for what the Verilog does not build."""
    p = plan.parameters
    if p.haar != "exact":
        raise WccsimError(f"haar {p.haar!r} has no Verilog; exported: exact")
    if p.plain:
        raise WccsimError("levels 0, a plain layer, has no Verilog; exported: levels 1 to 5")
    if p.index != "bitmap":
        raise WccsimError(f"index {p.index!r} has no Verilog; exported: bitmap")
    if p.words != "fixed":
        raise WccsimError(f"words {p.words!r} has no Verilog; exported: fixed")
    if p.detail_bits not in (None, p.act_bits):
        raise WccsimError(
            f"detail_bits {p.detail_bits} has no Verilog; exported: one width, act_bits {p.act_bits}"
        )
    if p.detail_bits is not None:
        raise WccsimError("detail_bits has no Verilog; exported: one width for every kept word")


def word_bits(plan: Plan) -> dict[str, int]:
    """Width of a word of every file."""
    p = plan.parameters
    return {
        "x": p.in_bits,
        "weights": p.weight_bits,
        "r1": 40,
        "r2": 40,
        "r3": 40,
        "bias": 32,
        "coefficients": p.coefficient_bits(),
        "energy": p.score_bits(plan.channels),
        "bitmap": 32,
        "q": p.act_bits,
        "acc": 32,
        "y": p.wavelet_bits,
        "out": 8,
    }


def signed_words(plan: Plan) -> dict[str, bool]:
    """Whether the words of a file are two's complement."""
    signed = {"x", "weights", "bias", "coefficients", "q", "acc", "y"}
    if not plan.parameters.out_unsigned:
        signed.add("out")
    return {name: name in signed for name in (*INPUTS, *STAGES)}


def _hex(values: Any, bits: int) -> str:
    """One word a line, `bits` bits, two's complement, ceil(bits / 4) digits."""
    digits, mask = -(-bits // 4), (1 << bits) - 1
    return "".join(f"{int(value) & mask:0{digits}x}\n" for value in np.asarray(values).ravel().tolist())


def _pairs(multiplier: Any, shift: Any, count: int) -> str:
    pairs = zip(np.broadcast_to(multiplier, count), np.broadcast_to(shift, count), strict=True)
    return _hex([(int(s) & 0xFF) << 32 | int(m) for m, s in pairs], 40)


def _inputs(plan: Plan, x: npt.NDArray[Any]) -> dict[str, str]:
    bits, outputs = word_bits(plan), plan.out_channels
    bias = np.zeros(outputs, np.int64) if plan.bias is None else plan.bias
    return {
        "x.hex": _hex(x, bits["x"]),
        "weights.hex": _hex(plan.weights, bits["weights"]),
        "r1.hex": _pairs(plan.r1.multiplier, plan.r1.shift, 1),
        "r2.hex": _pairs(plan.r2.multiplier, plan.r2.shift, outputs),
        "r3.hex": _pairs(plan.r3.multiplier, plan.r3.shift, outputs),
        "bias.hex": _hex(bias, bits["bias"]),
    }


def bitmap_words(kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Bit i of word j is flat index 32 j + i (section 4)."""
    padded = np.zeros(-(-len(kept) // 32) * 32, np.uint8)
    padded[: len(kept)] = kept
    return np.packbits(padded, bitorder="little").view("<u4")


def _expected(plan: Plan, result: LayerResult) -> dict[str, str]:
    bits = word_bits(plan)
    arrays = {name: getattr(result, name) for name in STAGES if name != "bitmap"}
    arrays["bitmap"] = bitmap_words(result.kept)
    return {f"{name}.hex": _hex(arrays[name], bits[name]) for name in STAGES}


def _constants(plan: Plan, p_lanes: int, q_lanes: int) -> dict[str, str]:
    p, positions = plan.parameters, plan.positions
    low, high = plan.out_range
    shifts = sum((p.level_shift(level) & 0x7F) << 7 * (level - 1) for level in range(1, p.levels + 1))
    numbers = {
        "LEVELS": p.levels,
        "CHANNELS": plan.channels,
        "OUT_CHANNELS": plan.out_channels,
        "HEIGHT": plan.height,
        "WIDTH": plan.width,
        "PADDED_HEIGHT": plan.padded_height,
        "PADDED_WIDTH": plan.padded_width,
        "KEPT": plan.kept,
        "P": p_lanes,
        "Q": q_lanes,
        "IN_BITS": p.in_bits,
        "COEFFICIENT_BITS": p.coefficient_bits(),
        "SCORE_BITS": p.score_bits(plan.channels),
        "ACT_BITS": p.act_bits,
        "WEIGHT_BITS": p.weight_bits,
        "WAVELET_BITS": p.wavelet_bits,
        "INVERSE_BITS": p.inverse_bits(),
        "POSITION_BITS": positions.bit_length(),
        "IN_GROUP_BITS": _counter_bits(-(-plan.channels // p_lanes)),
        "OUT_GROUP_BITS": _counter_bits(-(-plan.out_channels // q_lanes)),
        "SCORE": SCORES.index(p.score),
        "BINNED": int(p.mantissa_bits is not None),
        "MANTISSA_BITS": p.mantissa_bits or 0,
        "DOUBLE": int(p.requantise_mode == "tflite_double"),
        "OUT_LOW": low,
        "OUT_HIGH": high,
    }
    return {**{name: str(value) for name, value in numbers.items()}, "LEVEL_SHIFTS": f"35'd{shifts}"}


def _counter_bits(count: int) -> int:
    return max(1, count.bit_length())


def _header(plan: Plan, p_lanes: int, q_lanes: int) -> str:
    lines = ["// Generated by `wccsim rtl export`; meanings and units: docs/rtl.md.\n"]
    lines += [f"`define WCC_{name} {value}\n" for name, value in _constants(plan, p_lanes, q_lanes).items()]
    return "".join(lines)


def _shapes(plan: Plan) -> dict[str, list[int]]:
    c, o, n, k = plan.channels, plan.out_channels, plan.positions, plan.kept
    return {
        "x": [c, plan.height, plan.width],
        "weights": [o, c],
        "r1": [1],
        "r2": [o],
        "r3": [o],
        "bias": [o],
        "coefficients": [c, n],
        "energy": [n],
        "bitmap": [-(-n // 32)],
        "q": [c, k],
        "acc": [o, k],
        "y": [o, k],
        "out": [o, plan.height, plan.width],
    }


def _manifest(
    plan: Plan, files: dict[str, str], p_lanes: int, q_lanes: int, source: dict[str, Any]
) -> dict[str, Any]:
    p = plan.parameters
    sizes = (plan.channels, plan.out_channels, plan.height, plan.width)
    cycles = wcc_cycles(p, *sizes, p_lanes=p_lanes, q_lanes=q_lanes)
    expected = {phase: getattr(cycles, phase) for phase in PHASES}
    bits, signed, shapes = word_bits(plan), signed_words(plan), _shapes(plan)
    outputs = plan.out_channels
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "wccsim": wccsim.__version__,
        "source": source,
        "parameters": {**asdict(p), "keep": str(p.keep), "per_level_shift": list(p.per_level_shift)},
        "lanes": {"p": p_lanes, "q": q_lanes},
        "padded": [plan.padded_height, plan.padded_width],
        "positions": plan.positions,
        "kept": plan.kept,
        "out_range": list(plan.out_range),
        "requantisers": {
            name: [
                np.broadcast_to(value, count).tolist()
                for value in (getattr(plan, name).multiplier, getattr(plan, name).shift)
            ]
            for name, count in (("r1", 1), ("r2", outputs), ("r3", outputs))
        },
        "words": {
            name: {"file": f"{name}.hex", "shape": shapes[name], "bits": bits[name], "signed": signed[name]}
            for name in (*INPUTS, *STAGES)
        },
        "cycles": {**expected, "total": cycles.total},
        "files": {name: _sha256(text) for name, text in files.items()},
    }


def _readme(manifest: dict[str, Any]) -> str:
    rows = "".join(
        f"  {word['file']:<17} {word['bits']:>2} bits {'signed  ' if word['signed'] else 'unsigned'} "
        f"{' x '.join(map(str, word['shape']))}\n"
        for word in manifest["words"].values()
    )
    return (
        "One WCC layer: its inputs and the expected words of every stage, for $readmemh. One word a line,\n"
        "hexadecimal, two's complement where signed; arrays row-major in the shape given.\n\n"
        f"{rows}\n"
        "r1, r2, r3: bits 39..32 the shift (two's complement), bits 31..0 the multiplier.\n"
        "coefficients, energy, bitmap: flat Mallat order; bit i of bitmap word j is flat index 32 j + i.\n"
        "p.vh: the constants as Verilog macros. manifest.json: all of it, sha256 and expected cycles.\n"
        "The arithmetic is specified in docs/datapath.md of wccsim, this format in docs/rtl.md.\n"
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_set(folder: Path) -> bool:
    """Whether `folder` holds a set of ours, of any schema."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a set, every file of it checked against its sha256."""
    try:
        manifest = json.loads(read_bytes(folder / "manifest.json"))
        if manifest["format"] != FORMAT:
            raise ValueError
        schema, files, words = manifest["schema"], manifest["files"], manifest["words"]
        if not set(words) >= {*INPUTS, *STAGES} or not set(manifest["cycles"]) >= set(PHASES):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WccsimError(
            f"{folder}: no exported set: manifest.json is not what `wccsim rtl export` writes"
        ) from None
    if schema != SCHEMA:
        raise WccsimError(f"{folder}: schema {schema!r:.20} of the set; this wccsim reads {SCHEMA}")
    needed = {"p.vh", *(f"{name}.hex" for name in (*INPUTS, *STAGES))}
    for name in sorted(needed):
        if hashlib.sha256(read_bytes(folder / name)).hexdigest() != files.get(name):
            raise WccsimError(f"{folder / name}: not the file that manifest.json names: its sha256 differs")
    return dict(manifest)
