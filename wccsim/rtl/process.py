"""Running a foreign tool: found or named with the command that installs it, never left running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wccsim.errors import WccsimError

RTL = Path(__file__).parent
PACKAGES = {
    "iverilog": "iverilog",
    "vvp": "iverilog",
    "verilator": "verilator",
    "yosys": "yosys",
    "g++": "g++",
}
TIMEOUT_SECONDS = 600.0


def rtl_sources() -> list[Path]:
    """The synthesizable Verilog, sorted by name."""
    return sorted(RTL.glob("*.v"))


def missing(*tools: str) -> str | None:
    """One line naming the tools that are not on PATH and how to install them, or None."""
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if not absent:
        return None
    packages = " ".join(dict.fromkeys(PACKAGES[tool] for tool in absent))
    return f"{', '.join(absent)} not found on PATH; install with: sudo apt-get install {packages}"


def need(*tools: str) -> None:
    """WccsimError with the installing command where a tool is missing."""
    absent = missing(*tools)
    if absent:
        raise WccsimError(absent)


@contextmanager
def build_folder() -> Iterator[Path]:
    """A temporary folder, removed however the block ends."""
    try:
        folder = tempfile.mkdtemp(prefix="wccsim-rtl-")
    except OSError as problem:
        raise WccsimError(f"cannot make a build folder: {problem.strerror}") from None
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_tool(command: Sequence[str | Path], folder: Path, timeout: float = TIMEOUT_SECONDS) -> str:
    """Standard output and error of `command`, run in `folder` in a process group of its own.

    The whole group is killed on a timeout, an interruption or any other error, so that no simulator
    outlives the call. Raises WccsimError where the tool fails, with its first line that says why.
    """
    words = [str(word) for word in command]
    name = Path(words[0]).name
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as problem:
        raise WccsimError(f"cannot start {name}: {problem.strerror}") from None
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise WccsimError(f"{name} took more than {timeout:g} s and was stopped") from None
    finally:
        if process.returncode is None:
            stop_group(process)
    if process.returncode:
        raise WccsimError(f"{name} failed ({process.returncode}): {_reason(output)}")
    return output


def stop_group(process: subprocess.Popen[str]) -> None:
    """End a process started in its own group, and everything it started, if it still runs."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    return (telling or lines or ["it said nothing"])[0][:300]
