"""Start-up of the main job against importing its three libraries: prints the medians and their ratio.

    python benchmarks/startup.py [--runs 15]

Both commands run in turn, so that a busy machine slows both alike. The goal is a ratio of at most 3.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOAL = 3.0


def main() -> None:
    """Time both commands and print one line each, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    installed = Path(sys.executable).with_name("wccsim")
    start = [str(installed)] if installed.exists() else [sys.executable, str(ROOT / "cli.py")]
    commands = {
        "wccsim bops mobilenetv2.yaml": [*start, "bops", "mobilenetv2.yaml"],
        'python -c "import click, yaml, numpy"': [sys.executable, "-c", "import click, yaml, numpy"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(runs + 1):
        for name, command in commands.items():
            taken = timed(command)
            if run:  # the first round fills the caches
                seconds[name].append(taken)
    medians = [statistics.median(times) for times in seconds.values()]
    for name, median in zip(seconds, medians, strict=True):
        spread = f"{min(seconds[name]) * 1000:.0f} to {max(seconds[name]) * 1000:.0f}"
        print(f"{median * 1000:7.0f} ms  ({spread}, {runs} runs)  {name}")
    print(f"ratio {medians[0] / medians[1]:.2f} (goal: at most {GOAL})")


def timed(command: list[str]) -> float:
    """Wall time of one run, output discarded; an error ends the benchmark."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
