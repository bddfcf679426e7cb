"""The named faults: one wrong step each, as text replaced in a file of the Verilog or of the Python."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`edits` replace text in `file`, where each must stand exactly once. cases: which layers to try.

    path: the set of kernels that runs a Python fault, interpreted; of no meaning for a Verilog file.
    """

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    cases: tuple[str, ...] = ("random", "ties", "padding", "odd-lanes", "level-shift")
    path: str = "plain"


def _one(name: str, file: str, old: str, new: str, *cases: str) -> Fault:
    return Fault(name, file, ((old, new),), *((cases,) if cases else ()))


VERILOG = (
    Fault(
        "swapped-lh-hl",
        "haar2d_level.v",
        (
            ("+: IW+2] = us - ls;", "+: IW+2] = ud + ld; //"),
            ("assign hl[i*(IW+2) +: IW+2] = ud + ld;", "assign hl[i*(IW+2) +: IW+2] = us - ls;"),
        ),
    ),
    _one(
        "butterfly-sum-one-bit-too-narrow",
        "haar2d_level.v",
        "us = {upper_sum[IW], upper_sum}",
        "us = {{2{upper_sum[IW-1]}}, upper_sum[IW-1:0]}",
        "all-minimum",
    ),
    _one("butterfly-input-unsigned", "haar2d_level.v", "wide_d = {d[i*IW+IW-1], ", "wide_d = {1'b0, "),
    _one("missing-rounding", "requant_round.v", "(wide_t + ONE) >>> 1", "wide_t >>> 1"),
    _one("unsigned-shift", "requant_round.v", "(wide_t + ONE) >>> 1", "(wide_t + 1'b1) >>> 1"),
    _one(
        "ties-down",
        "requant_round.v",
        "rounded = (wide_t + ONE) >>> 1",
        "rounded = (wide_t + ((product == (t <<< before_last)) ? ONE - ONE : ONE)) >>> 1",
        "requantiser-ties",
    ),
    _one(
        "requantiser-product-one-bit-too-narrow",
        "requant.v",
        "factor = {1'b0, multiplier[15:0]}",
        "factor = {2'b0, multiplier[14:0]}",
    ),
    _one(
        "clamp-to-full-range",
        "wcc_top.v",
        ".OW(ACT_BITS), .LO(-LIMIT1)",
        ".OW(ACT_BITS), .LO(-LIMIT1-1)",
        "all-minimum",
        "random",
    ),
    _one(
        "gain-of-the-level-forgotten",
        "wcc_top.v",
        "r1_shift + {4'd0, entry_level} + level_shift",
        "r1_shift + level_shift",
    ),
    _one(
        "level-shift-not-given-back",
        "wcc_top.v",
        "r2_shift[i*7 +: 7] - level_shift(entry_level)",
        "r2_shift[i*7 +: 7]",
        "level-shift",
    ),
    _one(
        "bias-on-kept-only",
        "wcc_top.v",
        ".bias(bias), .running",
        ".bias({(Q*IW){flag_ll[ll_at]}} & bias), .running",
        "one-kept-bias",
    ),
    _one("relu-before-the-inverse", "wcc_top.v", ".OW(YW), .LO(-LIMIT2)", ".OW(YW), .LO(0)"),
    _one("no-zero-fill", "wcc_top.v", "{(Q*YW){flag_hh[detail_at]}} & wavelet_hh", "wavelet_hh"),
    _one(
        "padding-not-zero",
        "haar_forward.v",
        "(used && upper && right) ? pixel_b",
        "(used && upper) ? pixel_b",
        "padding",
    ),
    _one("idle-lane-not-masked", "haar_forward.v", "(i < LAST_LANES) ? 1'b1 : g != LAST_GROUP", "1'b1"),
    _one(
        "score-without-alignment", "wcc_top.v", "score_alignment = TOP - haar_level", "score_alignment = 3'd0"
    ),
    _one(
        "score-of-the-last-group-only", "wcc_top.v", "joined = haar_first ? more :", "joined = 1'b1 ? more :"
    ),
    _one(
        "inverse-without-alignment",
        "haar_inverse.v",
        "assign in_c[i*IW +: IW] = d << alignment",
        "assign in_c[i*IW +: IW] = d",
    ),
    _one("off-by-one-k", "shrink_select.v", "WANTED = K;", "WANTED = K - 1;"),
    _one(
        "all-ties-kept",
        "shrink_select.v",
        "greater || (equal && needed != {CNT{1'b0}})",
        "greater || equal",
        "ties",
        "constant",
    ),
    _one(
        "ties-to-the-highest-index",
        "shrink_select.v",
        "greater || (equal && needed != {CNT{1'b0}})",
        "greater || (equal && position > LAST - WANTED)",
        "ties",
        "constant",
    ),
    _one(
        "radix-pass-too-few",
        "shrink_select.v",
        "LAST_PASS = NP - 1;",
        "LAST_PASS = NP - 2;",
        "saturated-impulse",
        "all-minimum",
    ),
    _one(
        "selection-one-cycle-longer",
        "shrink_select.v",
        "LOAD: state <= COUNT;",
        "LOAD: if (scan == 10'd0) scan <= 10'd512; else begin state <= COUNT; scan <= 10'd0; end",
    ),
    _one("bitmap-bit-order", "bitmap_pack.v", "flag} << place", "flag} << (5'd31 - place)"),
    _one(
        "accumulator-not-cleared",
        "wcc_top.v",
        ".first(mac_g == {IGW{1'b0}})",
        ".first(mac_g == {IGW{1'b0}} && mac_j == {NW{1'b0}})",
    ),
    _one("unsigned-activation", "multiplier.v", "product = a * b", "product = $signed({1'b0, a}) * b"),
    _one(
        "binned-mantissa-shifted",
        "binned_key.v",
        "normal[TW-2 -: M]",
        "normal[TW-1 -: M]",
        "binned-3",
        "binned-5",
    ),
    _one(
        "double-rounding-ties-up",
        "requant_double.v",
        "high - (high[33] ? ONE : ZERO)",
        "high",
        "double-rounding",
    ),
    _one(
        "crop-one-column-short",
        "wcc_top.v",
        "{out_row, 1'b0} < MAP_ROWS && {out_column, 1'b1} < MAP_COLUMNS",
        "1'b0",
    ),
)

_PLAIN = "datapath/plain.py"
PYTHON = (
    _one(
        "swapped-lh-hl",
        "datapath/haar.py",
        "return top + bottom, top - bottom, left + right, left - right",
        "return top + bottom, left + right, top - bottom, left - right",
    ),
    _one(
        "padding-at-the-left",
        "datapath/pad.py",
        "result[:, :height, :width] = x",
        "result[:, :height, -width:] = x",
        "padding",
    ),
    _one(
        "score-without-alignment",
        "datapath/score.py",
        "channel.astype(np.int64) << shifts",
        "channel.astype(np.int64)",
    ),
    _one(
        "score-32-bits",
        "datapath/score.py",
        "total += aligned * aligned",
        "total += (aligned * aligned).astype(np.int32)",
        "wide-score",
        "all-minimum",
    ),
    _one(
        "ties-to-the-highest-index",
        "datapath/select.py",
        "chosen[ties[: kept",
        "chosen[ties[::-1][: kept",
        "ties",
        "constant",
    ),
    _one("off-by-one-k", _PLAIN, "select(energy, plan.kept,", "select(energy, plan.kept - 1,", "random"),
    _one(
        "binned-exponent-off-by-one",
        "datapath/select.py",
        "exponent - mantissa_bits, 0)",
        "exponent - mantissa_bits + 1, 0)",
        "binned-3",
        "binned-5",
    ),
    _one(
        "missing-rounding",
        "arith.py",
        "(value * multiplier + (one << (shift - 1))) >> shift",
        "(value * multiplier) >> shift",
    ),
    _one(
        "ties-down",
        "arith.py",
        "(value * multiplier + (one << (shift - 1))) >> shift",
        "(value * multiplier + (one << (shift - 1)) - 1) >> shift",
        "requantiser-ties",
    ),
    _one(
        "unsigned-shift",
        "arith.py",
        "(value * multiplier + (one << (shift - 1))) >> shift",
        "((value * multiplier + (one << (shift - 1))) & ((1 << 62) - 1)) >> shift",
    ),
    _one(
        "double-rounding-ties-up",
        "arith.py",
        "(value + half - tie_down) >> shift",
        "(value + half) >> shift",
        "double-rounding",
    ),
    _one(
        "clamp-to-full-range",
        _PLAIN,
        "shifts, -limits, limits, p.requantise_mode)",
        "shifts, -limits - 1, limits, p.requantise_mode)",
        "all-minimum",
        "random",
    ),
    _one(
        "gain-of-the-level-forgotten",
        "datapath/plan.py",
        "return r1.shift[0] + gains + levels",
        "return r1.shift[0] + gains * 0 + levels",
    ),
    _one(
        "level-shift-not-given-back",
        "datapath/plan.py",
        "r2.shift[:, None] - levels - own",
        "r2.shift[:, None] - own + levels * 0",
        "level-shift",
    ),
    _one(
        "products-8-bits",
        "datapath/mac.py",
        "acc[o, j] += np.int32(weight * np.int32(q[c, j]))",
        "acc[o, j] += np.int32(np.int8((int(weight) * int(q[c, j]) + 128) % 256 - 128))",
    ),
    _one(
        "last-channel-forgotten",
        "datapath/mac.py",
        "for c in range(weights.shape[1]):",
        "for c in range(weights.shape[1] - 1):",
    ),
    _one(
        "relu-before-the-inverse",
        _PLAIN,
        "multiplier, shifts, -limit, limit, p.requantise_mode)\n    return y",
        "multiplier, shifts, 0, limit, p.requantise_mode)\n    return y",
    ),
    _one(
        "bias-on-kept-only",
        "datapath/haar.py",
        "result[:, :height, :width] += bias[:, None, None]",
        "result[:, :height, :width] += bias[:, None, None] * (result[:, :height, :width] != 0)",
        "one-kept-bias",
    ),
    _one(
        "inverse-without-alignment",
        "datapath/haar.py",
        "source[:, height:, :width] << shift",
        "source[:, height:, :width]",
    ),
    _one("zero-fill-in-wrong-order", _PLAIN, "words[:, indices] = y", "words[:, indices] = y[:, ::-1]"),
    _one(
        "crop-at-the-right",
        "datapath/pad.py",
        "return x[:, :height, :width]",
        "return x[:, :height, -width:]",
        "padding",
    ),
)
