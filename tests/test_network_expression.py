"""`$name` and `$(expression)`: Python's own integers where allowed, one clear line everywhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import Place, WccsimError
from wccsim.located import Node, parse
from wccsim.network.expression import MAX_MAGNITUDE, evaluate, substitute

HERE = Place("f", 1, 1)
VALUES = {"a": 3, "b": 10, "word": "half", "flag": parse(b"true", "f"), "list": parse(b"[1, 2]", "f")}

ATOMS = st.sampled_from(["a", "b", "0", "1", "7", "12"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner)
        | st.builds("({} if {} else {})".format, inner, inner, inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("-{}".format, inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_an_expression_has_the_value_python_gives_it(text: str) -> None:
    """`and`, `or` and `not` give a truth value here, as a condition needs."""
    try:
        wanted = eval(text, {"__builtins__": {}}, {"a": 3, "b": 10})
    except ZeroDivisionError:
        with pytest.raises(WccsimError, match="divides by zero"):
            evaluate(text, VALUES, HERE)
        return
    if " and " not in text and " or " not in text and len(text) <= 120:
        assert evaluate(text, VALUES, HERE) == wanted


@settings(max_examples=400, deadline=None)
@given(st.text("ab()[]{}$+-*/%<>=! .,:'\"0189xlambdif_@~^&|\\\n\t\0", max_size=40))
def test_any_text_is_a_value_or_one_clear_line(text: str) -> None:
    try:
        evaluate(text, VALUES, HERE)
        substitute(Node(text, HERE), VALUES)
    except WccsimError as problem:
        assert "\n" not in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        "a ** b",
        "a / b",
        "a << 3",
        "1.5",
        "f(a)",
        "a.b",
        "a[0]",
        "[a]",
        "lambda: 1",
        "a < b < 3",
        "a if",
        "None",
        "b'x'",
        "(a := 3)",
        "word + 1",
        "list + 1",
        "1" * 100 + " * 2",
        "(" * 60 + "a" + ")" * 60,
        "a" * 121,
        "nope",
        "1if a else b",
        "'\\d' == word",
        "",
    ],
)
def test_what_is_not_allowed_is_refused(text: str) -> None:
    with pytest.raises(WccsimError, match=r"^f:1:1: "):
        evaluate(text, VALUES, HERE)


def test_values_are_bounded() -> None:
    assert evaluate("1048576 * 1048576", {}, HERE) == MAX_MAGNITUDE
    with pytest.raises(WccsimError, match="beyond"):
        evaluate("1048576 * 1048577", {}, HERE)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        ("$a", "3"),
        ("$name.dw", "x.dw"),
        ("$(a + 1)", "4"),
        ("n$(a * (b - 1)).c$a", "n27.c3"),
        ("$$a", "$a"),
        ("cost $$$a", "cost $3"),
        ("$(a > 1)", "true"),
        ("$(word == 'half')", "true"),
        ("$flag", "true"),
    ],
)
def test_texts_are_substituted(text: str, wanted: str) -> None:
    assert substitute(Node(text, HERE), {**VALUES, "name": "x"}).value == wanted


def test_a_whole_value_keeps_its_structure() -> None:
    assert substitute(Node("$list", HERE), VALUES) is VALUES["list"]
    with pytest.raises(WccsimError, match="a list stands where an integer or a text is needed"):
        substitute(Node("x$list", HERE), VALUES)
    nested = parse(b"{from: [$a, b], kernel: $b}", "f")
    assert [item.value for item in substitute(nested, VALUES).entries("it")["from"].items("it")] == ["3", "b"]


@pytest.mark.parametrize(
    ("text", "said"), [("$", "after $"), ("$1", "after $"), ("$(a", "not closed"), ("$c", "known:")]
)
def test_a_dollar_needs_a_name(text: str, said: str) -> None:
    with pytest.raises(WccsimError, match=r"^f:1:1: ") as caught:
        substitute(Node(text, HERE), VALUES)
    assert said in str(caught.value)
