"""The setting of an integer knob that costs a wanted number of bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE = 0.01
_GUESS_MARGIN = 0.08
GOOD_ENOUGH = 0.008  # share of the target within which a search stops


@dataclass(frozen=True, slots=True)
class Found:
    """The knob whose bits came nearest to the target, and the knobs next to the target on either side.

    `over` costs at least the target, `under` at most it; each is None where no knob seen does.
    """

    knob: int
    bits: int
    over: int | None
    under: int | None


def within(bits: float, target: float) -> bool:
    """Whether `bits` is the target within 1 %."""
    return abs(bits - target) <= TOLERANCE * target


def solve(
    bits_of: Callable[[int], int],
    low: int,
    high: int,
    target: float,
    guess: int | None = None,
    stop: float = GOOD_ENOUGH,
    shape: Callable[[int], int] | None = None,
) -> Found:
    """The knob in low..high whose bits come nearest to `target`; ties go to the fewer bits.

    False position on a bracket, halved every third time so that a curve of any shape ends in
    log2(high - low) halvings. Stops within `stop` of the target. Where the codec is not quite monotone the
    nearest knob that was seen counts. Around `guess` a bracket of 8 % is tried before the whole range.
    `shape`, cheap, falls along the knob roughly as the bits do: the straight line is then drawn over it.
    """
    seen: dict[int, int] = {}

    def missed(knob: int) -> float:
        if knob not in seen:
            seen[knob] = bits_of(knob)
        return seen[knob] - target

    def done() -> bool:
        return any(abs(bits - target) <= stop * target for bits in seen.values())

    if guess is not None:
        low, high = _around(missed, done, guess, low, high)
    first, last, turn = low, high, 0
    rising = done() or missed(low) <= missed(high)
    while last - first > 1 and not done():
        below, above = missed(first), missed(last)
        if (below > 0) == (above > 0):
            break  # the target is outside the range
        turn += 1
        share = 0.5 if turn % 3 == 0 else below / (below - above)
        middle = _between(first, last, share, shape if turn % 3 else None)
        if (missed(middle) < 0) == rising:
            first = middle
        else:
            last = middle
    best = min(seen, key=lambda knob: (abs(seen[knob] - target), seen[knob], knob))
    over = min((k for k in seen if seen[k] >= target), key=lambda k: (seen[k], k), default=None)
    under = max((k for k in seen if seen[k] <= target), key=lambda k: (seen[k], -k), default=None)
    return Found(best, seen[best], over, under)


def _between(first: int, last: int, share: float, shape: Callable[[int], int] | None) -> int:
    """The knob strictly inside first..last where `shape` has gone `share` of its way."""
    if shape is None:
        return min(last - 1, max(first + 1, first + round((last - first) * share)))
    wanted = shape(first) - (shape(first) - shape(last)) * share
    low, high = first + 1, last - 1
    while low < high:
        middle = (low + high) // 2
        if shape(middle) > wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _around(
    missed: Callable[[int], float], done: Callable[[], bool], guess: int, low: int, high: int
) -> tuple[int, int]:
    """A bracket near `guess`, from as few evaluations as may be; the whole range where there is none.

    Bits fall along the knob wherever a guess is given.
    """
    guess, margin = min(high, max(low, guess)), max(1, round(guess * _GUESS_MARGIN))
    if missed(guess) > 0:
        other = min(high, guess + margin)
        return (guess, other) if done() or missed(other) <= 0 else (other, high)
    other = max(low, guess - margin)
    return (other, guess) if done() or missed(other) >= 0 else (low, other)
