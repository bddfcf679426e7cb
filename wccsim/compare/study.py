"""A map under study: what several codecs, switches and rates need of it is worked out once.

Everything kept follows from the map alone, so that no result depends on what was asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy.typing as npt

Map = npt.NDArray[Any]
T = TypeVar("T")


class Study:
    """One map `x` and what is known of it."""

    __slots__ = ("_known", "x")

    def __init__(self, x: Map) -> None:
        self.x = x
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """`make()`, called the first time only; `key` names all it depends on but the map."""
        if key not in self._known:
            self._known[key] = make()
        return cast(T, self._known[key])


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """An array as a key: equal to itself alone."""

    x: Map

    def __hash__(self) -> int:
        return id(self.x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.x is self.x


@lru_cache(maxsize=1)
def _study(same: _Same) -> Study:
    return Study(same.x)


def study_of(x: Map) -> Study:
    """The study of `x`, which nobody changes; the last one is kept."""
    return _study(_Same(x))
