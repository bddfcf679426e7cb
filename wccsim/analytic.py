"""What a WCC layer does, stage by stage, from its shapes alone: exact action counts.

Every formula is a row of docs/actions.md. Running the data gives the same counts by another route
(`wccsim.datapath`); the two never meet but in the agreement test.
"""

from __future__ import annotations

from dataclasses import dataclass

from wccsim.actions import ActionCounts, Stage
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters, butterflies

RADIX_BITS = 8  # digit of the exact selection's radix passes
BINS = 1 << RADIX_BITS
BINNED_EXPONENTS = 64  # of the binned selection: leading ones of a score, and zero


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbers that the rows of docs/actions.md share, under the names used there."""

    p: WccParameters
    C: int
    O: int  # noqa: E741
    input_values: int
    output_values: int
    N: int
    k: int
    level_butterflies: tuple[int, ...]
    B: int
    coefficient_bits: int
    score_bits: int
    index_bits: int
    word_bits: int

    @property
    def last(self) -> int:
        """n_L: words of the last LL band, and butterflies of the last level where there is one."""
        return self.N >> (2 * self.p.levels)


def wcc_actions(
    parameters: WccParameters,
    in_channels: int,
    out_channels: int,
    height: int,
    width: int,
    *,
    index_bits: int | None = None,
    word_bits: int | None = None,
    approximations_kept: int | None = None,
) -> dict[Stage, ActionCounts]:
    """Actions of one WCC layer on one in_channels x height x width map, for every stage in order.

    `index_bits` is the size of the index memory; without it the closed form of the bitmap or the
    list is used. A Rice-coded index has none: WccsimError asks for the size. `word_bits` is the size
    of the stored kept words of all channels, likewise; with `detail_bits`, `approximations_kept`, how many
    kept positions lie in LL, gives it too. A plain layer (levels 0) has no index. WccsimError too where a
    size is not a positive integer or `parameters.keep` keeps no position.
    """
    sizes = (in_channels, out_channels, height, width)
    plan = _plan(parameters, *sizes, index_bits, word_bits, approximations_kept)
    if parameters.plain:
        return _plain(plan)
    return {
        Stage.PAD: ActionCounts(input_read_bits=plan.input_values * parameters.in_bits),
        Stage.HAAR: _haar(plan),
        Stage.SCORE: _score(plan),
        Stage.SELECT: _select(plan),
        Stage.BITMAP: ActionCounts(index_write_bits=plan.index_bits),
        Stage.REQUANTISE: _requantise(plan),
        Stage.MAC: ActionCounts(
            macs=plan.C * plan.O * plan.k,
            kept_read_bits=plan.word_bits,
            weight_read_bits=plan.C * plan.O * parameters.weight_bits,
        ),
        Stage.REQUANTISE_SUM: _requantised(parameters, plan.O * plan.k)
        + ActionCounts(wavelet_write_bits=plan.O * plan.k * parameters.wavelet_bits),
        Stage.ZERO_FILL: ActionCounts(
            index_read_bits=plan.index_bits,
            wavelet_read_bits=plan.O * plan.k * parameters.wavelet_bits,
        ),
        Stage.INVERSE: _inverse(plan),
        Stage.REQUANTISE_OUT: _requantised(parameters, plan.O * plan.N)
        + ActionCounts(output_write_bits=plan.output_values * parameters.out_format().bits),
    }


def _plan(
    p: WccParameters,
    in_channels: int,
    out_channels: int,
    height: int,
    width: int,
    index_bits: int | None,
    word_bits: int | None,
    approximations_kept: int | None,
) -> _Plan:
    sizes = (
        ("input channels", in_channels),
        ("output channels", out_channels),
        ("height", height),
        ("width", width),
    )
    for what, given in sizes:
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise WccsimError(f"{what} is {given!r}; allowed: integers from 1")
    positions, kept = p.positions(height, width), p.kept(height, width)
    if index_bits is None:
        index_bits = p.index_bits(positions, kept)
    else:
        _size("index_bits", index_bits)
    if p.plain and index_bits:
        raise WccsimError(f"index_bits is {index_bits}; a plain layer (levels 0) has no index")
    return _Plan(
        p=p,
        C=in_channels,
        O=out_channels,
        input_values=in_channels * height * width,
        output_values=out_channels * height * width,
        N=positions,
        k=kept,
        level_butterflies=tuple(positions >> (2 * level) for level in range(1, p.levels + 1)),
        B=butterflies(positions, p.levels),
        coefficient_bits=p.coefficient_bits(),
        score_bits=p.score_bits(in_channels),
        index_bits=index_bits,
        word_bits=_word_bits(p, in_channels, kept, word_bits, approximations_kept),
    )


def _word_bits(
    p: WccParameters, channels: int, kept: int, word_bits: int | None, approximations_kept: int | None
) -> int:
    """Bits of the stored kept words of all channels: given, or those of fixed widths."""
    if word_bits is not None:
        _size("word_bits", word_bits)
        return word_bits
    if p.words == "rice":
        raise WccsimError("the size of Rice-coded words depends on the data; encode them to know")
    return channels * p.kept_word_bits(kept, approximations_kept)


def _size(what: str, given: object) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise WccsimError(f"{what} is {given!r}; allowed: integers from 0")


def _plain(plan: _Plan) -> dict[Stage, ActionCounts]:
    """A plain layer: no stage between reading and R1, nor between R2 and R3, stores a word."""
    p, inputs, outputs = plan.p, plan.C * plan.N, plan.O * plan.N
    return {stage: ActionCounts() for stage in Stage} | {
        Stage.PAD: ActionCounts(input_read_bits=inputs * p.in_bits),
        Stage.REQUANTISE: _requantised(p, inputs) + ActionCounts(kept_write_bits=plan.word_bits),
        Stage.MAC: ActionCounts(
            macs=plan.C * outputs,
            kept_read_bits=plan.word_bits,
            weight_read_bits=plan.C * plan.O * p.weight_bits,
        ),
        Stage.REQUANTISE_SUM: _requantised(p, outputs),
        Stage.INVERSE: ActionCounts(adds=outputs if p.bias else 0),
        Stage.REQUANTISE_OUT: _requantised(p, outputs)
        + ActionCounts(output_write_bits=outputs * p.out_format().bits),
    }


def _haar(plan: _Plan) -> ActionCounts:
    all_butterflies = plan.B * plan.C
    adds, shifts = 8, 0
    if plan.p.haar != "exact":
        shifts = 4
        adds += 0 if plan.p.haar in ("orthonormal_floor", "lifting") else 4
    reread = plan.C * sum(4 * n for n in plan.level_butterflies[1:])
    return ActionCounts(
        adds=adds * all_butterflies,
        shifts=shifts * all_butterflies,
        coefficient_read_bits=reread * plan.coefficient_bits,
        coefficient_write_bits=4 * all_butterflies * plan.coefficient_bits,
    )


def _score(plan: _Plan) -> ActionCounts:
    values = plan.C * plan.N
    operations = {
        "l2": {"multiplies": values, "adds": values},
        "l1": {"adds": values, "compares": values},
        "max": {"compares": 2 * values},
    }[plan.p.score]
    # A shift aligns every band but those on the finest grid: the last level's four (exact), HH_1 (lifting).
    finest = {"exact": 4 * plan.last, "lifting": plan.level_butterflies[0]}.get(plan.p.haar, plan.N)
    aligned = plan.C * (plan.N - finest)
    return ActionCounts(
        shifts=aligned,
        coefficient_read_bits=values * plan.coefficient_bits,
        score_write_bits=plan.N * plan.score_bits,
        **operations,
    )


def _select(plan: _Plan) -> ActionCounts:
    if plan.p.selection == "exact":
        passes = -(-plan.score_bits // RADIX_BITS)
        sweeps, adds = passes + 1, BINS * passes
    else:
        assert plan.p.mantissa_bits is not None
        sweeps, adds = 2, BINNED_EXPONENTS << plan.p.mantissa_bits
    return ActionCounts(
        compares=sweeps * plan.N, adds=adds, score_read_bits=sweeps * plan.N * plan.score_bits
    )


def _requantised(p: WccParameters, values: int) -> ActionCounts:
    """Operations of one requantiser on `values` words."""
    roundings = 2 if p.requantise_mode == "tflite_double" else 1
    return ActionCounts(
        multiplies=values, adds=roundings * values, shifts=roundings * values, compares=2 * values
    )


def _requantise(plan: _Plan) -> ActionCounts:
    values = plan.C * plan.k
    return _requantised(plan.p, values) + ActionCounts(
        coefficient_read_bits=values * plan.coefficient_bits,
        index_read_bits=plan.index_bits,
        kept_write_bits=plan.word_bits,
    )


def _inverse(plan: _Plan) -> ActionCounts:
    # Every level but the first hands its approximation on: 4 n_l words, l >= 2, which is n_(l-1)
    # summed, since n_(l-1) = 4 n_l.
    handed_on = plan.O * (plan.B - plan.last)
    word = plan.p.inverse_bits()
    adds, shifts = 8 * plan.B, 3 * (plan.B - plan.last)
    if plan.p.haar != "exact":
        shifts = 4 * plan.B
        adds += 0 if plan.p.haar in ("orthonormal_floor", "lifting") else 4 * plan.B
    return ActionCounts(
        adds=plan.O * (adds + (plan.last if plan.p.bias else 0)),
        shifts=plan.O * shifts,
        wavelet_read_bits=handed_on * word,
        wavelet_write_bits=handed_on * word,
    )
