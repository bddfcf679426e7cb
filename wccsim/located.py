"""YAML values that know where they stand, so that every error names file, line and column.

The tree is built from the parser's events with an own stack: depth and size are bounded, duplicate
keys, aliases and tags are refused, and nothing is ever constructed but plain scalars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes

MAX_DEPTH = 40
MAX_BYTES = 2 << 20
MAX_SHOWN = 60

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_NUMBER = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}


def brief(text: str) -> str:
    """`text` quoted for a message, its middle left out where it is long."""
    return repr(text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 13]} ... {text[-8:]}")


@dataclass(frozen=True, slots=True)
class Node:
    """One YAML value: text (scalar), list[Node] or dict[str, Node], with the place it stands at."""

    value: str | list[Node] | dict[str, Node]
    place: Place
    quoted: bool = False
    key_places: dict[str, Place] | None = None

    def fail(self, message: str) -> NoReturn:
        """Raise WccsimError at this node's place."""
        raise WccsimError(message, self.place)

    @property
    def kind(self) -> str:
        """What a person would call it."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return brief(self.value) if self.value or self.quoted else "nothing"

    @property
    def is_mapping(self) -> bool:
        """Whether it is keys with values."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, list)

    @property
    def is_null(self) -> bool:
        """Whether nothing stands there: no value, `~` or `null`, not in quotes."""
        return not self.quoted and self.value in ("", "~", "null")

    def mapping(self, what: str, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, Node]:
        """The mapping's entries; an unknown or missing key is an error that lists the allowed ones."""
        entries = self.entries(what)
        for key in entries:
            if key not in allowed:
                raise WccsimError(
                    f"{what}: unknown key {brief(key)}; allowed: {', '.join(allowed)}",
                    self.key_place(key),
                )
        for key in required:
            if key not in entries:
                self.fail(f"{what}: key {key!r} is missing; required: {', '.join(required)}")
        return entries

    def entries(self, what: str) -> dict[str, Node]:
        """The mapping's entries, whatever their keys."""
        if not isinstance(self.value, dict):
            self.fail(f"{what}: {self.kind} was given; a mapping is needed")
        return self.value

    def key_place(self, key: str) -> Place:
        """Where a key of this mapping stands."""
        return (self.key_places or {}).get(key, self.place)

    def items(self, what: str) -> list[Node]:
        """The list's items."""
        if not isinstance(self.value, list):
            self.fail(f"{what}: {self.kind} was given; a list is needed")
        return self.value

    def text(self, what: str, choices: tuple[str, ...] = ()) -> str:
        """A non-empty scalar as text, one of `choices` where they are given."""
        if not isinstance(self.value, str) or self.is_null:
            self.fail(f"{what}: {self.kind} was given; a text is needed")
        if choices and self.value not in choices:
            self.fail(f"{what}: {self.kind} was given; allowed: {', '.join(choices)}")
        return self.value

    def boolean(self, what: str) -> bool:
        """true or false."""
        word = self.value.lower() if isinstance(self.value, str) and not self.quoted else ""
        if word not in _WORDS:
            self.fail(f"{what}: {self.kind} was given; allowed: true, false")
        return _WORDS[word]

    def integer(self, what: str, low: int, high: int) -> int:
        """A decimal integer in low..high."""
        if not self._matches(_INTEGER) or len(str(self.value)) > 30:
            self.fail(f"{what}: {self.kind} was given; an integer {low} to {high} is needed")
        number = int(str(self.value).replace("_", ""))
        if not low <= number <= high:
            self.fail(f"{what}: {self.value} was given; allowed: {low} to {high}")
        return number

    def number(self, what: str, low: float, high: float) -> float:
        """A finite decimal number in low..high."""
        if not self._matches(_NUMBER):
            self.fail(f"{what}: {self.kind} was given; a number {low:g} to {high:g} is needed")
        number = float(str(self.value).replace("_", ""))
        if not low <= number <= high:
            self.fail(f"{what}: {self.kind} was given; allowed: {low:g} to {high:g}")
        return number

    def _matches(self, pattern: re.Pattern[str]) -> bool:
        return isinstance(self.value, str) and not self.quoted and bool(pattern.fullmatch(self.value))


def load(path: Path | str) -> Node:
    """The file's one YAML document as a tree of nodes."""
    return parse(read_bytes(path, MAX_BYTES), str(path))


def parse(content: bytes, name: str) -> Node:
    """As `load`, from bytes; `name` stands for the file in errors."""
    try:
        text = content.decode("utf-8")
        roots = list(_build(yaml.parse(text, Loader=_Loader), name))
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        column = problem.start - content.rfind(b"\n", 0, problem.start)
        raise WccsimError("this is not UTF-8 text", Place(name, line, column)) from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
        raise WccsimError(f"this is not YAML: {problem.problem or problem.context}", place) from None
    except yaml.YAMLError as problem:
        raise WccsimError(f"this is not YAML: {problem}", Place(name, 1, 1)) from None
    if len(roots) != 1:
        raise WccsimError(f"{len(roots)} YAML documents were given; one is needed", Place(name, 1, 1))
    return roots[0]


def _build(events: Iterator[yaml.Event], name: str) -> Iterator[Node]:
    """Root nodes from parser events. Open containers wait on a stack with their pending key."""
    stack: list[tuple[Node, list[Node | None]]] = []
    for event in events:
        mark = event.start_mark
        assert mark is not None
        place = Place(name, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise WccsimError("anchors (&) and aliases (*) are not allowed here", place)
        if tag := getattr(event, "tag", None):
            raise WccsimError(f"the tag {brief(tag)} was given; tags are not allowed", place)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(stack) == MAX_DEPTH:
                raise WccsimError(f"nested deeper than {MAX_DEPTH} levels", place)
            mapping = isinstance(event, yaml.MappingStartEvent)
            stack.append((Node({} if mapping else [], place, key_places={} if mapping else None), [None]))
            continue
        if isinstance(event, yaml.ScalarEvent):
            node = Node(event.value, place, quoted=event.style in ("'", '"'))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node = stack.pop()[0]
        else:
            continue
        if not stack:
            yield node
        else:
            _attach(*stack[-1], node)


def _attach(parent: Node, pending: list[Node | None], child: Node) -> None:
    """Append to a list; in a mapping a child is a key first, then that key's value."""
    if isinstance(parent.value, list):
        parent.value.append(child)
        return
    assert isinstance(parent.value, dict) and parent.key_places is not None
    if pending[0] is not None:
        parent.value[str(pending[0].value)] = child
        pending[0] = None
        return
    if not isinstance(child.value, str):
        child.fail(f"a key must be a text, not {child.kind}")
    if child.value in parent.key_places:
        first = parent.key_places[child.value]
        child.fail(f"key {brief(child.value)} was given twice; it stands already on line {first.line}")
    parent.key_places[child.value] = child.place
    pending[0] = child
