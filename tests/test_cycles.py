"""The closed forms of cycles against an unrolled count, and their laws."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.cycles import WccCycles, wcc_cycles
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters

sizes = st.integers(1, 40)


def walked(p: WccParameters, cin: int, cout: int, h: int, w: int, p_lanes: int, q_lanes: int) -> WccCycles:
    """One tick per lane group and per butterfly, position or bin: the schedule itself, unrolled."""
    step = 1 << p.levels
    hp, wp = h + (-h) % step, w + (-w) % step
    kept = hp * wp * p.keep.numerator // p.keep.denominator

    def transform(channels: int, lanes: int) -> int:
        ticks = 0
        for _ in range(0, channels, lanes):
            rows, columns = hp, wp
            for _ in range(p.levels):
                rows, columns = rows // 2, columns // 2
                ticks += sum(1 for _ in range(rows) for _ in range(columns))
        return ticks

    select, unread = 1, p.score_bits(cin)  # a cycle to start
    while unread > 0:
        select += sum(1 for _ in range(hp * wp)) + sum(1 for _ in range(256))
        unread -= 8
    select += hp * wp + 1  # the marking pass and a cycle to stop
    if p.selection != "exact":
        m = int(p.selection.partition(":")[2])
        bins = range(64 << m)
        a_cycle = max(1, (1 << m) // 8)
        scan = sum(1 for _ in bins[::a_cycle])
        select = hp * wp + max(scan, 512) + hp * wp  # m < 3: the scan's counter runs to 512 all the same
    mac = sum(kept for _ in range(0, cin, p_lanes) for _ in range(0, cout, q_lanes))
    gather = sum(kept for _ in range(0, cin, p_lanes))
    return WccCycles(transform(cin, p_lanes), select, gather, mac, transform(cout, q_lanes))


@settings(max_examples=60, deadline=None)
@given(
    cin=sizes, cout=sizes, h=sizes, w=sizes, p=st.integers(1, 16), q=st.integers(1, 16),
    levels=st.integers(1, 3), keep=st.sampled_from(["1", "1/2", "1/4"]),
    selection=st.sampled_from(["exact", *(f"binned:{m}" for m in range(9))]),
)  # fmt: skip
def test_closed_forms_equal_the_unrolled_schedule(cin, cout, h, w, p, q, levels, keep, selection):
    parameters = WccParameters(keep=Fraction(keep), levels=levels, selection=selection)
    assert wcc_cycles(parameters, cin, cout, h, w, p_lanes=p, q_lanes=q) == walked(
        parameters, cin, cout, h, w, p, q
    )


@settings(max_examples=60, deadline=None)
@given(cin=sizes, cout=sizes, h=sizes, w=sizes, p=st.integers(1, 16), q=st.integers(1, 16))
def test_more_lanes_and_fewer_kept_never_cost_more(cin, cout, h, w, p, q):
    parameters = WccParameters(keep=Fraction(1, 2))
    fewer = WccParameters(keep=Fraction(1, 4))
    base = wcc_cycles(parameters, cin, cout, h, w, p_lanes=p, q_lanes=q).total
    assert wcc_cycles(fewer, cin, cout, h, w, p_lanes=p, q_lanes=q).total <= base
    assert wcc_cycles(parameters, cin, cout, h, w, p_lanes=p + 1, q_lanes=q).total <= base
    assert wcc_cycles(parameters, cin, cout, h, w, p_lanes=p, q_lanes=q + 1).total <= base


def test_the_papers_layer_by_hand():
    """160 -> 960 at 34 x 34 padded to 40 x 40, 25 %: 400 kept, score 14-bit words over 160 channels."""
    cycles = wcc_cycles(WccParameters(), 160, 960, 34, 34, p_lanes=8, q_lanes=8)
    assert cycles.haar == 20 * (400 + 100 + 25)
    assert cycles.select == 5 * (1600 + 256) + 1600 + 2  # score width 35
    assert cycles.gather == 20 * 400
    assert cycles.mac == 20 * 120 * 400
    assert cycles.inverse == 120 * 525
    assert cycles.total == cycles.haar + cycles.select + cycles.gather + cycles.mac + cycles.inverse


def test_sizes_no_memory_could_hold_are_counted_exactly():
    cycles = wcc_cycles(WccParameters(), 1, 1, 1 << 40, 1 << 40, p_lanes=1, q_lanes=1)
    assert cycles.mac == 1 << 78


@pytest.mark.parametrize("bad", [{"in_channels": 0}, {"height": -1}, {"p_lanes": 0}, {"q_lanes": -3}])
def test_what_is_not_a_size_is_refused_in_one_line(bad):
    given = {"in_channels": 8, "out_channels": 8, "height": 8, "width": 8, "p_lanes": 1, "q_lanes": 1} | bad
    with pytest.raises(WccsimError, match="at least 1 is needed"):
        wcc_cycles(WccParameters(), **given)
