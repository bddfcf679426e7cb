"""Vector code by name: AVX-512 registers as Python values, and `kernel`, which makes numba functions of them.

A numba loop is compiled to scalars or to half-width registers wherever the compiler does not see the
pattern. The vector path therefore writes its inner blocks itself: a function takes a `Code` and its
arguments, computes with `Vector` values (a register of 512 bits, cut into lanes) through operators and
named instructions, and `kernel` turns it into a function that numba code calls. Lanes are signed
integers; every operator wraps, every instruction that saturates says so in its name.

An instruction that the processor lacks ends the process while it is compiled, so nothing built with
`kernel` may be compiled before `missing()` has returned None. It looks at the processor's features, and asks
LLVM's own checker, which raises instead of aborting, which form of the VNNI instructions it takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

NEEDED = ("avx512bw", "avx512cd", "avx512vbmi", "avx512vbmi2", "avx512vnni")
REGISTER_BITS = 512
_DOT_BYTES, _DOT_WORDS = "llvm.x86.avx512.vpdpbusd.512", "llvm.x86.avx512.vpdpwssd.512"


@lru_cache(maxsize=1)
def missing() -> str | None:
    """What the processor or LLVM lacks for the vector path; None: nothing."""
    features = binding.get_host_cpu_features()
    absent = [name for name in NEEDED if not features.get(name)]
    if absent:
        return f"this processor has no {', '.join(absent)}"
    known = dot_operand_bits(_DOT_BYTES, 8) and dot_operand_bits(_DOT_WORDS, 16)
    return None if known else "this LLVM takes no known form of vpdpbusd and vpdpwssd"


@lru_cache
def dot_operand_bits(instruction: str, lane_bits: int) -> int:
    """Lane width of the operands that this LLVM takes: `lane_bits` (LLVM 22) or 32 (older); 0: neither."""
    for bits in (lane_bits, 32):
        kind = f"<{REGISTER_BITS // bits} x i{bits}>"
        text = (
            f"declare <16 x i32> @{instruction}(<16 x i32>, {kind}, {kind})\n"
            f"define <16 x i32> @f(<16 x i32> %s, {kind} %a, {kind} %b) {{\n"
            f"  %r = call <16 x i32> @{instruction}(<16 x i32> %s, {kind} %a, {kind} %b)\n"
            "  ret <16 x i32> %r\n}\n"
        )
        try:
            module = binding.parse_assembly(text)
            module.verify()
        except RuntimeError:
            continue
        # An old form that LLVM rewrites to the new one is not what it wants to be given.
        if f"(<16 x i32>, {kind}, {kind})" in str(module):
            return bits
    return 0


def _kind(bits: int) -> ir.VectorType:
    return ir.VectorType(ir.IntType(bits), REGISTER_BITS // bits)


@dataclass(frozen=True, slots=True)
class Vector:
    """A register in the code being written; `bits` is the width of a lane."""

    code: Code
    value: Any
    bits: int

    @property
    def lanes(self) -> int:
        return REGISTER_BITS // self.bits

    def _join(self, name: str, other: Vector) -> Vector:
        return Vector(self.code, getattr(self.code.builder, name)(self.value, other.value), self.bits)

    def __add__(self, other: Vector) -> Vector:
        return self._join("add", other)

    def __sub__(self, other: Vector) -> Vector:
        return self._join("sub", other)

    def __or__(self, other: Vector) -> Vector:
        return self._join("or_", other)

    def __and__(self, other: Vector) -> Vector:
        return self._join("and_", other)

    def __xor__(self, other: Vector) -> Vector:
        return self._join("xor", other)

    def __lshift__(self, counts: Vector) -> Vector:
        """Lane by lane; a count is below the lane's width."""
        return self._join("shl", counts)

    def __rshift__(self, counts: Vector) -> Vector:
        """Lane by lane, the sign moves in: a floor."""
        return self._join("ashr", counts)

    def shifted_in_zeros(self, counts: Vector) -> Vector:
        """To the right, lane by lane, zeros move in."""
        return self._join("lshr", counts)

    def leading_zeros(self) -> Vector:
        """vplzcnt."""
        name, flag = f"llvm.ctlz.v{self.lanes}i{self.bits}", ir.IntType(1)
        kind = self.value.type
        function = cgutils.get_or_insert_function(
            self.code.builder.module, ir.FunctionType(kind, [kind, flag]), name
        )
        return Vector(
            self.code, self.code.builder.call(function, [self.value, ir.Constant(flag, 0)]), self.bits
        )

    def mask_equal(self, other: Vector) -> Any:
        """One bit a lane: it equals the other's."""
        found = self.code.builder.icmp_signed("==", self.value, other.value)
        return self.code.builder.bitcast(found, ir.IntType(self.lanes))

    def at_least(self, bound: Vector) -> Vector:
        """The greater of each lane and its bound."""
        below = self.code.builder.icmp_signed("<", self.value, bound.value)
        return Vector(self.code, self.code.builder.select(below, bound.value, self.value), self.bits)

    def at_most(self, bound: Vector) -> Vector:
        """The lesser of each lane and its bound."""
        above = self.code.builder.icmp_signed(">", self.value, bound.value)
        return Vector(self.code, self.code.builder.select(above, bound.value, self.value), self.bits)

    def mask_at_least(self, bound: Vector) -> Any:
        """One bit a lane: it reaches its bound."""
        found = self.code.builder.icmp_signed(">=", self.value, bound.value)
        return self.code.builder.bitcast(found, ir.IntType(self.lanes))

    def seen_as(self, bits: int) -> Vector:
        """The same 512 bits in lanes of another width."""
        return Vector(self.code, self.code.builder.bitcast(self.value, _kind(bits)), bits)

    def picked(self, other: Vector, places: Sequence[int]) -> Vector:
        """Lane i is lane places[i] of this register and the other, side by side."""
        picks = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), list(places))
        return Vector(self.code, self.code.builder.shuffle_vector(self.value, other.value, picks), self.bits)

    def interleaved(self, other: Vector) -> tuple[Vector, Vector]:
        """vpunpckl/vpunpckh: in each 128 bits, the low (the high) half of both, lane beside lane."""
        each = 128 // self.bits
        halves = []
        for half in (0, each // 2):
            places = [
                group + half + i // 2 + i % 2 * self.lanes
                for group in range(0, self.lanes, each)
                for i in range(each)
            ]
            halves.append(self.picked(other, places))
        return halves[0], halves[1]

    def widened_unsigned(self, bits: int) -> list[Vector]:
        """The lanes, without a sign, as lanes of `bits`: as many registers as they fill, in order."""
        builder, parts = self.code.builder, bits // self.bits
        each = self.lanes // parts
        found = []
        for part in range(parts):
            places = ir.Constant(
                ir.VectorType(ir.IntType(32), each), list(range(part * each, part * each + each))
            )
            piece = builder.shuffle_vector(self.value, self.value, places)
            found.append(Vector(self.code, builder.zext(piece, _kind(bits)), bits))
        return found


@dataclass(frozen=True, slots=True)
class Array:
    """An argument that is a contiguous numpy array: the address of its first element."""

    data: Any


@dataclass(frozen=True, slots=True)
class Code:
    """What writes the instructions of one kernel."""

    builder: Any

    # scalars and constants -----------------------------------------------------------------

    def spread(self, scalar: Any, bits: int) -> Vector:
        """A scalar of `bits` or more in every lane."""
        lanes = REGISTER_BITS // bits
        if scalar.type.width != bits:
            scalar = self.builder.trunc(scalar, ir.IntType(bits))
        one = self.builder.insert_element(
            ir.Constant(_kind(bits), ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return Vector(self, self.builder.shuffle_vector(one, one, zeros), bits)

    def constant(self, bits: int, lanes: Sequence[int] | int) -> Vector:
        """A list of lanes, repeated to fill the register, or the same number in all of them."""
        given = [lanes] if isinstance(lanes, int) else list(lanes)
        count = REGISTER_BITS // bits
        return Vector(self, ir.Constant(_kind(bits), given * (count // len(given))), bits)

    def integer(self, value: int) -> Any:
        """An index."""
        return ir.Constant(ir.IntType(64), value)

    def plus(self, index: Any, more: int) -> Any:
        """An index and a number."""
        return self.builder.add(index, ir.Constant(index.type, more)) if more else index

    def times(self, index: Any, factor: int) -> Any:
        """An index times a number."""
        return self.builder.mul(index, ir.Constant(index.type, factor))

    # memory -------------------------------------------------------------------------------

    def _address(self, array: Array, at: Any, bits: int, lanes: int) -> Any:
        kind = ir.VectorType(ir.IntType(bits), lanes)
        return self.builder.bitcast(self.builder.gep(array.data, [at]), kind.as_pointer())

    def load(self, array: Array, at: Any, bits: int) -> Vector:
        """The register at array[at]; the array's elements are of `bits`."""
        value = self.builder.load(self._address(array, at, bits, REGISTER_BITS // bits))
        value.align = bits // 8  # arrays promise no more than their elements' own
        return Vector(self, value, bits)

    def store(self, vector: Vector, array: Array, at: Any) -> None:
        """All lanes to array[at:]."""
        place = self._address(array, at, vector.bits, vector.lanes)
        self.builder.store(vector.value, place).align = vector.bits // 8

    def load_where(self, mask: Any, array: Array, at: Any, bits: int) -> Vector:
        """The lanes whose mask bit is set, 0 elsewhere; nothing else is touched."""
        lanes, kind = REGISTER_BITS // bits, _kind(bits)
        flags = ir.VectorType(ir.IntType(1), lanes)
        place = self._address(array, at, bits, lanes)
        signature = ir.FunctionType(kind, [place.type, ir.IntType(32), flags, kind])
        name = f"llvm.masked.load.v{lanes}i{bits}.p0v{lanes}i{bits}"
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        none, align = ir.Constant(kind, [0] * lanes), ir.Constant(ir.IntType(32), bits // 8)
        value = self.builder.call(function, [place, align, self.builder.bitcast(mask, flags), none])
        return Vector(self, value, bits)

    def store_where(self, mask: Any, vector: Vector, array: Array, at: Any) -> None:
        """The lanes whose mask bit is set to array[at:]; nothing else is touched."""
        flags = ir.VectorType(ir.IntType(1), vector.lanes)
        place = self._address(array, at, vector.bits, vector.lanes)
        signature = ir.FunctionType(ir.VoidType(), [vector.value.type, place.type, ir.IntType(32), flags])
        name = f"llvm.masked.store.v{vector.lanes}i{vector.bits}.p0v{vector.lanes}i{vector.bits}"
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        align = ir.Constant(ir.IntType(32), vector.bits // 8)
        self.builder.call(function, [vector.value, place, align, self.builder.bitcast(mask, flags)])

    def first(self, count: Any, lanes: int) -> Any:
        """A mask with the lowest `count` of `lanes` bits set; none below 0, all above `lanes`."""
        number = count.type
        zero, all_lanes = ir.Constant(number, 0), ir.Constant(number, lanes)
        low = self.builder.select(self.builder.icmp_signed("<", count, zero), zero, count)
        full = self.builder.icmp_signed(">=", low, all_lanes)
        # A shift by the whole width is undefined: it is masked off where all bits are set.
        within = self.builder.and_(low, ir.Constant(number, 63))
        some = self.builder.sub(self.builder.shl(ir.Constant(number, 1), within), ir.Constant(number, 1))
        bits = self.builder.select(full, ir.Constant(number, -1), some)
        return self.builder.trunc(bits, ir.IntType(lanes)) if lanes < number.width else bits

    # instructions -------------------------------------------------------------------------

    def _call(self, name: str, bits: int, *operands: Any) -> Vector:
        kinds = [operand.type for operand in operands]
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(_kind(bits), kinds), name
        )
        return Vector(self, self.builder.call(function, list(operands)), bits)

    def pairs_of_bytes(self, unsigned: Vector, signed: Vector) -> Vector:
        """vpmaddubsw: lane i of 16 bits is u[2i] s[2i] + u[2i+1] s[2i+1], saturating."""
        return self._call("llvm.x86.avx512.pmaddubs.w.512", 16, unsigned.value, signed.value)

    def pairs_of_words(self, left: Vector, right: Vector) -> Vector:
        """vpmaddwd: lane i of 32 bits is l[2i] r[2i] + l[2i+1] r[2i+1]."""
        return self._call("llvm.x86.avx512.pmaddw.d.512", 32, left.value, right.value)

    def high_product(self, left: Vector, right: Vector) -> Vector:
        """vpmulhw: floor(l r / 2**16), both signed words."""
        return self._call("llvm.x86.avx512.pmulh.w.512", 16, left.value, right.value)

    def high_product_unsigned(self, left: Vector, right: Vector) -> Vector:
        """vpmulhuw: floor(l r / 2**16), both unsigned words."""
        return self._call("llvm.x86.avx512.pmulhu.w.512", 16, left.value, right.value)

    def packed_words(self, low: Vector, high: Vector) -> Vector:
        """vpackssdw: 32 to 16 bits, saturating; in each 128 bits, four of `low`, then four of `high`."""
        return self._call("llvm.x86.avx512.packssdw.512", 16, low.value, high.value)

    def packed_bytes(self, low: Vector, high: Vector, unsigned: bool) -> Vector:
        """vpacksswb or vpackuswb: 16 to 8 bits, saturating, ordered as by `packed_words`."""
        name = f"llvm.x86.avx512.pack{'us' if unsigned else 'ss'}wb.512"
        return self._call(name, 8, low.value, high.value)

    def sum_saturating(self, left: Vector, right: Vector) -> Vector:
        """vpaddsw."""
        return self._call("llvm.sadd.sat.v32i16", 16, left.value, right.value)

    def dot_bytes(self, sums: Vector, unsigned: Vector, signed: Vector) -> Vector:
        """vpdpbusd: to lane i of 32 bits, the sum over j < 4 of u[4i+j] s[4i+j]."""
        return self._dot(_DOT_BYTES, 8, sums, unsigned, signed)

    def dot_words(self, sums: Vector, left: Vector, right: Vector) -> Vector:
        """vpdpwssd: to lane i of 32 bits, l[2i] r[2i] + l[2i+1] r[2i+1]."""
        return self._dot(_DOT_WORDS, 16, sums, left, right)

    def _dot(self, name: str, bits: int, sums: Vector, left: Vector, right: Vector) -> Vector:
        seen = dot_operand_bits(name, bits)
        return self._call(name, 32, sums.value, left.seen_as(seen).value, right.seen_as(seen).value)

    def compressed(self, vector: Vector, mask: Any) -> Vector:
        """vpcompress: the lanes whose mask bit is set, side by side from lane 0, zeros behind."""
        return self._moved("compress", vector, mask)

    def expanded(self, vector: Vector, mask: Any) -> Vector:
        """vpexpand: the first lanes to those whose mask bit is set, zeros elsewhere."""
        return self._moved("expand", vector, mask)

    def _moved(self, what: str, vector: Vector, mask: Any) -> Vector:
        flags = self.builder.bitcast(mask, ir.VectorType(ir.IntType(1), vector.lanes))
        none = ir.Constant(_kind(vector.bits), [0] * vector.lanes)
        name = f"llvm.x86.avx512.mask.{what}.v{vector.lanes}i{vector.bits}"
        return self._call(name, vector.bits, vector.value, none, flags)

    def where(self, mask: int, chosen: Vector, other: Vector) -> Vector:
        """Lanes of `chosen` where the constant mask's bit is set, of `other` elsewhere."""
        flags = [mask >> lane & 1 for lane in range(chosen.lanes)]
        kind = ir.VectorType(ir.IntType(1), chosen.lanes)
        value = self.builder.select(ir.Constant(kind, flags), chosen.value, other.value)
        return Vector(self, value, chosen.bits)

    def where_set(self, mask: Any, chosen: Vector) -> Vector:
        """Lanes of `chosen` where the mask's bit is set, 0 elsewhere."""
        flags = self.builder.bitcast(mask, ir.VectorType(ir.IntType(1), chosen.lanes))
        value = self.builder.select(flags, chosen.value, self.constant(chosen.bits, 0).value)
        return Vector(self, value, chosen.bits)

    def bytes_in_order(self, vector: Vector, places: Sequence[int]) -> Vector:
        """vpermb: byte i is byte places[i]."""
        return vector.picked(vector, places)


def kernel(write: Callable[..., Any], result: types.Type = types.void) -> Any:
    """A function for numba code: its arguments are contiguous arrays and integers, it returns `result`.

    `write` gets a Code, then an `Array` for each array and an int64 for each integer.
    """

    def build(typing_context: Any, *arguments: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = []
            for kind, value in zip(signature.args, values, strict=True):
                if isinstance(kind, types.Array):
                    given.append(Array(context.make_array(kind)(context, builder, value).data))
                else:
                    given.append(context.cast(builder, value, kind, types.int64))
            found = write(Code(builder), *given)
            return context.get_dummy_value() if found is None else found

        return result(*arguments), codegen

    names = list(inspect.signature(write).parameters)[1:]  # numba wants to know how many there are
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ["_", *names]]
    build.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    build.__name__ = write.__name__
    build.__doc__ = write.__doc__
    return intrinsic(build)
