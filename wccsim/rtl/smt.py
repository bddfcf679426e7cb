"""Equality of a Verilog block and its specification for all inputs, by SMT.

Yosys turns the block into SMT-LIB bit vectors (`write_smt2`); the specification is written here from the
formulas of docs/datapath.md, in words wide enough that nothing can overflow; z3 is asked for an input on
which they differ. "unsat" is the proof.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from wccsim.errors import WccsimError
from wccsim.rtl.process import RTL, build_folder, need, rtl_sources, run_tool

WIDE = 192  # bits of the specification's words


@dataclass(frozen=True, slots=True)
class Obligation:
    """`top` with `parameters`: under `assume`, `output` equals `specification`, both SMT-LIB terms.

    In the terms an input port is written {name}. free_product: the 64-bit multiplication, on both sides,
    stands for any function of its operands: what is proved holds for every product, and so for the real
    one. split: the values of the 7-bit port `shift`, each asked for apart; together they must be all that
    `assume` allows.
    """

    name: str
    top: str
    parameters: dict[str, int]
    output: str
    specification: str
    assume: tuple[str, ...] = ()
    free_product: bool = False
    split: tuple[int, ...] = ()


def number(value: int, bits: int = WIDE) -> str:
    """A bit-vector constant, two's complement."""
    return f"(_ bv{value % (1 << bits)} {bits})"


def signed(term: str, bits: int, to: int = WIDE) -> str:
    """`term` of `bits` bits, its sign extended to `to` bits."""
    return f"((_ sign_extend {to - bits}) {term})"


def unsigned(term: str, bits: int, to: int = WIDE) -> str:
    """`term` of `bits` bits, zeros in front up to `to` bits."""
    return f"((_ zero_extend {to - bits}) {term})"


def low_bits(term: str, bits: int) -> str:
    """The lowest `bits` bits of `term`."""
    return f"((_ extract {bits - 1} 0) {term})"


def clamp(term: str, low: int, high: int) -> str:
    """`term` limited to low..high."""
    return (
        f"(let ((v {term})) (ite (bvslt v {number(low)}) {number(low)} "
        f"(ite (bvsgt v {number(high)}) {number(high)} v)))"
    )


def half_up(term: str, shift: str) -> str:
    """(term + 2^(shift-1)) >> shift, section 5; both WIDE bits."""
    half = f"(bvshl {number(1)} (bvsub {shift} {number(1)}))"
    return f"(bvashr (bvadd {term} {half}) {shift})"


def butterfly(width: int) -> list[Obligation]:
    """Section 2: four sums of four pixels."""
    a, b, c, d = (signed(f"{{{name}}}", width) for name in "abcd")
    signs = {"ll": tuple("+++"), "lh": tuple("+--"), "hl": tuple("-+-"), "hh": tuple("--+")}
    found = []
    for output, (sb, sc, sd) in signs.items():
        total = a
        for sign, term in ((sb, b), (sc, c), (sd, d)):
            total = f"({'bvadd' if sign == '+' else 'bvsub'} {total} {term})"
        # The wide sum itself, not its low bits: equality after sign extension excludes overflow.
        found.append(
            Obligation(
                f"butterfly {width} bits, {output}",
                "haar2d_level",
                {"IW": width},
                f"wide:{output}:{width + 2}",
                total,
            )
        )
    return found


def rounding(product: int, out: int, low: int, high: int) -> Obligation:
    """Section 5: rounding shift and clamp of any product, every shift 1..127."""
    spec = clamp(half_up(signed("{product}", product), unsigned("{shift}", 7)), low, high)
    return Obligation(
        f"rounding shift and clamp, {product}-bit product to {low}..{high}",
        "requant_round",
        {"PW": product, "OW": out, "LO": low, "HI": high},
        "result",
        low_bits(spec, out),
        (f"(not (= {{shift}} {number(0, 7)}))",),
    )


def single(width: int, out: int, low: int, high: int) -> Obligation:
    """Section 5, mode single: both sides multiply in width + 17 bits, which hold every product exactly."""
    bits = width + 17
    factor = unsigned("((_ extract 15 0) {multiplier})", 16, bits)
    product = signed(f"(bvmul {signed('{value}', width, bits)} {factor})", bits)
    return Obligation(
        f"requantiser single {width}x16 to {low}..{high}",
        "requant",
        {"IW": width, "OW": out, "LO": low, "HI": high},
        "result",
        low_bits(clamp(half_up(product, unsigned("{shift}", 7)), low, high), out),
        (f"(not (= {{shift}} {number(0, 7)}))",),
    )


def double(width: int, out: int, low: int, high: int) -> Obligation:
    """Section 5, mode tflite_double, in gemmlowp's own steps: nudge by sign, divide towards zero, then
    divide by a power of two with remainder and threshold."""
    left = f"(ite (bvslt {{shift}} {number(0, 7)}) (bvneg {{shift}}) {number(0, 7)})"
    right = f"(ite (bvslt {{shift}} {number(0, 7)}) {number(0, 7)} {{shift}})"
    moved = f"(bvshl {signed('{value}', width, 64)} {unsigned(left, 7, 64)})"

    def n(value: int) -> str:
        return number(value, 64)

    product = f"(bvmul {signed(low_bits(moved, 32), 32, 64)} {unsigned('{multiplier}', 31, 64)})"
    spec = (
        f"(let ((x {product})) "
        f"(let ((g (bvadd x (ite (bvsge x {n(0)}) {n(1 << 30)} {n(1 - (1 << 30))})))) "
        f"(let ((h (ite (bvsge g {n(0)}) (bvlshr g {n(31)}) (bvneg (bvlshr (bvneg g) {n(31)})))) "
        f"(e {unsigned(right, 7, 64)})) "
        f"(let ((mask (bvsub (bvshl {n(1)} e) {n(1)}))) "
        f"(let ((rest (bvand h mask)) "
        f"(bound (bvadd (bvlshr mask {n(1)}) (ite (bvslt h {n(0)}) {n(1)} {n(0)})))) "
        f"(let ((r (bvadd (bvashr h e) (ite (bvsgt rest bound) {n(1)} {n(0)})))) "
        f"(ite (bvslt r {n(low)}) {n(low)} (ite (bvsgt r {n(high)}) {n(high)} r))))))))"
    )
    fits = f"(= {moved} {signed(low_bits(moved, 32), 32, 64)})"
    # |value| <= 2^31 and multiplier < 2^31, so the product lies in -2^62..2^62 (`widths` shows it).
    in_range = f"(and (bvsge {product} {n(-(1 << 62))}) (bvsle {product} {n(1 << 62)}))"
    within = (f"(bvsge {{shift}} {number(-31, 7)})", f"(bvsle {{shift}} {number(31, 7)})", fits)
    return Obligation(
        f"requantiser double {width}x31 to {low}..{high}",
        "requant_double",
        {"IW": width, "OW": out, "LO": low, "HI": high},
        "result",
        low_bits(spec, out),
        (*within, in_range),
        free_product=True,
        split=tuple(range(-31, 32)),
    )


def multiply_add(act: int, weight: int) -> Obligation:
    """Section 6: one product on a 32-bit sum, which wraps only where 32 bits cannot hold it."""
    product = f"(bvmul {signed('{a}', act, act + weight)} {signed('{b}', weight, act + weight)})"
    spec = f"(bvadd {signed(product, act + weight, 32)} {{addend}})"
    return Obligation(
        f"multiply-add {act}x{weight} + 32", "multiply_add", {"AW": act, "BW": weight}, "sum", spec
    )


def binned_key(score: int, mantissa: int) -> Obligation:
    """Section 3: the exponent is the greatest n with 2^n <= e; the key 0 for 0."""
    key = number(0)
    wide = unsigned("{score}", score)
    for n in range(score):
        fraction = f"(bvsub (bvlshr (bvshl {wide} {number(mantissa)}) {number(n)}) {number(1 << mantissa)})"
        here = f"(bvadd {number((n + 1) << mantissa)} {fraction})"
        key = f"(ite (bvuge {wide} {number(1 << n)}) {here} {key})"
    bits = 6 + mantissa
    return Obligation(
        f"binned key, {score}-bit score, {mantissa} mantissa bits",
        "binned_key",
        {"SW": score, "M": mantissa},
        "key",
        low_bits(key, bits),
    )


def obligations() -> list[Obligation]:
    """Everything that is proved by SMT."""
    found = [one for width in (2, 4, 8, 12, 14, 16, 22) for one in butterfly(width)]
    found += [rounding(31, 8, -127, 127), rounding(39, 8, -128, 127), rounding(41, 8, 0, 255)]
    found += [rounding(49, 16, -32767, 32767), rounding(49, 8, -127, 127)]
    found += [
        single(14, 8, -127, 127),
        single(22, 8, -128, 127),
        single(22, 8, 0, 255),
        single(32, 16, -32767, 32767),
    ]
    found += [double(14, 8, -127, 127), double(22, 8, 0, 127), double(32, 16, -32767, 32767)]
    found += [multiply_add(8, 8), multiply_add(4, 8)]
    found += [binned_key(37, 0), binned_key(37, 3), binned_key(63, 8)]
    return found


def solver() -> str:
    """Path of z3: on PATH, or beside this Python (the pip package z3-solver)."""
    beside = Path(sys.executable).parent / "z3"
    if shutil.which("z3") is None and beside.is_file():
        return str(beside)
    need("z3")
    return "z3"


def script(one: Obligation, block: str) -> str:
    """The SMT-LIB text: the block, and the claim that some input makes it differ."""
    prefix = f"|{one.top}_n "
    for name in _inputs(block, one.top):
        one_term = f"({prefix}{name}| s)"
        one = replace(
            one,
            specification=one.specification.replace(f"{{{name}}}", one_term),
            assume=tuple(a.replace(f"{{{name}}}", one_term) for a in one.assume),
        )
    kind, _, rest = one.output.partition(":")
    got = f"({prefix}{one.output}| s)"
    if kind == "wide":
        name, bits = rest.split(":")
        got = signed(f"({prefix}{name}| s)", int(bits))
    assumptions = "".join(f"(assert {a})\n" for a in one.assume)
    claim = f"(assert (not (= {got} {one.specification})))\n(check-sat)\n"
    text = f"{block}\n(declare-const s |{one.top}_s|)\n{assumptions}{claim}"
    if one.free_product:
        declared = "(declare-fun any_product ((_ BitVec 64) (_ BitVec 64)) (_ BitVec 64))\n"
        text = declared + text.replace("(bvmul ", "(any_product ")
    return _split(_stateless(text), one) if one.split else text


def _stateless(text: str) -> str:
    """The combinational block without its state argument: plain bit vectors, which z3 can bit-blast."""
    text = re.sub(r"\((\|[^|]+\|) (?:state|s)\)", r"\1", text)
    text = re.sub(r"\(\(state \|[^|]+_s\|\)\)", "()", text)
    return re.sub(r"(declare-fun \|[^|]+\|) \(\|[^|]+_s\|\)", r"\1 ()", text)


def _split(text: str, one: Obligation) -> str:
    """One question for every value of the shift."""
    ask = (
        "(check-sat-using (then simplify propagate-values solve-eqs ackermannize_bv simplify bit-blast sat))"
    )
    cases = (f"(push)\n(assert (= |{one.top}_n shift| {number(k, 7)}))\n{ask}\n(pop)\n" for k in one.split)
    return text.replace("(check-sat)\n", "".join(cases))


def with_defaults(source: Path, parameters: dict[str, int]) -> str:
    """The module's text with these values as its defaults: Yosys's -chparam takes no minus sign."""
    text = source.read_text(encoding="utf-8")
    for name, value in parameters.items():
        text, count = re.subn(rf"\bparameter {name} = -?\d+", f"parameter {name} = {value}", text)
        if not count:
            raise WccsimError(f"{source.name} has no parameter {name}")
    return text


def _inputs(block: str, top: str) -> list[str]:
    return [line.split()[2] for line in block.splitlines() if line.startswith("; yosys-smt2-input ")]


def prove(one: Obligation, timeout: float = 300.0) -> bool:
    """Whether no input makes the block differ. Raises WccsimError where a tool is missing or gives up."""
    need("yosys")
    z3 = solver()
    sources = [path for path in rtl_sources() if path.stem not in ("wcc_top", one.top)]
    top = RTL / f"{one.top}.v" if (RTL / f"{one.top}.v").is_file() else RTL / "syn" / "blocks.v"
    with build_folder() as work:
        (work / "top.v").write_text(with_defaults(top, one.parameters), encoding="utf-8")
        commands = (
            f"read_verilog {' '.join(map(str, sources))} top.v; hierarchy -check -top {one.top}; "
            "proc; flatten; opt -full; write_smt2 block.smt2"
        )
        run_tool(["yosys", "-q", "-p", commands], work, timeout)
        block = (work / "block.smt2").read_text(encoding="utf-8")
        (work / "claim.smt2").write_text(script(one, block), encoding="utf-8")
        answer = run_tool([z3, "-smt2", "claim.smt2"], work, timeout).split()
    questions = len(one.split) or 1
    if len(answer) != questions or not set(answer) <= {"sat", "unsat"}:
        raise WccsimError(f"z3 could not decide {one.name}: {' '.join(answer)[:200]}")
    return set(answer) == {"unsat"}
