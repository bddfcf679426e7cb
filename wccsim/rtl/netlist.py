"""The pip-only route: combinational blocks as synthesised gates, evaluated bit-parallel.

Yosys (the extra `wccsim[rtl]` brings it as pyosys; no Debian package is needed) turns a block into two-input
gates; NumPy evaluates each gate on 64 vectors a word. The expected words are the simulator's own functions.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.haar import butterfly
from wccsim.datapath.requant import requantise
from wccsim.datapath.score import score
from wccsim.datapath.select import bin_keys
from wccsim.errors import WccsimError
from wccsim.rtl.process import RTL, build_folder, rtl_sources, run_tool
from wccsim.rtl.smt import with_defaults

Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
VECTORS = 1 << 18
ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
GATES: dict[str, Callable[..., Words]] = {
    "$_NOT_": lambda a: a ^ ONES,
    "$_AND_": lambda a, b: a & b,
    "$_OR_": lambda a, b: a | b,
    "$_XOR_": lambda a, b: a ^ b,
    "$_NAND_": lambda a, b: (a & b) ^ ONES,
    "$_NOR_": lambda a, b: (a | b) ^ ONES,
    "$_XNOR_": lambda a, b: (a ^ b) ^ ONES,
    "$_ANDNOT_": lambda a, b: a & (b ^ ONES),
    "$_ORNOT_": lambda a, b: a | (b ^ ONES),
    "$_MUX_": lambda a, b, s: (a & (s ^ ONES)) | (b & s),
}
CHILD = "import sys; from pyosys import libyosys as ys; ys.run_pass('script ' + sys.argv[1], ys.Design())"


@dataclass(frozen=True, slots=True)
class Netlist:
    """Gates in the order of evaluation: (type, input nets, output net); a port lists its nets, lowest first.

    A net is an int, or "0", "1", "x" for a constant.
    """

    inputs: Mapping[str, list[Any]]
    outputs: Mapping[str, list[Any]]
    gates: tuple[tuple[str, tuple[Any, ...], Any], ...]


@dataclass(frozen=True, slots=True)
class BlockVerdict:
    """One block: gates, vectors tried, and the first that differs as text, None where all agree."""

    block: str
    gates: int
    vectors: int
    first: str | None

    def __str__(self) -> str:
        return f"{self.block}: {self.gates:,} gates, {self.vectors:,} vectors " + (self.first or "equal")


def synthesised(top: str, parameters: Mapping[str, int]) -> Netlist:
    """The netlist of a block by pyosys. WccsimError names the extra where it is not installed."""
    if importlib.util.find_spec("pyosys") is None:
        raise WccsimError("pyosys is not installed; install with: pip install 'wccsim[rtl]'")
    others = [path for path in rtl_sources() if path.stem not in ("wcc_top", top)]
    source = RTL / f"{top}.v" if (RTL / f"{top}.v").is_file() else RTL / "syn" / "blocks.v"
    with build_folder() as work:
        (work / "top.v").write_text(with_defaults(source, dict(parameters)), encoding="utf-8")
        lines = [f"read_verilog {' '.join(map(str, others))} top.v", f"hierarchy -check -top {top}"]
        lines += ["synth -flatten -noabc", "opt_clean", "write_json netlist.json"]
        (work / "run.ys").write_text("\n".join(lines) + "\n", encoding="utf-8")
        run_tool([sys.executable, "-c", CHILD, "run.ys"], work)
        modules = json.loads((work / "netlist.json").read_text(encoding="utf-8"))["modules"]
    [module] = [m for m in modules.values() if int(str(m["attributes"].get("top", "0")), 2)]
    return _ordered(module)


def _ordered(module: dict[str, Any]) -> Netlist:
    """The gates sorted so that each comes after those that feed it."""
    ports = module["ports"].items()
    # $scopeinfo only says where a flattened gate came from; any other unknown cell has no Y and stops here.
    cells = [cell for cell in module["cells"].values() if cell["type"] != "$scopeinfo"]
    driver = {cell["connections"]["Y"][0]: cell for cell in cells}
    gates: list[tuple[str, tuple[Any, ...], Any]] = []
    done: set[Any] = set()
    for start in driver:
        stack = [start]
        while stack:
            net = stack[-1]
            if net in done or net not in driver:
                stack.pop()
                continue
            cell = driver[net]
            pins = tuple(cell["connections"][pin][0] for pin in "ABS" if pin in cell["connections"])
            waiting = [pin for pin in pins if pin in driver and pin not in done]
            if waiting:
                stack += waiting
                continue
            gates.append((cell["type"], pins, net))
            done.add(net)
            stack.pop()
    inputs = {name: port["bits"] for name, port in ports if port["direction"] == "input"}
    outputs = {name: port["bits"] for name, port in ports if port["direction"] == "output"}
    return Netlist(inputs, outputs, tuple(gates))


def evaluate(netlist: Netlist, vectors: Mapping[str, Int64]) -> dict[str, Int64]:
    """The output words, int64 without sign, for int64 input words (two's complement) of one length."""
    count = len(next(iter(vectors.values())))
    length = -(-count // 64)
    nets: dict[Any, Words] = {"0": np.zeros(length, np.uint64), "1": np.full(length, ONES)}
    nets["x"] = nets["0"]
    for name, bits in netlist.inputs.items():
        for i, net in enumerate(bits):
            padded = np.zeros(length * 64, np.uint8)
            padded[:count] = (vectors[name] >> i) & 1
            nets[net] = np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)
    for kind, pins, net in netlist.gates:
        nets[net] = GATES[kind](*(nets[pin] for pin in pins))
    found = {}
    for name, bits in netlist.outputs.items():
        word = np.zeros(count, np.int64)
        for i, net in enumerate(bits):
            flat = np.unpackbits(nets[net].astype("<u8").view(np.uint8), bitorder="little")[:count]
            word |= flat.astype(np.int64) << i
        found[name] = word
    return found


@dataclass(frozen=True, slots=True)
class Check:
    """A block, its input vectors, and the expected output words."""

    block: str
    top: str
    parameters: dict[str, int]
    vectors: dict[str, Int64]
    expected: dict[str, Int64]


def run(check: Check) -> BlockVerdict:
    """Synthesise, evaluate, compare every word."""
    netlist = synthesised(check.top, check.parameters)
    got = evaluate(netlist, check.vectors)
    count = len(next(iter(check.vectors.values())))
    first = None
    for name, wanted in check.expected.items():
        mask = (1 << len(netlist.outputs[name])) - 1
        differ = np.flatnonzero(got[name] != (wanted & mask))
        if len(differ) and first is None:
            at = int(differ[0])
            given = ", ".join(f"{port} = {int(values[at])}" for port, values in check.vectors.items())
            words = f"expected {int(wanted[at]) & mask}, got {int(got[name][at])}"
            first = f"differ in {len(differ):,}, first {name} at {given}: {words}"
    return BlockVerdict(check.block, len(netlist.gates), count, first)


def run_blocks() -> Iterator[BlockVerdict]:
    """Every combinational block, one after the other."""
    for check in checks():
        yield run(check)


def _words(bits: int, rng: np.random.Generator, corners: list[Int64], which: int) -> Int64:
    """VECTORS random signed words of `bits` bits, then the corners' column `which`."""
    random = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), VECTORS, dtype=np.int64)
    return np.concatenate([random, corners[which]])


def _grid(*axes: list[int]) -> list[Int64]:
    """Every combination of the axes' values, one column an axis."""
    return [mesh.ravel() for mesh in np.meshgrid(*(np.array(axis, np.int64) for axis in axes), indexing="ij")]


def _extremes(bits: int) -> list[int]:
    top = 1 << (bits - 1)
    return [-top, 1 - top, -2, -1, 0, 1, 2, top - 1]


def checks() -> Iterator[Check]:
    """Vectors and expected words of every combinational block."""
    rng = np.random.default_rng(20221)
    every = _grid(list(range(-128, 128)), list(range(-128, 128)))
    vectors = {"a": every[0], "b": every[1]}
    yield Check(
        "multiplier 8x8, exhaustive",
        "multiplier",
        {"AW": 8, "BW": 8},
        vectors,
        {"product": every[0] * every[1]},
    )
    for bits in (8, 12, 22):
        corners = _grid(*[_extremes(bits)] * 4)
        vectors = {name: _words(bits, rng, corners, i) for i, name in enumerate("abcd")}
        four = dict(zip(("ll", "lh", "hl", "hh"), butterfly(*vectors.values()), strict=True))
        yield Check(f"butterfly {bits} bits", "haar2d_level", {"IW": bits}, vectors, four)
    for bits, out, low, high in (
        (14, 8, -127, 127),
        (32, 16, -32767, 32767),
        (22, 8, -128, 127),
        (22, 8, 0, 255),
    ):
        yield _single(bits, out, low, high, rng)
    yield _double(32, 16, -32767, 32767, rng)
    yield _score(14, 3, rng)
    yield _key(37, 3, rng)


def _single(bits: int, out: int, low: int, high: int, rng: np.random.Generator) -> Check:
    corners = _grid(_extremes(bits), [1 << 15, (1 << 15) + 1, (1 << 16) - 1], list(range(1, 64)))
    value = _words(bits, rng, corners, 0)
    multiplier = np.concatenate([rng.integers(1 << 15, 1 << 16, VECTORS), corners[1]])
    # Half of the shifts leave a word inside the clamp.
    shift = np.concatenate([rng.integers(max(1, bits - 2), bits + 20, VECTORS), corners[2]])
    wanted = requantise(value.astype(np.int32), multiplier, shift, low, high)
    vectors = {"value": value, "multiplier": multiplier, "shift": shift}
    parameters = {"IW": bits, "OW": out, "LO": low, "HI": high}
    return Check(
        f"requantiser {bits}x16 to {low}..{high}", "requant", parameters, vectors, {"result": wanted}
    )


def _double(bits: int, out: int, low: int, high: int, rng: np.random.Generator) -> Check:
    corners = _grid(_extremes(bits), [1 << 30, (1 << 30) + 1, (1 << 31) - 1], list(range(-31, 32)))
    count = 2 * VECTORS  # about a third is dropped below
    random = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), count) >> rng.integers(0, 31, count)
    value = np.concatenate([random, corners[0]])
    multiplier = np.concatenate([rng.integers(1 << 30, 1 << 31, count), corners[1]])
    shift = np.concatenate([rng.integers(-31, 32, count), corners[2]])
    moved = value << np.maximum(-shift, 0)
    fits = (moved >= -(1 << 31)) & (moved < 1 << 31)  # the exporter refuses the others
    value, multiplier, shift = value[fits], multiplier[fits], shift[fits]
    wanted = requantise(value.astype(np.int32), multiplier, shift, low, high, "tflite_double")
    vectors = {"value": value, "multiplier": multiplier, "shift": shift}
    parameters = {"IW": bits, "OW": out, "LO": low, "HI": high, "DOUBLE": 1}
    return Check(
        f"requantiser double {bits}x31 to {low}..{high}", "requant", parameters, vectors, {"result": wanted}
    )


def _score(bits: int, levels: int, rng: np.random.Generator) -> Check:
    """One lane, every coefficient of every level: a level-l word has bits - 2 (L - l) bits."""
    values, shifts = [], []
    for level in range(1, levels + 1):
        top = 1 << (bits - 2 * (levels - level) - 1)
        values.append(np.arange(-top, top, dtype=np.int64))
        shifts.append(np.full(2 * top, levels - level, np.int64))
    coefficient, alignment = np.concatenate(values), np.concatenate(shifts)
    wanted = score(coefficient[None].astype(np.int32), alignment)
    vectors = {"coefficient": coefficient, "alignment": alignment}
    parameters = {"P": 1, "CW": bits, "SW": 2 * (bits - 1) + 1, "SCORE": 0}
    return Check(f"score lane {bits} bits, exhaustive", "lane_score", parameters, vectors, {"score": wanted})


def _key(bits: int, mantissa: int, rng: np.random.Generator) -> Check:
    random = rng.integers(0, 1 << bits, VECTORS, dtype=np.int64) >> rng.integers(0, bits, VECTORS)
    powers = np.array([1 << i for i in range(bits)], np.int64)
    values = np.concatenate([random, [0], powers, powers - 1, np.minimum(powers + 1, (1 << bits) - 1)])
    parameters = {"SW": bits, "M": mantissa}
    return Check(
        f"binned key {bits} bits, m = {mantissa}",
        "binned_key",
        parameters,
        {"score": values},
        {"key": bin_keys(values, mantissa)},
    )
