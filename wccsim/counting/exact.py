"""Exact numbers: an int where the value is whole, a Fraction where it is not, never a float."""

from __future__ import annotations

from fractions import Fraction
from typing import Union

Exact = Union[int, Fraction]  # noqa: UP007 - an alias evaluated at run time


def whole(value: Exact) -> Exact:
    """`value` as an int if it is one."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    return value
