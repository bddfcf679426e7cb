"""Faults of the portable fast path's kernels, run interpreted with twins of its three intrinsics.

The vector path is made of intrinsics and is not interpreted: it has no list here.
"""

from __future__ import annotations

from wccsim.rtl.fault_list import Fault

_FORWARD, _LAYER = "datapath/portable_forward.py", "datapath/portable.py"
_STRIPS, _PRODUCT = "datapath/strips.py", "datapath/product.py"


def _fault(name: str, file: str, old: str, new: str, *cases: str) -> Fault:
    return Fault(f"fast-{name}", file, ((old, new),), cases or ("random", "odd-lanes"), path="portable")


PORTABLE = (
    _fault(
        "low-high-negated",
        _FORWARD,
        "words[U(size + at + i)] = I16(sum_top - sum_bottom)",
        "words[U(size + at + i)] = I16(sum_bottom - sum_top)",
    ),
    _fault("odd-channels-not-scored", _FORWARD, " + I32(other * other)))", "))"),
    _fault("channel-beyond-the-last-scored", _FORWARD, "second[:] = 0", "pass", "odd-lanes"),
    _fault("scores-not-aligned", _FORWARD, "2 * (levels - level))", "levels - level)"),
    _fault(
        "padding-not-zero",
        _FORWARD,
        "for column in range(width, padded.shape[2]):\n                padded[U(c), U(row), U(column)] = 0",
        "for column in range(width, padded.shape[2]):\n                padded[U(c), U(row), U(column)] = 1",
        "padding",
    ),
    _fault(
        "neighbours-swapped-after-level-1",
        _FORWARD,
        "a, b = lows[U(start + 2 * i)], lows[U(start + 2 * i + 1)]",
        "b, a = lows[U(start + 2 * i)], lows[U(start + 2 * i + 1)]",
    ),
    _fault("tie-not-kept", _LAYER, "flat <= last", "flat < last", "ties", "constant"),
    _fault(
        "rounding-forgotten",
        _LAYER,
        "total = I32(I32(coarse + fine) + half)",
        "total = I32(coarse + fine)",
    ),
    _fault(
        "low-half-of-the-product-forgotten",
        _LAYER,
        "total = I32(I32(coarse + fine) + half)",
        "total = I32(coarse + half)",
    ),
    _fault(
        "last-panel-forgotten",
        _LAYER,
        "full = (count + PANEL - 1) // PANEL * PANEL",
        "full = count // PANEL * PANEL",
        "one-kept",
        "padding",
    ),
    _fault(
        "channels-of-a-pair-swapped",
        _LAYER,
        "I32(even & I32(0xFFFF)) | I32(odd << I32(16))",
        "I32(odd & I32(0xFFFF)) | I32(even << I32(16))",
    ),
    _fault("level-shift-not-given-back", _LAYER, "shift - relief[U(first + j)]", "shift", "level-shift"),
    _fault("last-outputs-forgotten", _LAYER, "for r in range(min(ROWS, outs - block)):",
           "for r in range(min(ROWS, outs - block) - 1):"),
    _fault("inverse-without-alignment", _LAYER, "I32(levels - level), pairs, begin)",
           "I32(0), pairs, begin)"),
    _fault("bias-forgotten", _LAYER, "I32(words[U(i)]) + bias", "I32(words[U(i)])", "two-levels-bias"),
    _fault("zero-fill-not-cleared", _LAYER, "    words[:] = 0\n", "    pass\n"),
    _fault("last-row-not-written", _LAYER, "if y < out.shape[1]:", "if y < out.shape[1] - 1:"),
    _fault("boundary-bin-one-too-low", _STRIPS, "while above + bins[chosen] < kept:",
           "while above + bins[chosen] <= kept:"),
    _fault("ties-one-too-few", _STRIPS, "int(tied[kept - certain - 1]))", "int(tied[kept - certain - 2]))",
           "ties", "constant"),
    _fault("last-weight-channel-forgotten", _PRODUCT, "full[:rows, :channels] = weights",
           "full[:rows, : channels - 1] = weights[:, :-1]"),
)  # fmt: skip
