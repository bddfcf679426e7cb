"""YAML values with their places: what is read, and the one line every mistake becomes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.located import MAX_BYTES, MAX_DEPTH, Node, brief, load, parse


def plain(node: Node) -> Any:
    """The tree without its places; scalars as text."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


JSON = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc_", min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_the_tree_is_the_one_pyyaml_reads(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert plain(parse(text.encode(), "x")) == yaml.load(text, Loader=yaml.BaseLoader)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("abcxyz", min_size=1, max_size=5), min_size=1, max_size=6, unique=True),
    st.integers(1, 5),
)
def test_places_point_at_the_text(keys: list[str], indent: int) -> None:
    lines = ["top:", *(f"{' ' * indent}{key}: v{key}" for key in keys)]
    top = parse("\n".join(lines).encode(), "f.yaml").entries("file")["top"]
    for row, key in enumerate(keys, start=2):
        assert str(top.key_place(key)) == f"f.yaml:{row}:{indent + 1}"
        assert str(top.entries("top")[key].place) == f"f.yaml:{row}:{indent + len(key) + 3}"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text("a:-[]{}&*!|>'\"#%@`?, \n\t\\0", max_size=60).map(str.encode))
def test_any_bytes_parse_or_are_one_clear_line(content: bytes) -> None:
    try:
        parse(content, "f")
    except WccsimError as problem:
        assert "\n" not in str(problem)
        assert str(problem).startswith("f:")


BAD = {
    b"a: 1\na: 2\n": "f:2:1: key 'a' was given twice; it stands already on line 1",
    b"a: &x 1\n": "f:1:4: anchors (&) and aliases (*) are not allowed here",
    b"a: [*x]\n": "f:1:5: anchors (&) and aliases (*) are not allowed here",
    b"a: !!int 1\n": "f:1:4: the tag 'tag:yaml.org,2002:int' was given; tags are not allowed",
    b"a: !!python/name:os.system\n": "f:1:4: the tag 'tag:yaml.org,2002:python/name:os.system' was given; "
    "tags are not allowed",
    b"? [a]\n: 1\n": "f:1:3: a key must be a text, not a list",
    b"": "f:1:1: 0 YAML documents were given; one is needed",
    b"a\n---\nb\n": "f:1:1: 2 YAML documents were given; one is needed",
    b"a: \xff\n": "f:1:4: this is not UTF-8 text",
    b"ok\n\xe4\n": "f:2:1: this is not UTF-8 text",
    b"a: [1\n": "f:2:1: this is not YAML: ",
    b"\t- a": "f:1:1: this is not YAML: ",
}


@pytest.mark.parametrize("content", BAD)
def test_a_mistake_is_named_where_it_stands(content: bytes) -> None:
    with pytest.raises(WccsimError) as caught:
        parse(content, "f")
    assert str(caught.value).startswith(BAD[content])  # the parser's own words follow "not YAML"


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- "])
def test_depth_is_bounded(opening: bytes) -> None:
    with pytest.raises(WccsimError, match=f"nested deeper than {MAX_DEPTH} levels"):
        parse(opening * 100_000, "f")


def test_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(WccsimError, match=f"at most {MAX_BYTES} are read"):
        load(path)


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(WccsimError, match=r"cannot read .*none\.yaml: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(WccsimError, match=r"cannot read .*: Is a directory"):
        load(tmp_path)


def scalar(text: str) -> Node:
    return parse(f"v: {text}".encode(), "f").entries("file")["v"]


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**9), 10**9))
def test_integers_are_read_exactly(number: int) -> None:
    assert scalar(str(number)).integer("n", -(10**9), 10**9) == number
    with pytest.raises(WccsimError, match="allowed: 0 to 7"):
        scalar(str(abs(number) + 8)).integer("n", 0, 7)


@pytest.mark.parametrize(
    "text", ["1.0", "1e3", "0x10", "'1'", "true", "", "[1]", "{a: 1}", "9" * 40, "٣", "one"]
)
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(WccsimError, match=r"^f:1:\d+: n: .* was given; an integer 0 to 9 is needed$"):
        scalar(text).integer("n", 0, 9)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("-.5", -0.5), ("1_000.25", 1000.25), ("2e-3", 0.002), ("+7.", 7.0)]
)
def test_numbers(text: str, value: float) -> None:
    assert scalar(text).number("n", -10, 10_000) == value


@pytest.mark.parametrize("text", [".nan", ".inf", "1e999", "1,5", "'1'", "٣", "--1", "[1]"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(WccsimError, match=r"^f:1:\d+: n: "):
        scalar(text).number("n", -10, 10)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("No", False), ("on", True), ("FALSE", False)])
def test_booleans(text: str, value: bool) -> None:
    assert scalar(text).boolean("b") is value


@pytest.mark.parametrize("text", ["1", "'true'", "", "[true]", "maybe"])
def test_what_is_no_boolean_is_refused(text: str) -> None:
    with pytest.raises(WccsimError, match="allowed: true, false"):
        scalar(text).boolean("b")


def test_texts_and_choices() -> None:
    assert scalar("abc").text("t") == "abc"
    assert scalar("'null'").text("t") == "null"
    for nothing in ("", "~", "null", "[a]"):
        with pytest.raises(WccsimError, match="a text is needed"):
            scalar(nothing).text("t")
    with pytest.raises(WccsimError, match="'c' was given; allowed: a, b"):
        scalar("c").text("t", ("a", "b"))


def test_keys_are_checked_where_they_stand() -> None:
    node = parse(b"one: 1\n  \ntwo: 2\n", "f")
    assert list(node.mapping("it", ("one", "two"), ("one",))) == ["one", "two"]
    with pytest.raises(WccsimError, match=r"^f:3:1: it: unknown key 'two'; allowed: one$"):
        node.mapping("it", ("one",))
    with pytest.raises(WccsimError, match=r"^f:1:1: it: key 'three' is missing; required: three$"):
        node.mapping("it", ("one", "two", "three"), ("three",))
    with pytest.raises(WccsimError, match="a mapping is needed"):
        scalar("[1]").entries("it")
    with pytest.raises(WccsimError, match="a list is needed"):
        scalar("{a: 1}").items("it")


def test_a_long_value_is_shown_in_brief() -> None:
    assert brief("short") == "'short'"
    with pytest.raises(WccsimError) as caught:
        scalar("x" * 100_000).integer("n", 0, 1)
    assert len(str(caught.value)) < 200
