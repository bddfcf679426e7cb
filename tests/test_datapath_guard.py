"""No fast path touches a byte outside its arrays: each ends where the process may not read or write on.

Named instructions are not seen by numba's bounds checking. Here the map, the output and every scratch
array end right before a page that nobody may touch: a block too far ends the process it runs in.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="guard pages are asked of Linux here")

PROGRAM = """
import ctypes, mmap, sys
sys.path.insert(0, sys.argv[2])
import numpy as np
from fractions import Fraction
from fast_paths import layer
from wccsim.datapath import engine, fused

libc = ctypes.CDLL(None, use_errno=True)
held = []

def guarded(dtype, shape):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    held.append(memory)
    whole = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(whole.ctypes.data + pages * mmap.PAGESIZE)
    assert libc.mprotect(guard, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0, ctypes.get_errno()
    end = pages * mmap.PAGESIZE
    return whole[end - size : end].view(dtype).reshape(shape)

def run(name, case):
    plan = case.plan()
    unsigned = case.x.dtype.kind == "u"
    x = guarded(case.x.dtype, case.x.shape)
    x[:] = case.x
    out = guarded(np.uint8 if plan.parameters.out_unsigned else np.int8, (plan.out_channels, *x.shape[1:]))
    choice = engine.choose(plan, False, name, unsigned=unsigned)
    if choice.name != name:
        return 0
    choice.run(plan, x, out, False, fused.Workspace())
    np.testing.assert_array_equal(out, case.run(path="plain").out)
    return 1

fused.aligned = guarded
print(sum(
    run(sys.argv[1], layer(shape, outputs, unsigned=unsigned, relu=unsigned, out_unsigned=unsigned,
                           keep=keep, levels=levels))
    for shape in [(1, 1, 1), (3, 9, 4), (5, 19, 33), (4, 16, 64), (35, 24, 130), (66, 40, 257)]
    for outputs in (1, 33)
    for unsigned in (False, True)
    for keep in (Fraction(1, 3), Fraction(1))
    for levels in (1, 3)
), "layers")
"""


@pytest.mark.parametrize("path", ["matrix", "vector", "portable"])
def test_nothing_is_touched_behind_the_end_of_an_array(path):
    command = [sys.executable, "-c", PROGRAM, path, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-800:]}"
    if done.stdout.startswith("0 "):
        pytest.skip(f"{path} path not run here")
    assert int(done.stdout.split()[0]) > 40


def test_the_guard_ends_a_process_that_reads_on():
    """The test above can fail."""
    reads = PROGRAM.split("def run")[0] + (
        "a = guarded(np.int8, (100,))\n"
        "print(ctypes.string_at(a.ctypes.data, 100) == bytes(100), flush=True)\n"
        "ctypes.string_at(a.ctypes.data, 101)\n"
    )
    command = [sys.executable, "-c", reads, "vector", str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "True\n"
    assert done.returncode < 0
