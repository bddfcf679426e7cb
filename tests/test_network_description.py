"""Descriptions in YAML: what each key means, and the one line that each mistake becomes."""

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.network import catalog
from wccsim.network.description import parse_network
from wccsim.network.model import Layer, Network, Shape

HEAD = "name: n\ninput: 4x8x10\n"


def read(text: str, **options: object) -> Network:
    return parse_network(text.encode(), "net.yaml", **options)  # type: ignore[arg-type]


def layers(*entries: str, head: str = HEAD, **options: object) -> dict[str, Layer]:
    body = "".join(f"  - {entry}\n" for entry in entries)
    return {layer.name: layer for layer in read(f"{head}layers:\n{body}", **options).layers}


# operator entry: output of a 4x8x10 input
OUTPUTS = {
    "{conv: x, out: 6}": (6, 8, 10),
    "{conv: x, out: 6, kernel: 3}": (6, 6, 8),
    "{conv: x, out: 6, kernel: [3, 1], stride: [2, 1], padding: [1, 0]}": (6, 4, 10),
    "{conv: x, out: 6, kernel: 3, dilation: 2, padding: symmetric}": (6, 8, 10),
    "{conv: x, out: 6, kernel: 3, stride: 2, padding: same}": (6, 4, 5),
    "{conv: x, out: 6, kernel: 4, stride: 3, padding: same_lower}": (6, 3, 4),
    "{conv: x, out: 6, kernel: 3, padding: valid, groups: 2}": (6, 6, 8),
    "{conv: x, out: 6, kernel: 3, padding: [0, 1, 2, 0]}": (6, 7, 10),
    "{depthwise: x, kernel: 3}": (4, 6, 8),
    "{depthwise: x, out: 8, kernel: 3}": (8, 6, 8),
    "{conv_transpose: x, out: 2, kernel: 4, stride: 2, padding: 1}": (2, 16, 20),
    "{conv_transpose: x, out: 2, kernel: 3, stride: 2, padding: 1, output_padding: 1}": (2, 16, 20),
    "{max_pool: x, kernel: 2}": (4, 4, 5),
    "{max_pool: x, kernel: 3, stride: 2}": (4, 3, 4),
    "{average_pool: x, kernel: 3, stride: 2, ceil: true}": (4, 4, 5),
    "{global_average_pool: x}": (4, 1, 1),
    "{pad: x, padding: 1}": (4, 10, 12),
    "{pad: x, padding: [0, 1, 2, 3]}": (4, 9, 15),
    "{upsample: x, factor: 2}": (4, 16, 20),
    "{upsample: x, factor: [1, 3]}": (4, 8, 30),
    "{upsample: x, size: 9x13}": (4, 9, 13),
    "{add: x, from: [input, input]}": (4, 8, 10),
    "{multiply: x}": (4, 8, 10),
    "{concat: x, from: [input, input, input]}": (12, 8, 10),
    "{activation: x, function: relu6}": (4, 8, 10),
    "{reshape: x, shape: 8x8x5}": (8, 8, 5),
    "{flatten: x}": (320, 1, 1),
    "{slice: x, out: 3}": (3, 8, 10),
    "{slice: x, shape: 4x2x3}": (4, 2, 3),
    "{squeeze_excite: x, reduced: 2}": (4, 8, 10),
}


@pytest.mark.parametrize("entry", OUTPUTS)
def test_every_operator_has_its_output(entry: str) -> None:
    assert layers(entry)["x"].out_shape == Shape(*OUTPUTS[entry])


def test_dense_layers_and_products() -> None:
    found = layers(
        "{flatten: f}",
        "{fully_connected: x, out: 10, bias: true}",
        "{reshape: tokens, from: input, shape: 32x10x1}",
        "{matmul: q, out: 64}",
        "{matmul: heads, out: 20, groups: 4, from: tokens}",
        "{reshape: k, from: tokens, shape: 40x8x1}",
        "{matmul: scores, groups: 4, from: [tokens, k]}",
    )
    assert (found["x"].macs, found["x"].params) == (3200, 3210)
    assert (found["q"].macs, found["q"].params) == (10 * 32 * 64, 32 * 64)
    assert found["heads"].macs == 4 * 10 * 8 * 5
    assert (found["scores"].macs, found["scores"].params) == (4 * 10 * 8 * 10, 0)


def test_squeeze_excite_is_a_pool_two_convolutions_and_a_product() -> None:
    found = layers("{squeeze_excite: se, reduced: 2, bias: true}", "{conv: x, out: 1}")
    assert list(found) == ["input", "se_pool", "se_reduce", "se_expand", "se", "x"]
    assert found["se_reduce"].macs == found["se_expand"].macs == 8
    assert found["se"].inputs == ("input", "se_expand")
    assert found["x"].inputs == ("se",)
    padded = layers("{squeeze_excite: se, reduced: 2}", head=HEAD + "defaults: {padding: 1}\n")
    assert padded["se_expand"].out_shape == Shape(4, 1, 1)


def test_like_takes_the_size_of_another_layer() -> None:
    found = layers("{max_pool: p, kernel: 3, stride: 2}", "{upsample: u, like: input}", "{slice: s, like: p}")
    assert found["u"].out_shape == Shape(4, 8, 10)
    assert found["s"].out_shape == Shape(4, 3, 4)


def test_references_reach_layers_above_and_blocks_by_their_name() -> None:
    head = HEAD + (
        "blocks:\n  twice:\n    parameters: {out: required, kernel: 3}\n    layers:\n"
        "      - {conv: $name.a, out: $out, kernel: $kernel, padding: symmetric}\n"
        "      - {conv: $name.b, out: $(out * 2)}\n"
    )
    found = layers(
        "{twice: t1, out: 4}",
        "{twice: t2, out: 2, kernel: 5}",
        "{concat: x, from: [t1, t2, previous, input]}",
        head=head,
    )
    assert found["x"].inputs == ("t1.b", "t2.b", "t2.b", "input")
    assert found["x"].out_shape.channels == 8 + 4 + 4 + 4
    assert found["t2.a"].kernel == (5, 5)


def test_blocks_repeat_nest_and_choose() -> None:
    head = HEAD + (
        "blocks:\n"
        "  inner:\n    parameters: {wide: false}\n    layers:\n"
        "      - {conv: $name.c, out: $(2 * channels), when: $wide}\n"
        "      - {conv: $name.c, out: $channels, when: $(not wide)}\n"
        "      - {add: $name.sum, from: [$input, previous], when: $(channels == 4)}\n"
        "  outer:\n    layers:\n"
        "      - {inner: $name.$index, wide: $(index > 0), repeat: 2}\n"
    )
    found = layers("{outer: o$(index + 1), repeat: 2}", head=head)
    assert list(found) == ["input", "o1.0.c", "o1.0.sum", "o1.1.c", "o2.0.c", "o2.1.c"]
    assert [found[name].out_shape.channels for name in ("o1.1.c", "o2.0.c", "o2.1.c")] == [8, 8, 16]


def test_several_inputs_and_the_size_override() -> None:
    head = "name: n\ninput:\n  image: 3x8x8\n  map: 1x8x8\n  code: 5x2x2\n"
    found = layers("{concat: x, from: [image, map]}", head=head, input_size=(16, 24))
    assert found["x"].out_shape == Shape(4, 16, 24)
    assert found["code"].out_shape == Shape(5, 2, 2)


def test_settings_go_from_defaults_over_patterns_to_the_layer() -> None:
    head = HEAD + (
        "defaults: {weight_bits: 4, act_bits: 6, keep: 1/2, levels: 2, bias: true, padding: symmetric}\n"
        "settings:\n"
        "  - {match: 'b*', keep: 25%, weight_bits: 2}\n"
        "  - {match: '*3', wcc: false, part: tail}\n"
        "  - {match: last, exempt: true, weight_bits: 32, act_bits: 32}\n"
    )
    found = layers(
        "{conv: a, out: 8}",
        "{conv: b1, out: 8}",
        "{conv: b2, out: 8, keep: none, weight_bits: 7, bias: false}",
        "{conv: b3, out: 8}",
        "{conv: c, out: 8, kernel: 3}",
        "{conv: last, out: 8}",
        head=head,
    )
    assert [(layer.weight_bits, layer.act_bits, layer.keep, layer.levels) for layer in found.values()][
        1:
    ] == [
        (4, 6, Fraction(1, 2), 2),
        (2, 6, Fraction(1, 4), 2),
        (7, 6, None, 2),
        (2, 6, None, 2),
        (4, 6, None, 2),
        (32, 32, None, 2),
    ]
    assert found["c"].padding == (1, 1, 1, 1)
    assert [layer.bias for layer in found.values()] == [False, True, True, False, True, True, True]
    assert found["b3"].part == "tail" and not found["b3"].compressible
    assert found["input"].act_bits == 6


def test_the_command_lines_settings_leave_exempt_layers_alone() -> None:
    text = HEAD + (
        "layers:\n  - {conv: a, out: 8}\n  - {conv: b, out: 8, exempt: true, act_bits: 32}\n"
        "  - {conv: c, out: 8, wcc: false}\n  - {conv: d, out: 8, kernel: 3}\n"
    )
    network = read(text).configured(weight_bits=2, act_bits=3, keep=Fraction(1, 4), levels=1)
    found = [(layer.weight_bits, layer.act_bits, layer.keep, layer.levels) for layer in network.counted]
    assert found == [(2, 3, Fraction(1, 4), 1), (8, 32, None, 3), (2, 3, None, 1), (2, 3, None, 1)]
    assert network.configured() == network


def test_a_layer_that_is_not_counted_still_gives_its_size() -> None:
    network = read(HEAD + "layers:\n  - {conv: a, out: 8, count: false}\n  - {conv: b, out: 2}\n")
    assert [layer.name for layer in network.counted] == ["b"]
    assert network.counted[0].in_shape.channels == 8


def test_what_is_not_understood_is_refused_or_listed() -> None:
    text = HEAD + "layers:\n  - {unsupported: x, shape: 4x4x4, operator: Einsum}\n  - {conv: y, out: 2}\n"
    with pytest.raises(WccsimError, match=r"^net.yaml:1:1: not understood: Einsum \(x\)"):
        read(text)
    assert read(text, allow_unsupported=True).unsupported == ("Einsum (x)",)


# entry or whole text: where, and what the line says
ENTRY_ERRORS = {
    "{conv: x}": "4:5: x: key 'out' is missing",
    "{conv: x, out: 6, stirde: 2}": "4:23: conv: unknown key 'stirde'; allowed: conv, out, kernel, stride",
    "{conv: x, out: six}": "4:20: out: 'six' was given; an integer 1 to 16777216 is needed",
    "{conv: x, out: 0}": "4:20: out: 0 was given; allowed: 1 to 16777216",
    "{conv: x, out: -6}": "4:20: out: -6 was given",
    "{conv: x, out: 99999999999}": "4:20: out: 99999999999 was given",
    "{conv: x, out: [6]}": "4:20: out: a list was given",
    "{conv: x, out: 6, kernel: 9}": "4:5: x: kernel extent 9 is larger than the padded input of 8",
    "{conv: x, out: 6, kernel: [1, 2, 3]}": "4:31: kernel: 3 numbers were given",
    "{conv: x, out: 6, padding: -1}": "4:32: padding: -1 was given; allowed: 0 to",
    "{conv: x, out: 6, padding: sane}": "4:32: padding: 'sane' was given; allowed: numbers, valid, same",
    "{conv: x, out: 6, padding: [1, 2, 3]}": "4:32: padding: 3 numbers were given",
    "{conv: x, out: 6, groups: 3}": "4:5: x: 3 groups do not divide the 4 input channels",
    "{conv: x, out: 6, from: y}": "4:29: 'y' is no layer above this one; a layer reads only layers above it",
    "{conv: x, out: 6, from: inptu}": "4:29: 'inptu' is no layer above this one; a layer reads only "
    "layers above it; did you mean 'input'?",
    "{conv: x, out: 6, from: x}": "4:29: 'x' is no layer above this one",
    "{conv: x, out: 6, from: [input, input]}": "4:5: x: 2 inputs were given; one is needed",
    "{conv: x, out: 6, from: []}": "4:29: from: 0 layers were given; allowed: 1 to 256",
    "{conv: x, out: 6, keep: 0}": "4:29: keep '0' is out of range",
    "{conv: x, out: 6, keep: lots}": "4:29: keep 'lots' is not a number",
    "{conv: x, out: 6, kernel: 3, keep: 25%}": "4:40: x: keep was given, but WCC needs a dense 1x1",
    "{conv: x, out: 6, weight_bits: 65}": "4:36: weight_bits: 65 was given; allowed: 1 to 64",
    "{conv: x, out: 6, wcc: maybe}": "4:28: wcc: 'maybe' was given; allowed: true, false",
    "{conv: x, out: 6, repeat: 1000000000}": "4:31: repeat: 1000000000 was given; allowed: 0 to 20000",
    "{conv: x, out: 6, repeat: 2}": "4:5: the name 'x' was given twice",
    "{conv: input, out: 6}": "4:5: the name 'input' was given twice",
    "{conv: previous, out: 6}": "4:5: the name 'previous' is not allowed",
    "{conv: , out: 6}": "4:12: the name of a conv: nothing was given",
    "{convolution: x, out: 6}": "4:6: a layer starts with its operator; 'convolution' is none",
    "{out: 6, conv: x}": "4:6: a layer starts with its operator; 'out' is none",
    "{}": "4:5: a layer starts with its operator; '' is none",
    "conv": "4:5: a layer: 'conv' was given; a mapping is needed",
    "{add: x, kernel: 3}": "4:14: add: unknown key 'kernel'; allowed: add, from, when",
    "{pad: x}": "4:5: x: padding is missing",
    "{pad: x, padding: same}": "4:23: x: padding is same; numbers are needed here",
    "{pad: x, padding: 9999999}": "4:23: padding: 9999999 was given",
    "{upsample: x}": "4:5: x: 0 of factor, size, like were given; exactly one is needed",
    "{upsample: x, factor: 2, like: input}": "4:5: x: 2 of factor, size, like were given",
    "{upsample: x, size: 9}": "4:25: size: '9' was given; HEIGHTxWIDTH such as 224x224 is needed",
    "{upsample: x, size: 999999x999999}": "4:5: x: the output is 4x999999x999999; allowed: at most",
    "{reshape: x, shape: 1x2x3}": "4:5: x: 4x8x10 has 320 values and cannot become 1x2x3 with 6",
    "{activation: x, function: rleu}": "4:31: function: 'rleu' was given; allowed: relu, relu6",
    "{fully_connected: x, out: 3}": "4:5: x: fully_connected needs a vector, and input gives 4x8x10;",
    "{squeeze_excite: x}": "4:5: x: key 'reduced' is missing",
    "{conv: x, out: $(channels / 2)}": "4:20: expression 'channels / 2': not understood",
    "{conv: x, out: $widht}": "4:20: $widht is not known here; known: channels, height, width",
    "{conv: x, out: $(channels // 0)}": "4:20: expression 'channels // 0': divides by zero",
    "{conv: x, out: 2, when: 3}": "4:29: when: '3' was given; allowed: true, false",
}


@pytest.mark.parametrize("entry", ENTRY_ERRORS)
def test_a_mistake_in_an_entry_is_named_where_it_stands(entry: str) -> None:
    with pytest.raises(WccsimError) as caught:
        layers(entry)
    assert str(caught.value).startswith(f"net.yaml:{ENTRY_ERRORS[entry]}")


BLOCK = "blocks:\n  b:\n    parameters: {out: required}\n    layers:\n      - {conv: $name, out: $out}\n"
ONE = "layers:\n  - {conv: x, out: 2}\n"
TEXT_ERRORS = {
    ONE: "1:1: a network: key 'name' is missing; required: name, input, layers",
    "nmae: n\n" + HEAD + ONE: "1:1: a network: unknown key 'nmae'; allowed: name, source",
    HEAD: "1:1: a network: key 'layers' is missing",
    HEAD + "layers: []\n": "3:9: layers: no layer was given",
    HEAD + "layers: 3\n": "3:9: layers: '3' was given; a list is needed",
    "name: n\ninput: 3x4\n" + ONE: "2:8: input: '3x4' was given; CHANNELSxHEIGHTxWIDTH",
    "name: n\ninput: 3x0x4\n" + ONE: "2:8: input is 3x0x4; every size must be at least 1",
    "name: n\ninput: 3x-1x4\n" + ONE: "2:8: input: '3x-1x4' was given",
    "name: n\ninput: 3x99999999x4\n" + ONE: "2:8: input is 3x99999999x4; allowed: at most",
    "name: n\ninput: {}\n" + ONE: "2:8: input: no input was given",
    HEAD + "defaults: {kernel: 3}\n" + ONE: "3:12: defaults: unknown key 'kernel'",
    HEAD + "settings:\n  - {keep: 1}\n" + ONE: "4:5: settings: key 'match' is missing",
    HEAD + "surrogate: maybe\n" + ONE: "3:12: surrogate: 'maybe' was given",
    HEAD + BLOCK + "layers:\n  - {b: x}\n": "9:5: x: block b needs 'out'",
    HEAD + BLOCK + "layers:\n  - {b: x, out: 2, kernel: 3}\n": "9:20: block b: unknown key 'kernel'",
    HEAD + BLOCK.replace("  b:", "  conv:") + ONE: "4:3: a block cannot be called 'conv'",
    HEAD + BLOCK.replace("{out:", "{channels:") + ONE: "5:18: a parameter cannot be called 'channels'",
    HEAD + BLOCK.replace("conv: $name, out: $out", "b: $name.i, out: 2") + "layers:\n  - {b: x, out: 2}\n":
        "7:9: block 'b' contains itself: b > b; recursion is not allowed",
    HEAD + "layers:\n  - {conv: x, out: 2}\n  - {conv: x, out: 2}\n": "5:5: the name 'x' was given twice",
    HEAD + "layers:\n  - {conv: x, out: 2}\n  - {add: s, from: [input, x]}\n":
        "5:5: s: add needs maps of one shape, or 1 where they differ; given: input 4x8x10, x 2x8x10",
}  # fmt: skip


@pytest.mark.parametrize("text", TEXT_ERRORS)
def test_a_mistake_in_a_file_is_named_where_it_stands(text: str) -> None:
    with pytest.raises(WccsimError) as caught:
        read(text)
    assert str(caught.value).startswith(f"net.yaml:{TEXT_ERRORS[text]}")


def test_repetition_is_bounded_however_it_is_nested() -> None:
    blocks = "".join(
        f"  b{level}:\n    layers:\n      - {{b{level + 1}: $name.$index, repeat: 1000}}\n"
        for level in range(6)
    )
    text = HEAD + f"blocks:\n{blocks}  b6:\n    layers:\n      - {{conv: $name, out: 2, when: false}}\n"
    start = time.monotonic()
    with pytest.raises(WccsimError, match="too much after repetition; allowed: 20000 layers"):
        read(text + "layers:\n  - {b0: x}\n")
    with pytest.raises(WccsimError, match="too much after repetition"):
        read(
            HEAD
            + "layers:\n  - {conv: x$index, out: 2, from: ["
            + "input, " * 5000
            + "input], repeat: 20000, when: false}\n"
        )
    assert time.monotonic() - start < 30  # not a speed: without the bound this never ends


def test_nesting_of_blocks_is_bounded() -> None:
    blocks = "".join(f"  b{level}:\n    layers:\n      - {{b{level + 1}: $name.i}}\n" for level in range(9))
    text = (
        HEAD
        + f"blocks:\n{blocks}  b9:\n    layers:\n      - {{conv: $name, out: 2}}\nlayers:\n  - {{b0: x}}\n"
    )
    with pytest.raises(WccsimError, match="blocks nested deeper than 8"):
        read(text)


def test_texts_cannot_grow_without_bound() -> None:
    blocks = "".join(
        f"  b{level}:\n    parameters: {{p: required}}\n    layers:\n"
        f"      - {{b{level + 1}: $name.i, p: {'$p' * 20}}}\n"
        for level in range(7)
    )
    last = "  b7:\n    parameters: {p: required}\n    layers:\n      - {conv: $name, out: 2}\n"
    with pytest.raises(WccsimError, match="becomes a text of more than 1000 characters"):
        read(HEAD + f"blocks:\n{blocks}{last}layers:\n  - {{b0: x, p: aaaaaaaaaaaaaaaa}}\n")


MARKS = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "$",
    "-1",
    "0",
    "99999999999999",
    "null",
    "'",
    "*",
    "&a",
    "!t",
    "from: x",
    "x3",
    " ",
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["mobilenetv2", "fastscnn", "mobilenetv3_small", "unet", "edsr", "resnet18"]),
    st.integers(0, 10**9),
)
def test_a_shipped_file_with_a_slip_is_a_network_or_one_clear_line(name: str, seed: int) -> None:
    """Lines deleted, doubled, swapped; a token put in, a number changed."""
    chance = random.Random(seed)
    lines = (catalog.shipped() / f"{name}.yaml").read_text().splitlines()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, chance.choice(lines))
            case 2:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                column = chance.randint(0, len(lines[at]))
                lines[at] = lines[at][:column] + chance.choice(MARKS) + lines[at][column:]
            case 4:
                column = chance.randint(0, len(lines[at]))
                lines[at] = lines[at][:column] + lines[at][column + chance.randint(1, 4) :]
    try:
        parse_network("\n".join(lines).encode(), "f.yaml")
    except WccsimError as problem:
        assert str(problem).startswith("f.yaml:")
        assert "\n" not in str(problem)
        assert len(str(problem)) < 1000
