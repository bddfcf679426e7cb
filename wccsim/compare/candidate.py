"""One way to code a map with WCC, plainly or both, measured before any stream is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from wccsim.codecs.base import HEADER_BITS
from wccsim.codecs.distortion import squared_error
from wccsim.compare.knob import Settled, joined
from wccsim.compare.methods import FixedWidth
from wccsim.compare.point import Point
from wccsim.compare.search import solve, within
from wccsim.compare.study import Study
from wccsim.compare.wcc_knob import WccKnob, WccSetting

Map = npt.NDArray[Any]
_UNIFORM = FixedWidth("uniform", least=1, most=8, least_signed=2)
_WORDS = FixedWidth("uniform", least=8, most=8, least_signed=8)


@dataclass(frozen=True, slots=True)
class Candidate:
    """`bits` and `squared_error` of a map whose first `cut` channels are words of 8 bits and whose others
    are WCC at `setting`; without a setting all of it is quantised plainly.
    """

    bits: int
    squared_error: int
    setting: WccSetting | None = None
    settled: Settled | None = None
    cut: int = 0

    def counts(self, target_bits: float) -> bool:
        """Within 1 % of the rate, or nothing lost at fewer bits."""
        return within(self.bits, target_bits) or (self.squared_error == 0 and self.bits < target_bits)

    def leaves_bits_over(self, target_bits: float) -> bool:
        """Whether a map that is not lossless pays too little to count."""
        return self.bits < target_bits and not self.counts(target_bits)

    def rank(self, target_bits: float) -> tuple[bool, float, int]:
        """Least first: those that count, by error and bits; then the nearest."""
        if self.counts(target_bits):
            return False, self.squared_error, self.bits
        return True, abs(self.bits - target_bits), self.bits


def wavelet(study: Study, setting: WccSetting, target_bits: float) -> Candidate:
    """WCC at `setting`, brought to the rate."""

    def found() -> Candidate:
        knob = WccKnob(setting, study)
        settled = knob.settle(study.x, target_bits)
        return Candidate(settled.bits, knob.squared_error(study.x, settled), setting, settled)

    return study.once(("wavelet", setting, target_bits), found)


def plain(study: Study, target_bits: float) -> Candidate:
    """Uniform quantisation of the map at the rate."""

    def found() -> Candidate:
        point = _UNIFORM.at(study.x, target_bits)
        return Candidate(point.bits, squared_error(study.x, point.decoded))

    return study.once(("plain", target_bits), found)


def plain_channels(study: Study, setting: WccSetting, target_bits: float) -> list[Candidate]:
    """The bits that WCC at `setting` leaves over, spent on its first channels: words of 8 bits.

    Two streams, both counted; the convolution adds the plain channels' products after the inverse
    transform. Empty where no cut meets the rate.
    """
    x = study.x

    def bits(cut: int) -> int:
        return HEADER_BITS + x[:cut].size * 8 + WccKnob(setting, Study(x[cut:])).bits(x[cut:], 0)

    if x.shape[0] < 2:
        return []
    found = solve(bits, 1, x.shape[0] - 1, target_bits)
    cut = found.knob if within(found.bits, target_bits) else found.over
    if cut is None:
        return []
    words, rest = _WORDS.at(x[:cut], target_bits), Study(x[cut:])
    knob = WccKnob(setting, rest)
    settled = knob.settle(rest.x, target_bits - words.bits)
    error = squared_error(x[:cut], words.decoded) + knob.squared_error(rest.x, settled)
    return [Candidate(words.bits + settled.bits, error, setting, settled, cut)]


def realised(study: Study, chosen: Candidate, target_bits: float) -> Point:
    """The point of a candidate, from its real stream."""
    x, cut = study.x, chosen.cut
    if chosen.setting is None or chosen.settled is None:
        return _plainly(_UNIFORM.at(x, target_bits))
    if not cut:
        return WccKnob(chosen.setting, study).realise(x, chosen.settled)
    rest = Study(x[cut:])
    second = WccKnob(chosen.setting, rest).realise(rest.x, chosen.settled)
    first = replace(_plainly(_WORDS.at(x[:cut], target_bits)), out_channel_bops=second.out_channel_bops)
    return joined(first, second, Settled(0, chosen.bits, cut=cut))


def _plainly(point: Point) -> Point:
    return replace(point, setting={"plain": True, **point.setting})
