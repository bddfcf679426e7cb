"""Ctrl-C in a parallel run, for real: one line, exit code 130, nobody left behind, and nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from test_compare_parts import natural_map

from wccsim.compare.parallel import finished
from wccsim.errors import WccsimError

posix = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
CODECS = "uniform,wcc,wcc+rice,rice,deflate"
# The command with a small part in place of the default one: the same code, in seconds.
REPORT = """
import sys
from pathlib import Path
from wccsim.cli import main
from wccsim.report import build
maps = tuple(sorted(Path(sys.argv[1]).glob("*.npz")))
build.default_part = lambda _: build.Part("made", maps, tuple({codecs!r}.split(",")), "made maps", (2.0, 4.0))
main(["report", "--part", "default", "--jobs", "2", "--folder", sys.argv[2]])
"""


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    for number in range(4):
        x = natural_map((16, 112, 120), seed=number)
        np.savez(folder / f"map{number}_op00{number}.npz", x=x, x_scale=np.float32(1))
    return folder


def command_of(kind: str, maps: Path, out: Path) -> tuple[list[str], Path, Path]:
    """(command, where results wait, the folder of what it writes)."""
    out.mkdir(exist_ok=True)
    if kind == "compare":
        rest = [str(maps), "--bits", "2,4", "--codecs", CODECS, "--jobs", "2", "--csv", str(out / "out.csv")]
        return [sys.executable, "-m", "wccsim", "compare", *rest], out / "out.csv.partial.jsonl", out
    script = REPORT.format(codecs=CODECS)
    waiting = out / "compare" / "made.partial.jsonl"
    return [sys.executable, "-c", script, str(maps), str(out)], waiting, out / "compare" / "made"


@pytest.fixture(scope="module")
def straight(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """What an undisturbed run of a command writes."""

    @cache
    def files(kind: str) -> dict[str, bytes]:
        command, _, folder = command_of(kind, maps, tmp_path_factory.mktemp("straight"))
        subprocess.run(command, check=True, capture_output=True)
        return written(folder)

    return files


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def interrupted(command: list[str], waiting: Path, whole_group: bool) -> subprocess.Popen[str]:
    """The command, run until two results wait on disk, then interrupted, then waited for."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not waiting.is_file() or waiting.read_bytes().count(b"\n") < 2:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.005)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    return process


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@posix
@pytest.mark.parametrize("whole_group", [True, False], ids=["everyone", "the parent only"])
@pytest.mark.parametrize("kind", ["compare", "report"])
def test_an_interrupted_run_ends_at_once_and_resumes(
    kind: str,
    whole_group: bool,
    maps: Path,
    straight: Callable[[str], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    if kind == "report":
        pytest.importorskip("matplotlib", reason="the report draws figures (extra plot)")
    command, waiting, folder = command_of(kind, maps, tmp_path / "interrupted")
    process = interrupted(command, waiting, whole_group)
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, said, complained.strip()) == (130, "", "wccsim: interrupted")
    deadline = time.monotonic() + 10
    while alive(process.pid):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)
    lines = waiting.read_text(encoding="utf-8").splitlines()
    total = 4 * (3 * 2 + 2 * 3)  # maps, (lossy, lossless) codecs at two rates and their natural size
    assert 2 <= len(lines) < total and all("key" in json.loads(line) for line in lines)
    assert not (folder / "out.csv").exists() and not (folder / "comparison.csv").exists()

    subprocess.run(command, check=True, capture_output=True)
    assert written(folder) == straight(kind) and not waiting.exists()


def dies_on_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number * number


def test_results_come_with_their_items_on_any_number_of_processes() -> None:
    for jobs in (1, 2):
        assert sorted(finished(abs, range(-4, 1), jobs)) == [(n, -n) for n in range(-4, 1)]


def test_a_process_that_dies_is_one_line_and_not_a_traceback() -> None:
    with pytest.raises(WccsimError, match="ended without a result"):
        list(finished(dies_on_three, range(5), 2))
