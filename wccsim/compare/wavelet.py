"""WCC brought to a wanted rate, plain and with each improvement that needs little or no hardware.

The switches, each a setting of the codec `wcc` and of the datapath: per-level shift, Haar levels chosen
for the map, word width traded against keep for the map, Rice-coded index, Rice-coded words, narrower words in
the detail bands, and plain uniform quantisation of the layer where that loses less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from wccsim.compare.candidate import Candidate, plain, plain_channels, realised, wavelet
from wccsim.compare.methods import Method
from wccsim.compare.point import Point
from wccsim.compare.study import Study, study_of
from wccsim.compare.wcc_knob import SAMPLE_STOP, STOP, WccKnob, WccSetting, sample_study
from wccsim.parameters import MAX_LEVELS

Map = npt.NDArray[Any]
_PAPER = WccSetting()
_FINALISTS = {"fixed": 3, "rice": 2}  # by the coding of the words


@dataclass(frozen=True, slots=True)
class Wavelet(Method):
    """WCC with some of the switches on. What is chosen for a map is chosen by the squared error at the rate.

    choose_levels: 1 to 5 instead of 3. choose_width: 3 to 8 bits a word, so that keep and width are traded.
    choose_detail: words of the detail bands narrower than those of the approximation. choose_words:
    Rice-coded words where they lose less than words of fixed width. or_uniform: the layer is quantised
    plainly where that loses less (the mode is the layer's configuration and is not sent). among: methods
    whose choices are candidates too, so that this one is behind none of them.
    """

    name: str
    base: WccSetting = _PAPER
    choose_levels: bool = False
    choose_width: bool = False
    choose_detail: bool = False
    choose_words: bool = False
    or_uniform: bool = False
    among: tuple[Wavelet, ...] = ()

    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        study = study_of(x)
        return realised(study, self.choice(study, target_bits), target_bits)

    def choice(self, study: Study, target_bits: float) -> Candidate:
        """The candidate of least squared error at the rate, measured on the whole map."""
        return study.once((self, target_bits), lambda: self._choice(study, target_bits))

    def _choice(self, study: Study, target_bits: float) -> Candidate:
        found = [other.choice(study, target_bits) for other in self.among]
        for setting in self._finalists(study, target_bits):
            found.append(wavelet(study, setting, target_bits))
            if self.or_uniform and found[-1].leaves_bits_over(target_bits):
                found += plain_channels(study, setting, target_bits)
        if self.or_uniform:
            found.append(plain(study, target_bits))
        return min(found, key=lambda candidate: candidate.rank(target_bits))

    def _finalists(self, study: Study, target_bits: float) -> Sequence[WccSetting]:
        """The settings worth a full run: found on a sample of a large map, one switch after another."""
        if not (self.choose_levels or self.choose_width or self.choose_detail or self.choose_words):
            return [self.base]
        sample = sample_study(study)
        spare = self.or_uniform and study.x.shape[0] > 1
        trial = _Trial(sample, target_bits * sample.x.size / study.x.size, sample is study, spare)
        surely_rice = False
        if self.choose_words:
            rice = self._improved(replace(self.base, words="rice"), trial)
            best = trial.best([rice, replace(rice, words="fixed"), self.base])
            surely_rice = best == rice and not trial.leaves_bits_over(rice)
        if not surely_rice:
            self._improved(self.base, trial)
        ranked = trial.ranked()
        fixed, coded = ([s for s in ranked if s.words == name][:most] for name, most in _FINALISTS.items())
        if surely_rice:
            return coded[:1] if sample is study else coded
        if sample is study:  # the errors are those of the whole map, but for what left-over bits buy
            return [*fixed[:1], *coded]
        return list(dict.fromkeys([*fixed, replace(fixed[0], levels=3), *coded, self.base]))

    def _improved(self, start: WccSetting, trial: _Trial) -> WccSetting:
        """One switch after the other from `start`, twice or until nothing changes."""
        best = start
        for _ in range(2):
            before = best
            if self.choose_width or self.choose_detail:
                best = trial.best([best, *self._widths(best)])
                best = trial.best([best, *self._details(best)])
            if self.choose_levels:
                best = trial.best([replace(best, levels=n) for n in range(1, MAX_LEVELS + 1)])
            if best == before:
                break
        return best

    def _widths(self, setting: WccSetting) -> Iterable[WccSetting]:
        """Word widths to try; detail bands at most two bits narrower, but for the widest words."""
        for bits in range(3, 9) if self.choose_width else (self.base.bits,):
            narrowest = 2 if bits == self.base.bits else max(2, bits - 2)
            apart = self.choose_detail and setting.words == "fixed"
            for detail in range(narrowest if apart else bits, bits + 1):
                yield replace(setting, bits=bits, detail_bits=detail)

    def _details(self, setting: WccSetting) -> Iterable[WccSetting]:
        """Rice-coded words need no narrow width to be short: a narrower clip is tried at one width alone."""
        if self.choose_detail and setting.words == "rice":
            for detail in range(max(2, setting.bits - 3), setting.bits):
                yield replace(setting, detail_bits=detail)


class _Trial:
    """Settings tried at one rate on one map, each once."""

    __slots__ = ("_spare", "_stop", "_study", "_tried", "_wanted")

    def __init__(self, study: Study, wanted: float, whole: bool, spare: bool) -> None:
        self._study, self._wanted, self._stop = study, wanted, STOP if whole else SAMPLE_STOP
        self._spare = spare
        self._tried: dict[WccSetting, float] = {}

    def best(self, settings: Iterable[WccSetting]) -> WccSetting:
        """The one of least error; of several the fewest levels and the narrowest words."""
        return min(settings, key=self._key)

    def leaves_bits_over(self, setting: WccSetting) -> bool:
        """Whether every position together costs less than asked: what is left is an estimate then."""
        knob = WccKnob(setting, self._study, self._stop)
        return knob.bits(self._study.x, knob.span(self._study.x)[0]) <= self._wanted

    def ranked(self) -> list[WccSetting]:
        """All that were tried, the best first."""
        return sorted(self._tried, key=self._key)

    def _key(self, setting: WccSetting) -> tuple[float, int, int, int]:
        if setting not in self._tried:
            self._tried[setting] = self._study.once(
                ("expected", setting, self._wanted, self._stop, self._spare),
                lambda: WccKnob(setting, self._study, self._stop).expected_error(self._wanted, self._spare),
            )
        return self._tried[setting], setting.levels, setting.bits, setting.detail_bits


PLAIN = Wavelet("wcc")
SWITCHES = (
    Wavelet("wcc+shift", WccSetting(per_level_shift=True)),
    Wavelet("wcc+levels", choose_levels=True),
    Wavelet("wcc+keep", choose_width=True),
    Wavelet("wcc+rice", WccSetting(index="rice")),
    Wavelet("wcc+rice-words", WccSetting(words="rice")),
    Wavelet("wcc+detail", choose_detail=True),
    Wavelet("wcc+plain", or_uniform=True),
)
COMBINED = Wavelet(
    "wcc-combined",
    WccSetting(per_level_shift=True, index="rice"),
    choose_levels=True,
    choose_width=True,
    choose_detail=True,
    choose_words=True,
    or_uniform=True,
    among=(PLAIN, *SWITCHES),
)
