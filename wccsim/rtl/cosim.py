"""Co-simulation: the Verilog on exported sets, every stage compared word by word.

A build lives in a temporary folder and a simulator in a process group of its own; both are gone when the
call ends, however it ends.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wccsim.errors import WccsimError
from wccsim.rtl.export import INPUTS, PHASES, STAGES, read_manifest
from wccsim.rtl.process import RTL, build_folder, need, rtl_sources, run_tool

SIMULATORS = ("icarus", "verilator")
TOOLS = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator", "g++")}


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first word of a stage that differs: its index in the stage's shape, both words as numbers.

    `got` is the text itself where it is no number, such as a word with unknown bits.
    """

    index: tuple[int, ...] | str
    expected: int
    got: int | str


@dataclass(frozen=True, slots=True)
class StageVerdict:
    """One stage of one run: words compared, words that differ, the first that does."""

    stage: str
    words: int
    mismatches: int
    first: Divergence | None

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.stage}: {self.words:,} words equal"
        where = self.first.index
        place = where if isinstance(where, str) else "[" + ", ".join(map(str, where)) + "]"
        return (
            f"{self.stage}: {self.mismatches:,} of {self.words:,} words differ; "
            f"first at {place}: expected {self.first.expected}, got {self.first.got}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One set on one simulator."""

    name: str
    simulator: str
    stages: tuple[StageVerdict, ...]

    @property
    def equal(self) -> bool:
        """Whether every word of every stage and every cycle counter agreed."""
        return all(stage.first is None for stage in self.stages)

    @property
    def first_divergence(self) -> StageVerdict | None:
        """The first stage, in the order of the datapath, that differs."""
        return next((stage for stage in self.stages if stage.first), None)


def simulate(
    folder: Path,
    simulator: str,
    *,
    runtime: Sequence[str] = (),
    sources: Sequence[Path] | None = None,
    timeout: float = 600.0,
) -> Verdict:
    """Build and run the Verilog on the set in `folder`.

    runtime: what `verilator_runtime` gave, for Verilator. sources: other Verilog than the shipped.
    Raises WccsimError where a tool is missing or fails, or the set is not whole.
    """
    if simulator not in SIMULATORS:
        raise WccsimError(f"simulator {simulator!r} is not known; allowed: {', '.join(SIMULATORS)}")
    need(*TOOLS[simulator])
    manifest = read_manifest(folder)
    with build_folder() as work:
        for name in ("p.vh", *(f"{name}.hex" for name in INPUTS)):
            shutil.copyfile(folder / name, work / name)
        verilog = list(sources) if sources is not None else rtl_sources()
        if simulator == "icarus":
            _icarus(work, verilog, timeout)
        else:
            _verilator(work, verilog, timeout, runtime)
        stages = [_compare(folder, work, manifest["words"][stage], stage) for stage in STAGES]
        stages.append(_compare_cycles(work, manifest["cycles"]))
    return Verdict(folder.name, simulator, tuple(stages))


def check(folders: Sequence[Path], simulator: str, timeout: float = 600.0) -> Iterator[Verdict]:
    """The verdicts of several sets on one simulator, one after the other."""
    with verilator_runtime(timeout) if simulator == "verilator" else nullcontext(()) as runtime:
        for folder in folders:
            yield simulate(folder, simulator, runtime=runtime, timeout=timeout)


def _icarus(work: Path, verilog: list[Path], timeout: float) -> None:
    bench = [RTL / "tb" / "tb.v", RTL / "tb" / "clock.v"]
    run_tool(
        ["iverilog", "-g2005", "-I", work, "-s", "clock", "-o", "bench.vvp", *verilog, *bench], work, timeout
    )
    run_tool(["vvp", "-n", "bench.vvp"], work, timeout)


# Small designs that run once: the compiler's time is the cost, so loops stay loops and nothing is optimised
# by it. Lint of the design is a test of its own; the testbench is behavioural.
VERILATOR = [
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--unroll-count",
    "2",
    "--noassert",
    "--top-module",
    "tb",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "-Wno-MULTIDRIVEN",
    "-Wno-BLKSEQ",
]
RUNTIME = ("verilated", "verilated_threads")


@contextmanager
def verilator_runtime(timeout: float = 600.0) -> Iterator[tuple[str, ...]]:
    """What every Verilator build links and includes, compiled once for a series of sets: arguments of g++."""
    need("verilator", "g++")
    with build_folder() as work:
        root = run_tool(["verilator", "--getenv", "VERILATOR_ROOT"], work, timeout).strip()
        include = Path(root) / "include"
        paths = (f"-I{include}", f"-I{include / 'vltstd'}")
        for name in RUNTIME:
            run_tool(["g++", "-O0", *paths, "-c", include / f"{name}.cpp", "-o", f"{name}.o"], work, timeout)
        yield (*paths, *(str(work / f"{name}.o") for name in RUNTIME))


def _verilator(work: Path, verilog: list[Path], timeout: float, runtime: Sequence[str]) -> None:
    run_tool(["verilator", *VERILATOR, f"-I{work}", *verilog, RTL / "tb" / "tb.v"], work, timeout)
    sources = [*sorted((work / "obj_dir").glob("*.cpp")), RTL / "tb" / "main.cpp"]
    # One translation unit reads Verilator's headers once.
    (work / "bench.cpp").write_text("".join(f'#include "{path}"\n' for path in sources), encoding="utf-8")
    build = ["g++", "-O0", "-Iobj_dir", "bench.cpp", *runtime, "-lpthread", "-latomic", "-o", "bench"]
    run_tool(build, work, timeout)
    run_tool([work / "bench"], work, timeout)


def _words(path: Path, what: str) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        raise WccsimError(f"the simulation ended without writing {what}") from None


def _number(text: str, bits: int, signed: bool) -> int | str:
    """The word's value; the text itself where it is no number."""
    try:
        value = int(text, 16)
    except ValueError:
        return text
    return value - (1 << bits) if signed and value >> (bits - 1) & 1 else value


def _compare(folder: Path, work: Path, word: dict[str, Any], stage: str) -> StageVerdict:
    expected = _words(folder / f"{stage}.hex", f"{stage}.hex")
    got = _words(work / f"got_{stage}.hex", stage)
    got += ["nothing"] * (len(expected) - len(got))
    differ = [i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b]
    if not differ:
        return StageVerdict(stage, len(expected), 0, None)
    bits, signed = word["bits"], word["signed"]
    at = _index(differ[0], word["shape"])
    right, wrong = _number(expected[differ[0]], bits, signed), _number(got[differ[0]], bits, signed)
    if isinstance(right, str):
        raise WccsimError(f"{folder / stage}.hex holds {right[:40]!r}, which is no hexadecimal word")
    return StageVerdict(stage, len(expected), len(differ), Divergence(at, right, wrong))


def _index(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    index = []
    for size in reversed(shape):
        flat, place = divmod(flat, size)
        index.append(place)
    return tuple(reversed(index))


def _compare_cycles(work: Path, expected: dict[str, int]) -> StageVerdict:
    words = _words(work / "got_cycles.txt", "cycles")
    got = dict(zip(words[::2], words[1::2], strict=False))
    differ = [phase for phase in PHASES if got.get(phase) != str(expected[phase])]
    first = None
    if differ:
        first = Divergence(differ[0], expected[differ[0]], got.get(differ[0], "nothing"))
    return StageVerdict("cycles", len(PHASES), len(differ), first)
