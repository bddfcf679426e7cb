"""What is written reads back as the same layers: shipped networks, and random ones."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.network import catalog
from wccsim.network.description import parse_network
from wccsim.network.entries import READERS
from wccsim.network.model import Network
from wccsim.network.writer import scalar, yaml_text


def same(first: Network, second: Network) -> bool:
    fields = ("name", "layers", "source", "surrogate", "unsupported")
    return all(getattr(first, field) == getattr(second, field) for field in fields)


@pytest.mark.parametrize("name", catalog.names())
def test_a_shipped_network_survives(name: str) -> None:
    network = catalog.load_network(name)
    assert same(parse_network(yaml_text(network).encode(), "x", allow_unsupported=True), network)


def test_what_could_not_be_read_back_is_not_written() -> None:
    first, second = catalog.load_network("neighcnn_surrogate").layers[:2]
    network = Network("n", (first, *(replace(second, name=f"c{index}") for index in range(20_001))))
    with pytest.raises(WccsimError, match=r"n has 20002 layers, .* at most 20000 layers and 2097152 bytes"):
        yaml_text(network)


ANY_NAME = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=8
)
SIZES = st.integers(1, 4)
OPERATORS = [op for op in READERS if op not in ("reshape", "fully_connected")] + ["squeeze_excite"]


@st.composite
def window(draw: st.DrawFn) -> dict[str, Any]:
    keys: dict[str, Any] = {"kernel": draw(st.one_of(SIZES, st.lists(SIZES, min_size=2, max_size=2)))}
    keys["stride"] = draw(st.one_of(SIZES, st.lists(SIZES, min_size=2, max_size=2)))
    if draw(st.booleans()):
        keys["dilation"] = draw(st.integers(1, 2))
    keys["padding"] = draw(
        st.sampled_from(["valid", "same", "same_lower", "symmetric"])
        | st.integers(0, 3)
        | st.lists(st.integers(0, 3), min_size=2, max_size=2)
        | st.lists(st.integers(0, 3), min_size=4, max_size=4)
    )
    return keys


CONV_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "weight_bits": st.integers(1, 16),
        "act_bits": st.integers(1, 16),
        "levels": st.integers(1, 5),
        "wcc": st.booleans(),
        "exempt": st.booleans(),
        "bias": st.booleans(),
        "count": st.booleans(),
        "part": ANY_NAME,
    },
)


@st.composite
def entry(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(OPERATORS))
    keys: dict[str, Any] = {op: draw(ANY_NAME)}
    if op in ("conv", "depthwise", "max_pool", "average_pool"):
        keys |= draw(window())
    if op in ("max_pool", "average_pool"):
        keys["ceil"] = draw(st.booleans())
    if op in ("conv", "conv_transpose", "matmul"):
        keys |= {"out": draw(st.integers(1, 4)) * 2, "groups": draw(st.sampled_from([1, 1, 2]))}
    if op == "conv_transpose":
        keys |= {"kernel": draw(SIZES), "stride": draw(SIZES), "output_padding": draw(st.integers(0, 2))}
    if op in ("conv", "depthwise", "conv_transpose", "matmul"):
        keys |= draw(CONV_SETTINGS)
    if op == "conv" and draw(st.booleans()):
        keys = {"conv": keys["conv"], "out": 4, "keep": draw(st.sampled_from(["25%", "1/3", "0.125"]))}
    return keys | draw(OWN_KEYS.get(op, st.just({})))


OWN_KEYS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "pad": st.builds(dict, padding=st.lists(st.integers(0, 3), min_size=4, max_size=4)),
    "upsample": st.builds(dict, factor=SIZES) | st.builds(dict, size=st.just("37x41")),
    "activation": st.builds(dict, function=st.sampled_from(["relu", "clip"])) | st.just({}),
    "slice": st.builds(dict, out=st.just(1)) | st.builds(dict, shape=st.just("1x1x1")),
    "squeeze_excite": st.builds(dict, reduced=SIZES, act_bits=st.integers(1, 9)),
    "unsupported": st.builds(dict, shape=st.just("4x6x6"), operator=ANY_NAME),
}


def as_yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(as_yaml, value))}]"
    return scalar(value, substituted=True) if isinstance(value, str) else str(value)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(entry(), st.integers(0, 9)), min_size=1, max_size=10),
    st.lists(ANY_NAME, min_size=1, max_size=3, unique=True),
    st.booleans(),
    st.sampled_from(["", "defaults: {act_bits: 4}\n", "settings:\n  - {match: '*', act_bits: 5, part: p}\n"]),
    ANY_NAME,
)
def test_a_random_network_survives(
    entries: list[tuple[dict[str, Any], int]], inputs: list[str], surrogate: bool, head: str, title: str
) -> None:
    """Entries that do not fit the map before them are left out; what stays is written and read."""
    top = f"name: {scalar(title)}\nsource: {scalar(title)}\nsurrogate: {as_yaml(surrogate)}\n{head}input:\n"
    top += "".join(f"  {scalar(name)}: 4x12x10\n" for name in inputs) + "layers:\n"
    try:
        network = parse_network((top + "  - {pad: 'start', padding: 0}\n").encode(), "x")
    except WccsimError:
        return  # a name that is reserved, or taken by an input
    body = "  - {pad: 'start', padding: 0}\n"
    for keys, choice in entries:
        kind = next(iter(keys))
        known = [layer.name for layer in network.layers]
        sources = (
            [known[-1], known[choice % len(known)]] if kind in ("add", "multiply", "concat") else [known[-1]]
        )
        written = ", ".join(f"{key}: {as_yaml(value)}" for key, value in (keys | {"from": sources}).items())
        try:
            network = parse_network(f"{top}{body}  - {{{written}}}\n".encode(), "x", allow_unsupported=True)
        except WccsimError:
            continue
        body += f"  - {{{written}}}\n"
    text = yaml_text(network)
    again = parse_network(text.encode(), "x", allow_unsupported=True)
    assert again.layers == network.layers
    assert same(again, network)
    assert yaml_text(again) == text


@settings(max_examples=200, deadline=None)
@given(ANY_NAME)
def test_any_name_is_quoted_so_that_it_reads_back(name: str) -> None:
    text = (
        f"name: {scalar(name)}\ninput: 1x1x1\nlayers:\n  - {{activation: {scalar(name, substituted=True)}}}\n"
    )
    if name in ("input", "previous") or not name.isprintable():
        return
    network = parse_network(text.encode(), "x")
    assert network.name == name and network.layers[-1].name == name
