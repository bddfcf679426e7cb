"""The one error a user can cause: what was given, what is allowed, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class WccsimError(Exception):
    """A mistake in what the user gave. The message is one line; only the command line exits on it.

    `place`, when known, is put in front as `file:line:column: `.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        self.place = place
        one_line = " ".join(message.split())
        super().__init__(f"{place}: {one_line}" if place else one_line)
