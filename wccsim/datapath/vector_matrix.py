# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The MAC array of the vector path in AMX tiles, where processor and system allow them.

A tile register holds 16 rows of 64 bytes. `tdpbssd` adds, to 16 x 16 sums, the products of 16 output channels
and 16 positions over 64 input channels: rows of weights against rows of a panel, which hold four channels of
each position, as they lie in memory. Four registers of sums, two of weights and two of a panel make ROWS
channels by one group of positions; R2 takes the sums from memory.

The tile registers belong to a thread: `configure` names their shapes before, `release` frees them after.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import binding, ir
from numba import njit
from numba.core import cgutils

from wccsim.datapath.lanes import Array, Code, kernel
from wccsim.datapath.vector_gather import GROUP
from wccsim.datapath.vector_product import LANES, NUMBERS, PARTS, positions, requantised

NEEDED = ("amx-tile", "amx-int8")
ROWS = 32  # output channels of a tile
SIDE = 16  # rows of a tile register
FOURS = 16  # words of four channels in a row of a tile register
ROW_BYTES = 64
_BYTE, _INDEX = ir.IntType(8), ir.IntType(64)
_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA = 158, 0x1023, 18


def _features_missing() -> list[str]:
    features = binding.get_host_cpu_features()
    return [name for name in NEEDED if not features.get(name)]


@lru_cache(maxsize=1)
def missing() -> str | None:
    """What processor or system lacks for AMX tiles; None: nothing. Linux grants them to who asks."""
    absent = _features_missing()
    if absent:
        return f"this processor has no {', '.join(absent)}"
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "AMX is asked of Linux on x86_64 only"
    refused = ctypes.CDLL(None).syscall(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA)
    return "the system does not grant AMX" if refused else None


def pack_weights(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Weights int8 [Cout, C], zeros added to whole tiles, row by row: int32 words of four, flat."""
    rows, channels = weights.shape
    full = np.zeros((-(-rows // ROWS) * ROWS, -(-channels // ROW_BYTES) * ROW_BYTES), np.int8)
    full[:rows, :channels] = weights
    return full.view(np.int32).reshape(-1)


def tile_shapes() -> npt.NDArray[np.uint8]:
    """What `configure` loads: palette 1, all eight registers SIDE rows of ROW_BYTES."""
    shapes = np.zeros(64, np.uint8)
    shapes[0] = 1
    shapes[16:32].view(np.uint16)[:] = ROW_BYTES
    shapes[48:56] = SIDE
    return shapes


def _instruct(code: Code, name: str, *operands: Any) -> None:
    """Emit an AMX instruction; nothing where the processor has none, since it could not even be compiled."""
    if not _features_missing():
        kinds = [operand.type for operand in operands]
        function = cgutils.get_or_insert_function(
            code.builder.module, ir.FunctionType(ir.VoidType(), kinds), f"llvm.x86.{name}"
        )
        code.builder.call(function, list(operands))


def _register(number: int) -> Any:
    return ir.Constant(_BYTE, number)


def _address(code: Code, array: Array, at: Any) -> Any:
    return code.builder.bitcast(code.builder.gep(array.data, [at]), _BYTE.as_pointer())


def _configure(code, shapes):
    _instruct(code, "ldtilecfg", _address(code, shapes, code.integer(0)))


def _release(code):
    _instruct(code, "tilerelease")


def _products(code, panels, panel_at, weights, weights_at, blocks, sums):
    """sums [ROWS, GROUP]: ROWS rows of weights from weights[weights_at] against the group at
    panels[panel_at].

    blocks: rows of weights are so many times FOURS words long, and so many times FOURS rows of the panel are
    read; where the panel ends before, the weights are 0 and what is read does not matter.
    """
    builder = code.builder
    weight_step = code.times(blocks, ROW_BYTES)
    panel_step = ir.Constant(_INDEX, GROUP * 4)
    for register in range(4):
        _instruct(code, "tilezero", _register(register))
    with cgutils.for_range(builder, blocks) as loop:
        here = builder.add(weights_at, code.times(loop.index, FOURS))
        below = builder.add(here, code.times(blocks, FOURS * SIDE))
        place = builder.add(panel_at, code.times(loop.index, FOURS * GROUP))
        for register, at in ((4, here), (5, below)):
            _instruct(code, "tileloadd64", _register(register), _address(code, weights, at), weight_step)
        for part in range(PARTS):
            at = code.plus(place, part * LANES)
            _instruct(code, "tileloadd64", _register(6 + part), _address(code, panels, at), panel_step)
        for register in range(4):
            half, part = divmod(register, 2)
            _instruct(code, "tdpbssd", _register(register), _register(4 + half), _register(6 + part))
    for register in range(4):
        half, part = divmod(register, 2)
        at = code.integer(half * SIDE * GROUP + part * LANES)
        _instruct(code, "tilestored64", _register(register), _address(code, sums, at), panel_step)


def _finish(code, sums, table, row, raised, limit, ups, reliefs, j, y, slots):
    """R2 of the sums of ROWS channels from `row` on and the group at position j, to y[r * slots + j]."""
    builder = code.builder
    at = positions(code, limit, raised, ups, reliefs, j)
    with cgutils.for_range(builder, ir.Constant(_INDEX, ROWS)) as loop:
        own = code.times(loop.index, GROUP)
        totals = [code.load(sums, code.plus(own, part * LANES), 32) for part in range(PARTS)]
        entry = code.times(builder.add(row, loop.index), NUMBERS)
        to = builder.add(j, builder.mul(slots, loop.index))
        for part, words in enumerate(requantised(code, totals, table, entry, at)):
            code.store(words, y, code.plus(to, part * LANES))


configure, release = kernel(_configure), kernel(_release)
products, finish = kernel(_products), kernel(_finish)


@njit(cache=True)
def _multiply_matrix(panels, fours, count, weights, table, row, raised, limit, ups, reliefs, sums, y, slots):
    """MAC array and R2 of ROWS output channels from `row` on: y int32 [ROWS][slots], flat; whole groups."""
    blocks = (fours + FOURS - 1) // FOURS
    for j in range(0, count, GROUP):
        products(panels, j * fours, weights, row * blocks * FOURS, blocks, sums)
        finish(sums, table, row, raised, limit, ups, reliefs, j, y, slots)
