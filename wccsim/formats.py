"""Integer formats, on Python ints alone: what only counts starts without NumPy."""

from __future__ import annotations

from dataclasses import dataclass

from wccsim.errors import WccsimError


@dataclass(frozen=True, slots=True)
class IntFormat:
    """A two's complement (signed) or plain binary (unsigned) integer of `bits` bits."""

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise WccsimError(f"an integer format has 1 to 64 bits, not {self.bits}")

    @property
    def min(self) -> int:
        """Smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Greatest value."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


def bit_length_of_count(count: int) -> int:
    """ceil(log2 count): bits that number `count` things, 0 for one thing."""
    return (count - 1).bit_length()
