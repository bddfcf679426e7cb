"""The three operations that the vector path names itself, as AVX-512 instructions in LLVM code.

`compress` (vpcompressw): of 32 words, those whose mask bit is set, side by side: the gather of kept words.
`expand` (vpexpandw): its inverse, zeros elsewhere: the zero-fill.
`dot_tile` (vpdpbusd): ROWS x PANEL sums, each lane adding four products of an unsigned and a signed byte.

An instruction that the processor lacks ends the process while it is compiled, so that nothing here may be
compiled before `missing()` has returned None. It looks at the processor's features and asks LLVM's own
checker, which raises instead of aborting, which form of vpdpbusd it takes: bytes (LLVM 22) or words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

NEEDED = ("avx512bw", "avx512vbmi2", "avx512vnni")
BLOCK = 32  # words of 16 bits in a register
LANES = 16  # sums of 32 bits in a register
PARTS = 3  # registers of a panel
PANEL = LANES * PARTS
ROWS = 8  # ROWS * PARTS = 24 of the 32 registers hold sums

_I16, _I32 = ir.IntType(16), ir.IntType(32)
_WORDS = ir.VectorType(_I16, BLOCK)
_MASK = ir.VectorType(ir.IntType(1), BLOCK)
_SUMS = ir.VectorType(_I32, LANES)
_BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)
_DOT = "llvm.x86.avx512.vpdpbusd.512"


@lru_cache(maxsize=1)
def missing() -> str | None:
    """What the processor or LLVM lacks for the vector path; None: nothing."""
    features = binding.get_host_cpu_features()
    absent = [name for name in NEEDED if not features.get(name)]
    if absent:
        return f"this processor has no {', '.join(absent)}"
    return None if dot_operand() else "this LLVM takes no known form of vpdpbusd"


@lru_cache(maxsize=1)
def dot_operand() -> str:
    """The operand type of vpdpbusd that this LLVM accepts, "" for none."""
    for kind in ("<64 x i8>", "<16 x i32>"):
        text = (
            f"declare <16 x i32> @{_DOT}(<16 x i32>, {kind}, {kind})\n"
            f"define <16 x i32> @f(<16 x i32> %s, {kind} %a, {kind} %b) {{\n"
            f"  %r = call <16 x i32> @{_DOT}(<16 x i32> %s, {kind} %a, {kind} %b)\n"
            "  ret <16 x i32> %r\n}\n"
        )
        try:
            module = binding.parse_assembly(text)
            module.verify()
        except RuntimeError:
            continue
        # An old form that LLVM rewrites to the new one is not what it wants to be given.
        if f"(<16 x i32>, {kind}, {kind})" in str(module):
            return kind
    return ""


def pack_weights(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Weights int8 [Cout, C] as the tile reads them: int32 [blocks][1 + ceil(C/4)][ROWS], flat.

    The first ROWS words of a block are where its sums start: -128 times the sum of a row, because the
    panel holds q + 128. Then, for every four channels, ROWS words of four weights.
    """
    rows, channels = weights.shape
    blocks, fours = -(-rows // ROWS), -(-channels // 4)
    full = np.zeros((blocks * ROWS, fours * 4), np.int8)
    full[:rows, :channels] = weights
    words = full.view(np.int32).reshape(blocks, ROWS, fours).transpose(0, 2, 1)
    start = (-128 * full.astype(np.int32).sum(axis=1, dtype=np.int32)).reshape(blocks, 1, ROWS)
    return np.ascontiguousarray(np.concatenate([start, words], axis=1)).reshape(-1)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any, vector: Any) -> Any:
    """The address of array[offset] as a pointer to vectors."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())


def _load(builder: Any, pointer: Any, align: int) -> Any:
    value = builder.load(pointer)
    value.align = align  # arrays promise no more than their elements' own
    return value


def _masked(name: str) -> Any:
    """An intrinsic that moves one block of 16-bit words under a mask by the named instruction."""

    @intrinsic
    def move(typing_context: Any, source: Any, source_at: Any, mask: Any, target: Any, target_at: Any) -> Any:
        signature = types.void(source, source_at, mask, target, target_at)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_WORDS, [_WORDS, _WORDS, _MASK]), name
            )
            read = _pointer(context, builder, signature.args[0], args[0], args[1], _WORDS)
            write = _pointer(context, builder, signature.args[3], args[3], args[4], _WORDS)
            none = ir.Constant(_WORDS, [0] * BLOCK)
            bits = builder.bitcast(args[2], _MASK)
            builder.store(builder.call(function, [_load(builder, read, 2), none, bits]), write).align = 2
            return context.get_dummy_value()

        return signature, codegen

    return move


# Both read and write a whole block: the arrays need BLOCK words of room behind the last one.
compress = _masked("llvm.x86.avx512.mask.compress.v32i16")
expand = _masked("llvm.x86.avx512.mask.expand.v32i16")


@intrinsic
def dot_tile(
    typing_context: Any, panels: Any, panel_at: Any, weights: Any, weights_at: Any, sums: Any, fours: Any
) -> Any:
    """sums[r, j] = weights[start, r] + sum over p of weights[p, r] . panel[p, j]: ROWS rows, PANEL positions.

    Flat int32 arrays of four bytes a word: the panel [fours, PANEL], unsigned, starts at panels[panel_at];
    the block of `pack_weights` at weights[weights_at]; sums is [ROWS, PANEL].
    """
    signature = types.void(panels, panel_at, weights, weights_at, sums, fours)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index, operand = args[5].type, _BYTES if dot_operand() == "<64 x i8>" else _SUMS
        kind = ir.FunctionType(_SUMS, [_SUMS, operand, operand])
        dot = cgutils.get_or_insert_function(builder.module, kind, _DOT)
        panel_start = _pointer(context, builder, signature.args[0], args[0], args[1], operand)
        sums_start = _pointer(context, builder, signature.args[4], args[4], ir.Constant(index, 0), _SUMS)
        weights_start = _pointer(context, builder, signature.args[2], args[2], args[3], _I32)

        def spread(place: Any) -> Any:
            word = _load(builder, builder.gep(weights_start, [place]), 4)
            single = builder.insert_element(ir.Constant(_SUMS, ir.Undefined), word, ir.Constant(_I32, 0))
            return builder.shuffle_vector(single, single, ir.Constant(_SUMS, [0] * LANES))

        held = [[cgutils.alloca_once(builder, _SUMS) for _ in range(PARTS)] for _ in range(ROWS)]
        for row, cells in enumerate(held):
            start = spread(ir.Constant(index, row))
            for cell in cells:
                builder.store(start, cell)
        with cgutils.for_range(builder, args[5]) as loop:

            def at(width: int, offset: int) -> Any:
                return builder.add(
                    builder.mul(loop.index, ir.Constant(index, width)), ir.Constant(index, offset)
                )

            values = [_load(builder, builder.gep(panel_start, [at(PARTS, n)]), 4) for n in range(PARTS)]
            for row, cells in enumerate(held):
                weight = builder.bitcast(spread(at(ROWS, ROWS + row)), operand)
                for value, cell in zip(values, cells, strict=True):
                    builder.store(builder.call(dot, [builder.load(cell), value, weight]), cell)
        for row, cells in enumerate(held):
            for part, cell in enumerate(cells):
                place = builder.gep(sums_start, [ir.Constant(index, row * PARTS + part)])
                builder.store(builder.load(cell), place).align = 4
        return context.get_dummy_value()

    return signature, codegen
