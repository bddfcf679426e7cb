"""Do the checks bite? Every named fault is seeded, alone, and must be seen.

Verilog faults run on Icarus against exported sets; Python faults run the plain stages or the portable
kernels, interpreted, in a copy of the package in a child process. Nothing of the package itself is ever
changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wccsim.errors import WccsimError
from wccsim.rtl.cosim import simulate
from wccsim.rtl.export import write_set
from wccsim.rtl.fast_fault_list import PORTABLE
from wccsim.rtl.fault_cases import case_of
from wccsim.rtl.fault_list import PYTHON, VERILOG, Fault
from wccsim.rtl.process import RTL, build_folder, need, rtl_sources, stop_group
from wccsim.rtl.sets import build

PACKAGE = RTL.parent
RUN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault: where it was seeded and what noticed it, None where nothing did."""

    where: str
    name: str
    found: str | None

    @property
    def caught(self) -> bool:
        """Whether any check noticed."""
        return self.found is not None

    def __str__(self) -> str:
        verdict = "caught" if self.caught else "MISSED"
        return f"{verdict}  {self.where}  {self.name}: {self.found or 'no check noticed'}"


def run_faults(names: Sequence[str] = (), where: str = "both") -> Iterator[Outcome]:
    """Seed the faults of these names, all where none is given. where: verilog, python or both."""
    lists = {"verilog": VERILOG, "python": (*PYTHON, *PORTABLE)}
    chosen = {kind: faults for kind, faults in lists.items() if where in (kind, "both")}
    known = {fault.name for faults in chosen.values() for fault in faults}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise WccsimError(f"there is no fault {unknown[0]!r}; faults: {', '.join(sorted(known))}")
    wanted = {k: [f for f in faults if not names or f.name in names] for k, faults in chosen.items()}
    if wanted.get("verilog"):
        yield from _verilog_faults(wanted["verilog"])
    if wanted.get("python"):
        yield from _python_faults(wanted["python"])


def seeded(fault: Fault, text: str) -> str:
    """`text` with the fault in it; WccsimError where an edit does not apply exactly once."""
    for old, new in fault.edits:
        if text.count(old) != 1:
            raise WccsimError(
                f"fault {fault.name}: {old!r} stands {text.count(old)} times in {fault.file}, not once"
            )
        text = text.replace(old, new)
    return text


def _verilog_faults(faults: Sequence[Fault]) -> Iterator[Outcome]:
    need("iverilog", "vvp")
    with build_folder() as work:
        sets: dict[str, Path] = {}
        for fault in faults:
            sources = _copy_with(fault, work / "verilog")
            found = None
            for name in fault.cases:
                if name not in sets:
                    sets[name] = _exported(name, work)
                found = found or _seen(sets[name], sources)
            yield Outcome("verilog", fault.name, found)


def _exported(name: str, work: Path) -> Path:
    case = case_of(name)
    plan, x = build(case)
    write_set(plan, x, work / name, p_lanes=case.p_lanes, q_lanes=case.q_lanes, source={"case": name})
    return work / name


def _copy_with(fault: Fault, folder: Path) -> list[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for source in rtl_sources():
        text = source.read_text(encoding="utf-8")
        (folder / source.name).write_text(
            seeded(fault, text) if source.name == fault.file else text, encoding="utf-8"
        )
    return sorted(folder.iterdir())


def _seen(folder: Path, sources: Sequence[Path]) -> str | None:
    try:
        first = simulate(folder, "icarus", sources=sources, timeout=RUN_SECONDS).first_divergence
    except WccsimError as problem:
        if "failed" in str(problem):  # Verilog that does not compile would prove nothing
            raise
        return f"{folder.name}: {problem}"
    return f"{folder.name}: {first}" if first else None


def _python_faults(faults: Sequence[Fault]) -> Iterator[Outcome]:
    with build_folder() as work:
        shutil.copytree(PACKAGE, work / "wccsim", ignore=shutil.ignore_patterns("__pycache__", "data"))
        for fault in faults:
            seeded(fault, (PACKAGE / fault.file).read_text(encoding="utf-8"))
        (work / "faults.json").write_text(json.dumps([asdict(fault) for fault in faults]), encoding="utf-8")
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "WCCSIM_THREADS": "1", "PYTHONPATH": str(work)}
        command = [sys.executable, "-m", "wccsim.rtl.fault_driver", str(work)]
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            count = 0
            for line in process.stdout:
                found = json.loads(line)
                count += 1
                yield Outcome("python", found["name"], found["found"])
            _, errors = process.communicate()
        finally:
            stop_group(process)
        if count != len(faults):
            raise WccsimError(f"the child process ended early: {errors.strip().splitlines()[-1:]}")
