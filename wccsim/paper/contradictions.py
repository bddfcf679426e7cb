"""Where the paper contradicts itself or its code, each with the numbers that show it, computed here."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from wccsim.counting.count import total
from wccsim.counting.macs import taps
from wccsim.network.model import Layer
from wccsim.paper.audit import (
    GIGA,
    MEGA,
    TABLE3_NETWORK,
    bops_giga,
    inline_example,
    inline_with_ratio,
    misprinted_sizes,
)
from wccsim.paper.published import TABLE3_TOTALS, Setting, settings, table3
from wccsim.paper.rules import RULES, counts, network
from wccsim.parameters import padded

LEVELS = 3


def contradictions() -> tuple[str, ...]:
    """One sentence or two each; every figure is recomputed from the networks and the printed tables."""
    return (
        _sizes(),
        _equation_10(),
        _stride(),
        _equation_12(),
        _inline_map(),
        _transform_is_not_free(),
        _first_and_last(),
        _table2_bits(),
        _last_digits(),
        _voc_rows_exclude_each_other(),
        _two_networks_two_rules(),
        _padding_is_not_counted(),
        _published_code_swaps_the_padding(),
        _pooled_map(),
        _published_code(),
    )


def _layers() -> dict[str, Layer]:
    return {layer.name: layer for layer in network(TABLE3_NETWORK).layers}


def _sizes() -> str:
    wrong = len(misprinted_sizes())
    return (
        f"Table 3: the printed H x W of {wrong} of {len(table3())} rows is not that of the network, while "
        "the MAC beside it is; a depthwise row prints its padded input, so its own H x W does not give "
        "its MAC."
    )


def _equation_10() -> str:
    literal = sum(
        Fraction(taps(layer) * layer.out_shape.channels * layer.in_shape.height * layer.in_shape.width)
        / (layer.stride[0] * layer.stride[1])
        for layer in network(TABLE3_NETWORK).counted
        if layer.kernel == (3, 3)
    )
    return (
        f"Eq. (10) multiplies by the input's size; read so, the 3x3 total is {_mega(literal)} M. Table 3 "
        "prints "
        f"{_mega(Fraction(TABLE3_TOTALS[3]))} M: it counts valid positions, H - d(K-1)."
    )


def _stride() -> str:
    layer = _layers()["InvRes2 conv2"]
    valid = Fraction((layer.in_shape.height - 2) * (layer.in_shape.width - 2), 4)
    real = layer.out_shape.height * layer.out_shape.width
    return (
        f"A stride divides the count without rounding: {layer.name} counts {float(valid):,.2f} positions "
        "where "
        f"{real:,} outputs exist ({_percent(valid / real - 1)})."
    )


def _equation_12() -> str:
    quarter = [Fraction(1, 4**level) for level in range(LEVELS + 1)]
    half = [Fraction(1, 2**level) for level in range(LEVELS)]
    given, later, halves = (
        _mega(Fraction(inline_with_ratio(tuple(ratios)))) for ratios in (quarter[:LEVELS], quarter[1:], half)
    )
    return (
        f"The exponent of eq. (12) cannot be read in print; only 1/4^(l-1) gives the inline example's 54 M "
        f"({given} M; 1/4^l gives {later} M, 1/2^(l-1) gives {halves} M). It charges a butterfly 16 "
        "operations "
        "where 8 additions do it, and no operation for score, selection, index and requantisers."
    )


def _inline_map() -> str:
    example = inline_example()
    positions = Fraction(example.layer.in_shape.height * example.layer.in_shape.width)
    of_voc = next(
        layer
        for layer in network(RULES["Table 1 VOC"].network).layers
        if layer.pointwise and layer.in_shape.channels == 160 and layer.out_shape.channels == 960
    ).in_shape
    scale = of_voc.height * of_voc.width / positions
    return (
        f"The inline example's 34x34 is no map of the network: its 160 > 960 layers see {of_voc.height}x"
        f"{of_voc.width} on VOC, {_mega(example.bops_conv * scale)} M and "
        f"{_mega(example.bops_haar * scale)} M "
        "instead of 11,364 M and 54 M."
    )


def _transform_is_not_free() -> str:
    rows = {s.row: s for s in settings("Table 1 Cityscapes")}
    printed = int(rows["8/8 WCC 100%"].printed) - int(rows["8/8"].printed)
    last = counts(rows["8/8 WCC 12.5%"])
    share = Fraction(total(last, lambda c: c.bops_haar)) / total(last, lambda c: c.bops)
    return (
        "Section 4.1 speaks of WCC as equivalent to fewer activation bits; Table 1's own 100% row costs "
        f"{printed} G more than the dense one, and at 12.5% the transform is "
        f"{_percent(share, sign=False)} of all BOPs."
    )


def _first_and_last() -> str:
    return (
        "First and last layers follow three rules in one work: left out (Tables 1 and 3), counted at the "
        "quantised "
        "width although the text calls them unmodified (Table 2), counted at 32/32 (monodepth2, "
        "EfficientDet)."
    )


def _table2_bits() -> str:
    setting = next(s for s in settings("Table 2") if s.row == "8/8 WCC 50%")
    counted = counts(setting)
    outside = [c for c in counted if c.layer.keep is None]
    of_macs = Fraction(total(outside, lambda c: c.macs)) / total(counted, lambda c: c.macs)
    of_bops = Fraction(total(outside, lambda c: c.bops)) / total(counted, lambda c: c.bops)
    return (
        f"Table 2's rows '8/8 WCC' follow only if every convolution outside WCC runs at 8/4, not 8/8: "
        f"{_percent(of_macs, sign=False)} of the MAC and {_percent(of_bops, sign=False)} of the BOPs of "
        "the 50% row. "
        "The text names only the local planar guidance."
    )


def _last_digits() -> str:
    shown = []
    for name in ("8/8", "8/8 WCC 50%"):
        setting = next(s for s in settings("monodepth2") if s.row == name)
        shown.append(f"{float(bops_giga(setting)):.3f} is printed {setting.printed}")
    return (
        "The last digits follow two rules: Tables 1 and 2 truncate; of the monodepth2 rows those without "
        "WCC are "
        f"rounded ({shown[0]}) and those with it truncated ({shown[1]})."
    )


def _voc_rows_exclude_each_other() -> str:
    low8, high8 = compressible_window("Table 1 VOC", 8)
    low4, high4 = compressible_window("Table 1 VOC", 4)
    verdict = "no network fits both" if high8 <= low4 or high4 <= low8 else "both can hold"
    return (
        f"Table 1, VOC: the 100% and 12.5% rows put the compressible part at 8/8 between {_figure(low8)} "
        "and "
        f"{_figure(high8)} G for 8-bit weights and between {_figure(low4)} and {_figure(high4)} G for "
        "4-bit "
        f"weights: {verdict}. One row is misprinted; 25 instead of 24 for 4/8 12.5% would do."
    )


def compressible_window(table: str, weight_bits: int) -> tuple[Fraction, Fraction]:
    """Open bounds, in 10^9 at 8/8, on keep * MAC * bw * ba at keep = 1, from the 100% and 12.5% rows.

    A printed p stands for p <= BOPs < p + 1 (the table truncates). The difference of the rows is
    7/8 of the compressible part whatever the transform and the other layers cost.
    """
    rows = {s.shrinkage_percent: s for s in settings(table) if s.weight_bits == weight_bits}
    difference = int(rows["100"].printed) - int(rows["12.5"].printed)
    scale = Fraction(8, 7) * Fraction(8, weight_bits)
    return (difference - 1) * scale, (difference + 1) * scale


def _two_networks_two_rules() -> str:
    gaps = []
    for table in ("Table 1 Cityscapes", "Table 1 VOC"):
        full: Setting = settings(table)[0]
        gaps.append((bops_giga(full) - int(full.printed)) * GIGA / 1024 / MEGA)
    return (
        "Table 1 is not Table 3 plus the head: under the one rule that gives every other table the "
        "Cityscapes "
        f"total is {_signed(gaps[0])} M MAC off and the VOC total {_signed(gaps[1])} M, in opposite "
        "directions. No constant is fitted here; the gap is printed."
    )


def _padding_is_not_counted() -> str:
    sizes = ((68, 132), (66, 130), (513, 1025), (36, 36))
    shown = ", ".join(
        f"{h}x{w} > {padded(h, LEVELS)}x{padded(w, LEVELS)} "
        f"({_percent(Fraction(padded(h, LEVELS) * padded(w, LEVELS), h * w) - 1)})"
        for h, w in sizes
    )
    return (
        "The published code pads to multiples of 8 and keeps a part of the padded map, so the "
        "convolution runs on "
        f"more positions than the tables count: {shown}."
    )


def _published_code_swaps_the_padding() -> str:
    sizes: list[tuple[int, int]] = []
    for table in ("Table 2", "monodepth2"):
        for layer in network(RULES[table].network).layers:
            size = (layer.in_shape.height, layer.in_shape.width)
            missing = {padded(side, LEVELS) - side for side in size}
            if layer.compressible and len(missing) > 1 and size not in sizes:
                sizes.append(size)
    return (
        "The published code gives the width the height's padding; maps whose sides need different "
        "amounts fail "
        f"in it, and these networks have them: {_sizes_text(sizes)}. It cannot have produced those rows "
        "as it stands."
    )


def _pooled_map() -> str:
    one = padded(1, LEVELS) ** 2
    return (
        f"On the 1x1 map of image pooling the code transforms {one} padded positions and keeps "
        f"{one // 8} at 12.5%; the tables count one position."
    )


def _published_code() -> str:
    return (
        "Read in the published code, not recomputed here: it adds a bias to the kept coefficients and "
        "not to every "
        "pixel; it normalises the weights before quantising and leaves the scale to the next batch "
        "normalisation; "
        "its plain quantised layers clamp activations from above only, though some inputs are signed."
    )


def _sizes_text(sizes: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{height}x{width}" for height, width in sizes)


def _figure(value: Fraction) -> str:
    return f"{float(value):,.1f}"


def _mega(value: Fraction | int) -> str:
    return f"{float(Fraction(value) / MEGA):,.2f}"


def _signed(value: Fraction) -> str:
    return f"{float(value):+,.1f}"


def _percent(value: Fraction, sign: bool = True) -> str:
    return f"{float(value * 100):{'+' if sign else ''}.2f}%"
