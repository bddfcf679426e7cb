"""`$name` and `$(expression)` in a network description: integers, comparisons, nothing else.

An expression is parsed, every node of it checked against a short list, and evaluated on exact
integers of at most 2**40; nothing is looked up but the values given.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from wccsim.errors import Place, WccsimError
from wccsim.located import Node, brief

MAX_LENGTH = 120
MAX_TEXT = 1000
MAX_MAGNITUDE = 1 << 40
ALLOWED = "+ - * // % == != < <= > >= and or not if-else, brackets, integers and names"
Scalar = int | str
Value = Scalar | Node

_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.AST], Callable[[Scalar, Scalar], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ORDERS: dict[type[ast.AST], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def substitute(node: Node, values: Mapping[str, Value]) -> Node:
    """`node` with every `$` in it replaced; a text that is one `$name` becomes that value itself."""
    if isinstance(node.value, list):
        return Node([substitute(item, values) for item in node.value], node.place)
    if isinstance(node.value, dict):
        entries = {key: substitute(item, values) for key, item in node.value.items()}
        return Node(entries, node.place, key_places=node.key_places)
    if "$" not in node.value:
        return node
    pieces = list(_pieces(node.value, values, node.place))
    if len(pieces) == 1 and isinstance(pieces[0], Node):
        return pieces[0]
    if len(pieces) == 1 and isinstance(pieces[0], int):
        return Node(str(pieces[0]).lower(), node.place)  # 3, or true
    texts = [str(_scalar(piece, node.place)) for piece in pieces]
    if sum(map(len, texts)) > MAX_TEXT:
        raise WccsimError(f"this becomes a text of more than {MAX_TEXT} characters", node.place)
    return Node("".join(texts), node.place, quoted=True)


def _pieces(text: str, values: Mapping[str, Value], place: Place) -> Iterator[Value]:
    """The literal texts and the values of the expressions, in order; `$$` stands for `$`."""
    position = 0
    while position < len(text):
        dollar = text.find("$", position)
        if dollar != position:
            dollar = len(text) if dollar < 0 else dollar
            yield text[position:dollar]
            position = dollar
            continue
        if text.startswith("$$", position):
            yield "$"
            position += 2
            continue
        end = _closing(text, position + 1, place)
        word = text[position + 1 : end]
        yield evaluate(word[1:-1], values, place) if word.startswith("(") else _look_up(word, values, place)
        position = end


def _closing(text: str, start: int, place: Place) -> int:
    """Where the word, or the bracket, that starts at `start` ends."""
    end, depth = start, 0
    if text.startswith("(", start):
        while end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                return end
        raise WccsimError(f"{brief(text)}: the bracket after $ is not closed", place)
    while end < len(text) and (text[end].isalnum() or text[end] == "_") and text[end].isascii():
        end += 1
    if end == start or text[start].isdigit():
        raise WccsimError(
            f"{brief(text)}: after $ a name or (expression) is needed; $$ stands for one $", place
        )
    return end


def _look_up(name: str, values: Mapping[str, Value], place: Place) -> Value:
    if name not in values:
        raise WccsimError(
            f"${name[:60]} is not known here; known: {', '.join(sorted(values)) or 'none'}", place
        )
    return values[name]


def _scalar(value: Value, place: Place) -> Scalar:
    """An integer or text from a parameter as it was written."""
    if not isinstance(value, Node):
        return value
    if not isinstance(value.value, str):
        raise WccsimError(f"{value.kind} stands where an integer or a text is needed", place)
    text = value.value
    if not value.quoted and text in ("true", "false"):
        return text == "true"
    if not value.quoted and len(text) < 16 and text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        return int(text)
    return text


def evaluate(text: str, values: Mapping[str, Value], place: Place) -> Scalar:
    """The value of an expression such as `channels * expand // 2`.

    Raises WccsimError at `place` for anything but integers, texts, names of `values` and the operators
    allowed, for a division by zero and for a magnitude beyond MAX_MAGNITUDE.
    """
    if len(text) > MAX_LENGTH:
        raise WccsimError(f"an expression of {len(text)} characters; allowed: {MAX_LENGTH}", place)
    expression = _Expression(text, values, place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns of `1if a`; here it is refused
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, Warning, ValueError, MemoryError, RecursionError):
        expression.fail("cannot be read")
    return expression.value(tree)


@dataclass(frozen=True, slots=True)
class _Expression:
    """An expression being evaluated: its text and place for messages, and what its names stand for."""

    text: str
    values: Mapping[str, Value]
    place: Place

    def fail(self, why: str) -> NoReturn:
        raise WccsimError(f"expression {self.text!r}: {why}; allowed: {ALLOWED}", self.place)

    def value(self, node: ast.expr) -> Scalar:
        """The value of a part of the expression."""
        number, value = self.number, self.value
        match node:
            case ast.Constant(value=int() | str() as constant):
                return constant
            case ast.Name(id=name):
                return _scalar(_look_up(name, self.values, self.place), self.place)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -number(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not number(operand)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
                return self.bounded(_OPERATORS[type(sign)], number(left), number(right))
            case ast.BoolOp(op=joint, values=parts):
                return (all if isinstance(joint, ast.And) else any)([number(part) for part in parts])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return value(body) if number(test) else value(orelse)
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARISONS:
                return _COMPARISONS[type(sign)](value(left), value(right))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _ORDERS:
                return _ORDERS[type(sign)](number(left), number(right))
        self.fail("not understood")

    def number(self, node: ast.expr) -> int:
        """The value of a part that must be an integer."""
        found = self.value(node)
        return found if isinstance(found, int) else self.fail(f"{found!r} is not an integer")

    def bounded(self, sign: Callable[[int, int], int], left: int, right: int) -> int:
        """The result of an operation, refused beyond MAX_MAGNITUDE."""
        try:
            result = sign(left, right)
        except ZeroDivisionError:
            self.fail("divides by zero")
        return result if abs(result) <= MAX_MAGNITUDE else self.fail(f"its value is beyond {MAX_MAGNITUDE}")
