"""The closed-form action counts: laws of counting, and a case worked by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim import WccsimError
from wccsim.actions import ActionCounts, Stage, total
from wccsim.analytic import wcc_actions
from wccsim.parameters import HAAR_VARIANTS, INDEX_FORMATS, REQUANTISE_MODES, SCORES, WccParameters

SIZES = st.integers(1, 70)
PARAMETERS = st.builds(
    WccParameters,
    keep=st.fractions(Fraction(1, 4), 1),
    levels=st.integers(1, 5),
    in_bits=st.integers(2, 16),
    act_bits=st.integers(2, 8),
    weight_bits=st.integers(2, 8),
    wavelet_bits=st.integers(8, 16),
    haar=st.sampled_from(HAAR_VARIANTS),
    score=st.sampled_from(SCORES),
    selection=st.sampled_from(["exact", "binned:3"]),
    index=st.sampled_from([f for f in INDEX_FORMATS if f != "rice"]),
    requantise_mode=st.sampled_from(REQUANTISE_MODES),
    bias=st.booleans(),
)


def values(counts: ActionCounts) -> tuple[int, ...]:
    return tuple(getattr(counts, name) for name in ActionCounts.__slots__)


def test_every_bit_moved_is_either_read_or_written() -> None:
    """Of the fields, five count operations and thirteen bits: eight tensors, coming or going."""
    powers = ActionCounts(*(1 << place for place in range(len(ActionCounts.__slots__))))
    operations = powers.macs + powers.multiplies + powers.adds + powers.shifts + powers.compares
    assert operations + powers.read_bits + powers.write_bits == sum(values(powers))
    assert powers.read_bits & powers.write_bits == 0
    p = WccParameters(keep=Fraction(1, 4), levels=1)
    moved = wcc_actions(p, 2, 3, 8, 8)
    kept = moved[Stage.MAC]
    assert kept.read_bits == kept.kept_read_bits + kept.weight_read_bits > kept.weight_read_bits
    assert moved[Stage.BITMAP].write_bits == moved[Stage.BITMAP].index_write_bits == 64


def test_a_case_worked_by_hand() -> None:
    """2 -> 3 channels, 3 x 5, one level: padded to 4 x 6 = 24 positions, 6 butterflies a channel."""
    p = WccParameters(keep=Fraction(1, 4), levels=1, in_bits=8, act_bits=8, weight_bits=4, bias=True)
    counts = wcc_actions(p, 2, 3, 3, 5)
    # CW = 8 + 2 = 10; SW = 2 * 9 + 1 + 1 = 20, so 3 radix passes; k = 6; IW is not needed at L = 1.
    assert counts == {
        Stage.PAD: ActionCounts(input_read_bits=2 * 15 * 8),
        Stage.HAAR: ActionCounts(adds=8 * 6 * 2, coefficient_write_bits=48 * 10),
        Stage.SCORE: ActionCounts(
            multiplies=48, adds=48, coefficient_read_bits=480, score_write_bits=24 * 20
        ),
        Stage.SELECT: ActionCounts(compares=4 * 24, adds=3 * 256, score_read_bits=4 * 24 * 20),
        Stage.BITMAP: ActionCounts(index_write_bits=24),
        Stage.REQUANTISE: ActionCounts(
            multiplies=12,
            adds=12,
            shifts=12,
            compares=24,
            coefficient_read_bits=120,
            index_read_bits=24,
            kept_write_bits=96,
        ),
        Stage.MAC: ActionCounts(macs=36, kept_read_bits=96, weight_read_bits=24),
        Stage.REQUANTISE_SUM: ActionCounts(
            multiplies=18, adds=18, shifts=18, compares=36, wavelet_write_bits=18 * 16
        ),
        Stage.ZERO_FILL: ActionCounts(index_read_bits=24, wavelet_read_bits=18 * 16),
        Stage.INVERSE: ActionCounts(adds=8 * 18 + 18, shifts=0),
        Stage.REQUANTISE_OUT: ActionCounts(
            multiplies=72, adds=72, shifts=72, compares=144, output_write_bits=45 * 8
        ),
    }


def test_two_levels_reread_the_approximation_once_on_the_way_in_and_once_on_the_way_out() -> None:
    p = WccParameters(keep=Fraction(1, 2), levels=2)
    counts = wcc_actions(p, 1, 1, 4, 4)
    # n_1 = 4, n_2 = 1: five butterflies; the 4 LL words of level 1 are read back; IW = 16 + 4.
    assert counts[Stage.HAAR] == ActionCounts(
        adds=40, coefficient_read_bits=4 * 12, coefficient_write_bits=20 * 12
    )
    assert counts[Stage.INVERSE] == ActionCounts(
        adds=40, shifts=12, wavelet_read_bits=4 * 20, wavelet_write_bits=4 * 20
    )
    assert counts[Stage.SCORE].shifts == 16 - 4


def test_the_papers_example_has_a_quarter_of_the_macs_where_nothing_is_padded() -> None:
    p = WccParameters(keep=Fraction(1, 4), levels=1)
    assert total(wcc_actions(p, 160, 960, 34, 34)).macs * 4 == 160 * 960 * 34 * 34 == 177_561_600


def test_padding_is_charged() -> None:
    """34 x 34 is padded to 40 x 40 at three levels: 400 positions are kept, not 289."""
    assert wcc_actions(WccParameters(), 160, 960, 34, 34)[Stage.MAC].macs == 160 * 960 * 400


@given(PARAMETERS, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), SIZES, SIZES)
@settings(deadline=None, max_examples=60)
def test_every_count_grows_linearly_with_the_output_channels(
    p: WccParameters, channels: int, first: int, second: int, height: int, width: int
) -> None:
    def outputs(count: int) -> ActionCounts:
        counts = wcc_actions(p, channels, count, height, width)
        return total({s: c for s, c in counts.items() if s in _OUTPUT_STAGES})

    both, one, other = outputs(first + second), outputs(first), outputs(second)
    shared = wcc_actions(p, channels, 1, height, width)
    twice = ActionCounts(
        kept_read_bits=shared[Stage.MAC].kept_read_bits,
        index_read_bits=shared[Stage.ZERO_FILL].index_read_bits,
    )
    assert one + other == both + twice


_OUTPUT_STAGES = {
    Stage.MAC,
    Stage.REQUANTISE_SUM,
    Stage.ZERO_FILL,
    Stage.INVERSE,
    Stage.REQUANTISE_OUT,
}


@given(PARAMETERS, st.integers(1, 9), st.integers(1, 9), SIZES, SIZES, st.data())
@settings(deadline=None, max_examples=60)
def test_more_never_costs_less(
    p: WccParameters, inputs: int, outputs: int, height: int, width: int, data: st.DataObject
) -> None:
    """More kept, more channels or a larger map: no count of any stage falls."""
    more_kept = data.draw(st.fractions(p.keep, 1))
    bigger = [data.draw(st.integers(0, 5)) for _ in range(4)]
    small = wcc_actions(p, inputs, outputs, height, width)
    large = wcc_actions(
        replace(p, keep=more_kept),
        inputs + bigger[0],
        outputs + bigger[1],
        height + bigger[2],
        width + bigger[3],
    )
    for stage in Stage:
        pairs = zip(values(small[stage]), values(large[stage]), strict=True)
        assert all(a <= b for a, b in pairs), stage


@given(PARAMETERS, SIZES, SIZES)
@settings(deadline=None, max_examples=60)
def test_what_is_written_between_stages_is_read(p: WccParameters, height: int, width: int) -> None:
    stages = wcc_actions(p, 3, 2, height, width)
    counts = total(stages)
    assert counts.kept_read_bits == counts.kept_write_bits
    assert counts.wavelet_read_bits == counts.wavelet_write_bits
    assert counts.index_read_bits == 2 * counts.index_write_bits  # the gather and the zero-fill
    assert counts.score_read_bits >= counts.score_write_bits
    # Every coefficient is read once: by the score, or by the next level where it is an LL word.
    haar, score = stages[Stage.HAAR], stages[Stage.SCORE]
    assert haar.coefficient_write_bits == haar.coefficient_read_bits + score.coefficient_read_bits


def test_a_rice_coded_index_needs_its_size() -> None:
    p = WccParameters(index="rice")
    with pytest.raises(WccsimError, match="Rice-coded index depends on the data"):
        wcc_actions(p, 1, 1, 8, 8)
    assert wcc_actions(p, 1, 1, 8, 8, index_bits=40)[Stage.BITMAP].index_write_bits == 40


@pytest.mark.parametrize(
    "sizes", [(0, 1, 8, 8), (1, -1, 8, 8), (1, 1, 0, 8), (1, 1, 8, 2.0), (True, 1, 8, 8)]
)
def test_a_size_that_is_no_positive_integer_is_refused(sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(WccsimError, match="allowed: integers from 1"):
        wcc_actions(WccParameters(), *sizes)


def test_keeping_nothing_is_refused() -> None:
    with pytest.raises(WccsimError, match="keeps none"):
        wcc_actions(WccParameters(keep=Fraction(1, 100)), 1, 1, 8, 8)


def test_enormous_sizes_stay_exact() -> None:
    side = 1 << 30
    counts = wcc_actions(WccParameters(), 1 << 17, 1 << 17, side, side)
    assert counts[Stage.MAC].macs == 1 << (17 + 17 + 60 - 2)
