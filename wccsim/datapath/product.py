"""The multiply-accumulate tile of the fast paths, written as LLVM vector code.

Numba's vectoriser turns a sum of int16 products into 32-bit multiplies, at a tenth of what the
processor can do. This tile names the operation instead: `multiply pairs of int16 and add` (pmaddwd
on x86, which LLVM joins with the addition to vpdpwssd where it exists). A processor without AVX2,
or of another family, gets the same arithmetic from plain vector instructions.

Operands. A panel holds PANEL positions: for each pair of channels, PANEL words, each of two int16
(channel 2p low, 2p + 1 high). Weights are packed alike: for each pair of channels, ROWS words.
Exact: |product pair| <= 2 * 2**14, and the sum over channels fits int32 (checked by the plan).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

PANEL = 32
LANES = 8
FEATURES = {name for name, present in binding.get_host_cpu_features().items() if present}
HAS_PMADDWD = "avx2" in FEATURES
# ROWS x PANEL / LANES accumulators stay in registers: 16 of 32 with AVX-512VL, 8 of 16 without.
ROWS = 4 if "avx512vl" in FEATURES else 2
LITTLE_ENDIAN = sys.byteorder == "little"  # words are read as pairs of smaller words

_I32 = ir.IntType(32)
_PAIRS = ir.VectorType(ir.IntType(16), 2 * LANES)
_SUMS = ir.VectorType(_I32, LANES)


def pack_weights(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Weights int8 [Cout, C] as the tile reads them: int32 [ceil(Cout/ROWS)][ceil(C/2)][ROWS], flat."""
    rows, channels = weights.shape
    blocks, pairs = -(-rows // ROWS), -(-channels // 2)
    full = np.zeros((blocks * ROWS, pairs * 2), np.int16)
    full[:rows, :channels] = weights
    words = full.view(np.int32).reshape(blocks, ROWS, pairs)
    return np.ascontiguousarray(words.transpose(0, 2, 1)).reshape(-1)


def _multiply_pairs(builder: Any, left: Any, right: Any) -> Any:
    """Lane i: left[2i] * right[2i] + left[2i+1] * right[2i+1]."""
    if HAS_PMADDWD:
        kind = ir.FunctionType(_SUMS, [_PAIRS, _PAIRS])
        pmaddwd = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.wd")
        return builder.call(pmaddwd, [left, right])
    products = []
    for first in (0, 1):
        pick = ir.Constant(_SUMS, [2 * i + first for i in range(LANES)])
        halves = [builder.sext(builder.shuffle_vector(v, v, pick), _SUMS) for v in (left, right)]
        products.append(builder.mul(*halves))
    return builder.add(*products)


def _load(builder: Any, pointer: Any) -> Any:
    value = builder.load(pointer)
    value.align = 4  # arrays of int32 promise no more
    return value


@intrinsic
def mac_tile(
    typing_context: Any, panels: Any, panel_at: Any, weights: Any, weights_at: Any, sums: Any, pairs: Any
) -> Any:
    """sums[r, j] = sum over p of weights[p, r] . panel[p, j], for ROWS rows and PANEL positions.

    Flat int32 arrays: the panel [pairs, PANEL] starts at panels[panel_at], the weights [pairs, ROWS] at
    weights[weights_at], sums is [ROWS, PANEL].
    """
    signature = types.void(panels, panel_at, weights, weights_at, sums, pairs)
    parts = PANEL // LANES

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index = args[5].type

        def start(array: int, offset: Any) -> Any:
            kind = context.make_array(signature.args[array])
            return builder.gep(kind(context, builder, args[array]).data, [offset])

        zero = ir.Constant(index, 0)
        panel_start = builder.bitcast(start(0, args[1]), _PAIRS.as_pointer())
        weights_start = start(2, args[3])
        sums_start = builder.bitcast(start(4, zero), _SUMS.as_pointer())
        none = ir.Constant(_SUMS, [0] * LANES)
        held = [[cgutils.alloca_once(builder, _SUMS) for _ in range(parts)] for _ in range(ROWS)]
        for cell in (cell for row in held for cell in row):
            builder.store(none, cell)
        with cgutils.for_range(builder, args[5]) as loop:

            def load(pointer: Any, width: int, offset: int) -> Any:
                base = builder.mul(loop.index, ir.Constant(index, width))
                return _load(builder, builder.gep(pointer, [builder.add(base, ir.Constant(index, offset))]))

            values = [load(panel_start, parts, part) for part in range(parts)]
            for row in range(ROWS):
                word = load(weights_start, ROWS, row)
                single = builder.insert_element(ir.Constant(_SUMS, ir.Undefined), word, ir.Constant(_I32, 0))
                spread = builder.bitcast(builder.shuffle_vector(single, single, none), _PAIRS)
                for part in range(parts):
                    cell = held[row][part]
                    product = _multiply_pairs(builder, values[part], spread)
                    builder.store(builder.add(builder.load(cell), product), cell)
        for row in range(ROWS):
            for part in range(parts):
                place = builder.gep(sums_start, [ir.Constant(index, row * parts + part)])
                builder.store(builder.load(held[row][part]), place).align = 4
        return context.get_dummy_value()

    return signature, codegen
