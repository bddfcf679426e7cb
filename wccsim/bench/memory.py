"""Peak memory of one layer, measured in a process of its own, where nothing was freed before."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np

from wccsim.bench.inputs import Job, job
from wccsim.bench.timing import peak_bytes
from wccsim.datapath.engine import choose
from wccsim.parameters import WccParameters


def peak_of(one: Job) -> int | None:
    """Input, output and scratch of one call with new arrays, bytes; None where it cannot be measured."""
    p = one.plan
    settings = [p.channels, p.out_channels, p.height, p.width, p.parameters.levels, str(p.parameters.keep)]
    command = [sys.executable, "-m", "wccsim.bench.memory", json.dumps(settings)]
    finished = subprocess.run(command, capture_output=True, text=True)
    return int(finished.stdout) if finished.returncode == 0 and finished.stdout.strip() else None


def _measure(channels: int, outputs: int, height: int, width: int, levels: int, keep: str) -> int | None:
    parameters = WccParameters(keep=Fraction(keep), levels=levels, bias=True)

    def call(one: Job) -> None:
        p = one.plan
        out = np.empty((p.out_channels, p.height, p.width), np.int8)
        choose(p, False).run(p, one.x, out, False, None)

    side = 1 << levels
    call(job("small", (1, 2 * side, 2 * side), 1, parameters, seed=0))  # the kernels are loaded
    one = job("measured", (channels, height, width), outputs, parameters, seed=0)
    added = peak_bytes(lambda: call(one))
    return None if added is None else added + one.x.nbytes


if __name__ == "__main__":
    print(_measure(*json.loads(sys.argv[1])) or "")
