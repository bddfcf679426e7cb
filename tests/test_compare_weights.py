"""The weight column: against plain matrix arithmetic, and against the rows it stands beside."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compare_parts import natural_map

from wccsim.cli import main
from wccsim.codecs.registry import codec
from wccsim.codecs.transform_quantization import TransformQuantization
from wccsim.compare import run as runner
from wccsim.compare.catalog import METHODS
from wccsim.compare.metrics import Reference
from wccsim.compare.rows import read_table, row_of
from wccsim.compare.run import compare_layers, compare_maps
from wccsim.compare.weight_rows import WEIGHT_COLUMNS, WeightRow, weight_rows
from wccsim.compare.weights import (
    AS_GIVEN,
    BLOCK,
    TRANSFORM,
    WEIGHT_CODECS,
    CodedWeights,
    WeightGrid,
    as_given,
    code_weights,
    codings,
)
from wccsim.errors import WccsimError
from wccsim.maps import FeatureMap
from wccsim.report.weight_column import weight_section, weight_text
from wccsim.report.weight_conclusions import weight_conclusions

GRID = WeightGrid((8.0, 4.0, 2.0), WEIGHT_CODECS)


def layer(shape: tuple[int, int, int] = (8, 24, 20), outputs: int = 12, seed: int = 3) -> FeatureMap:
    rng = np.random.default_rng(seed)
    weights = np.clip(np.rint(rng.laplace(0, 30, (outputs, shape[0]))), -127, 127).astype(np.int8)
    scale = rng.uniform(0.001, 0.1, outputs)
    return FeatureMap(
        natural_map(shape, seed=seed), 0.25, weights, scale, np.zeros(outputs), "none", "made", "0" * 64
    )


def rows_at(map_: FeatureMap, name: str, target: float, grid: WeightGrid = GRID) -> list[WeightRow]:
    reference = Reference.of(map_)
    point = METHODS[name].at(map_.x, target * map_.x.size)
    return weight_rows(reference, row_of(reference, name, target, point), point, codings(map_, grid))


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["uniform", "wcc"]), st.integers(0, 10**6))
def test_errors_after_the_layer_are_those_of_the_matrices_themselves(
    channels: int, outputs: int, name: str, seed: int
) -> None:
    """The twin multiplies every pixel by both matrices; the column never does."""
    map_ = layer((channels, 13, 9), outputs, seed)
    assert map_.weights is not None and map_.weight_scale is not None
    point = METHODS[name].at(map_.x, 3.0 * map_.x.size)
    x, v = (a.reshape(channels, -1).astype(np.int64) for a in (map_.x, point.decoded))
    unit = map_.weight_scale[:, None] * map_.x_scale
    given_out = unit * (map_.weights.astype(np.int64) @ x)
    for row, coded in zip(rows_at(map_, name, 3.0), codings(map_, GRID), strict=True):
        words = coded.decoded.astype(np.int64)
        error = unit * (words @ v) - given_out
        assert row.out_mse == pytest.approx(float((error**2).mean()), rel=1e-4, abs=1e-12)
        for measured, found in (
            (row.out_snr_db, error),
            (row.map_out_snr_db, unit * (map_.weights.astype(np.int64) @ v) - given_out),
            (row.weights_out_snr_db, unit * (words @ x) - given_out),
        ):
            noise, signal = float((found**2).sum()), float((given_out**2).sum())
            if noise == 0:
                assert np.isposinf(measured)
            elif signal > 0:
                assert measured == pytest.approx(10 * np.log10(signal / noise), abs=1e-3)


def test_words_as_given_are_the_row_of_the_comparison_itself() -> None:
    map_ = layer()
    reference = Reference.of(map_)
    for name, target in (("uniform", 4.0), ("wcc", 3.0), ("dct8x8", 3.0), ("rice", 3.0)):
        point = METHODS[name].at(map_.x, target * map_.x.size)
        row = row_of(reference, name, target, point)
        found = weight_rows(reference, row, point, codings(map_, GRID))
        lossless = [r for r in found if r.weight_codec == AS_GIVEN or r.weights_out_snr_db == np.inf]
        assert {r.weight_codec for r in lossless} >= {AS_GIVEN, "uniform"}
        for same in lossless:
            assert (same.out_mse, same.out_snr_db) == (row.out_mse, row.out_snr_db)
            assert same.map_out_snr_db == row.out_snr_db
        assert found[0].layer_bops == row.layer_bops and found[0].weight_bits == 8.0
        assert all(r.map_out_snr_db == row.out_snr_db for r in found)


def test_a_lossless_map_leaves_the_error_of_the_weights_alone() -> None:
    map_ = layer()
    for row in rows_at(map_, "zvc", 16.0):
        assert row.map_out_snr_db == np.inf and row.out_snr_db == row.weights_out_snr_db
        assert (row.out_mse == 0) == (row.weight_snr_db == np.inf)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(WEIGHT_CODECS), st.integers(1, 24), st.integers(1, 24), st.integers(0, 10**6))
def test_bits_of_the_weights_are_those_of_the_stream_and_within_the_budget(
    name: str, outputs: int, channels: int, seed: int
) -> None:
    map_ = layer((channels, 6, 5), outputs, seed)
    assert map_.weights is not None
    for target in (8.0, 5.0, 3.0):
        coded = code_weights(map_.weights, map_.x, name, target)
        assert coded.bits == sum(coded.breakdown.values()) and coded.decoded.shape == map_.weights.shape
        if name in (TRANSFORM, BLOCK):  # side bits can be more than a tiny layer's words: then it goes raw
            assert coded.bits <= 64 + max(
                target, 8.0 if "raw" in coded.breakdown else 0
            ) * map_.weights.size + (16 * 8 if target * map_.weights.size < 16 * 8 else 0)


def test_each_coding_is_the_codec_of_its_name() -> None:
    """The stranger's way: the codec called by hand on [O, C, 1]."""
    for shape, outputs, variant in (((8, 12, 12), 20, "row"), ((20, 12, 12), 8, "column")):
        map_ = layer(shape, outputs)
        assert map_.weights is not None
        block = map_.weights[:, :, None]
        transform = TransformQuantization(bits=4, variant=variant)
        if variant == "row":
            transform = transform.with_inputs(map_.x)
        by_hand: dict[str, Any] = {
            "uniform": codec("uniform", bits=4),
            "apot": codec("apot", bits=4),
            TRANSFORM: transform,
            BLOCK: TransformQuantization(bits=4, variant="none").with_inputs(map_.x),
        }
        for name, made in by_hand.items():
            encoded = made.encode(block)
            coded = code_weights(map_.weights, map_.x, name, 4.0)
            assert coded.bits == encoded.bits
            assert (coded.decoded == made.decode(encoded)[:, :, 0]).all()


def test_work_is_counted_with_the_widths_of_both_operands() -> None:
    map_ = layer()
    assert map_.weights is not None
    found = {(r.weight_codec, r.weight_target): r for r in rows_at(map_, "uniform", 4.0)}
    products = map_.weights.size * map_.x.shape[1] * map_.x.shape[2]
    assert found["uniform", 2.0].layer_bops == products * 4 * 2
    assert found[AS_GIVEN, 8.0].layer_bops == found[BLOCK, 2.0].layer_bops == products * 4 * 8
    # Rebuilding T S: one 8-bit MAC a weight and transformed channel, once a layer.
    rebuilt = map_.weights.size * map_.weights.shape[1] * 8 * 8
    assert found[TRANSFORM, 2.0].layer_bops == products * 4 * 8 + rebuilt
    for row in found.values():
        assert row.layer_bits == row.weight_total_bits + round(row.bits_per_value * map_.x.size)


def test_a_map_without_weights_has_no_weight_column(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", x=natural_map((4, 8, 8)), x_scale=1.0)
    (result,) = compare_layers([tmp_path / "bare.npz"], (4,), ["uniform"], weights=GRID)
    assert result.weights == ()


@pytest.fixture
def maps(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "maps"
    folder.mkdir()
    for name, shape, outputs in (("a_op002", (8, 24, 24), 12), ("b_op009", (12, 16, 16), 4)):
        map_ = layer(shape, outputs)
        np.savez(
            folder / f"{name}.npz", x=map_.x, x_scale=map_.x_scale, w=map_.weights, w_scale=map_.weight_scale
        )
    return sorted(folder.iterdir())


def test_the_column_changes_no_row_and_resumes(
    maps: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, store = ["uniform", "wcc"], tmp_path / "store.jsonl"
    grid = WeightGrid((4.0,), map_codecs=("wcc",), map_targets=(2.0,))
    found = compare_layers(maps, (2, 4), names, weights=grid, store=store, jobs=2)
    assert [result.row for result in found] == compare_maps(maps, (2, 4), names, store=store)
    for result in found:
        assert bool(result.weights) == (result.row.codec == "wcc" and result.row.target == 2.0)
    monkeypatch.setattr(runner, "work", lambda task: pytest.fail("computed twice"))
    assert compare_layers(maps, (2, 4), names, weights=grid, store=store) == found


def test_command_tables_page_and_files(maps: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the page draws figures (extra plot)")
    arguments = ["compare", *map(str, maps), "--bits", "4", "--codecs", "uniform,wcc", "--jobs", "1"]
    out, page = tmp_path / "out.csv", tmp_path / "page.html"
    result = CliRunner().invoke(
        main,
        [*arguments, "--weights", "8,3", "--csv", str(out), "--json", f"{out}.json", "--html", str(page)],
    )
    assert result.exit_code == 0, result.output
    rows = read_table(tmp_path / "out.weights.csv", WeightRow)
    assert len(rows) == 2 * 2 * (1 + 3 * 2)
    assert weight_text(rows) in result.output and "transform-quantization" in result.output
    assert len(json.loads((tmp_path / "out.csv.weights.json").read_text())["rows"]) == len(rows)
    assert weight_section(rows)[0] in page.read_text(encoding="utf-8")
    plain = CliRunner().invoke(main, [*arguments, "--csv", str(tmp_path / "plain.csv")])
    assert plain.exit_code == 0 and (tmp_path / "plain.csv").read_bytes() == out.read_bytes()
    assert not (tmp_path / "plain.weights.csv").exists()


def test_what_is_wrong_is_said_in_one_line(maps: list[Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", x=natural_map((4, 8, 8)), x_scale=1.0)
    cases = [
        (["--weights", "four"], "--weights is 'four'"),
        (["--weights", "9"], "0.1 to 8"),
        (["--weights", "nan"], "finite"),
        (["--weight-codec", "uniform"], "needs --weights"),
        (["--weights", "4", "--weight-codec", "huffman"], "unknown weight codec 'huffman'"),
        (["--weights", "4", "--csv", "-"], "two tables"),
    ]
    for arguments, said in cases:
        result = CliRunner().invoke(main, ["compare", str(maps[0]), "--codecs", "uniform", *arguments])
        assert result.exit_code == 2 and said in result.output, (arguments, result.output)
        assert result.output.count("\n") == 1
    result = CliRunner().invoke(main, ["compare", str(tmp_path / "bare.npz"), "--weights", "4"])
    assert result.exit_code == 2 and "none of the 1 maps holds its layer's weights" in result.output
    with pytest.raises(WccsimError, match="no weight codec"):
        WeightGrid((4.0,), ())


def test_sentences_turn_with_the_numbers() -> None:
    """The same sentences from swapped numbers say the opposite: none is typed."""
    template = {name: getattr(rows_at(layer(), "uniform", 4.0)[0], name) for name in WEIGHT_COLUMNS}

    def row(map_codec: str, name: str, snr: float, bits: int = 1000) -> WeightRow:
        target = 8.0 if name == AS_GIVEN else 4.0
        measured = {"out_snr_db": snr, "weights_out_snr_db": snr, "map_out_snr_db": 25.0}
        named = {"codec": map_codec, "weight_codec": name, "weight_target": target, "weight_total_bits": bits}
        return WeightRow(**{**template, **named, **measured, "weight_breakdown": '{"basis": 250}'})

    def said(combined: float, uniform: float, transform: float, bits: int = 1000) -> str:
        rows = [row("uniform", AS_GIVEN, 20.0), row("wcc-combined", AS_GIVEN, combined)]
        rows += [row("uniform", "uniform", uniform), row("uniform", TRANSFORM, transform, bits)]
        return " ".join(weight_conclusions(rows))

    less = "transform-quantization of the weights loses less than uniform words, paying no more bits, on"
    assert f"{less} 1 of 1 at 4 bits" in said(30.0, 10.0, 12.0)
    assert f"{less} 0 of 1 at 4 bits" in said(30.0, 12.0, 10.0)
    assert less not in said(30.0, 10.0, 12.0, bits=2000)
    assert "uniform 10.00 dB (worst 10.00); transform-quantization 8.00 dB" in said(30.0, 10.0, 12.0)
    assert "as-given 8 bits 1 of 1" in said(30.0, 10.0, 12.0)
    assert "as-given 8 bits 0 of 1" in said(19.0, 10.0, 12.0)
    assert "lose more than the coded map does: uniform on 1 of 1, transform-quantization on 0 of 1" in said(
        30.0, 10.0, 26.0
    )
    assert "takes 25 % of its bits (mean of 1 rows; 25 % to 25 %)" in said(30.0, 10.0, 12.0)


def test_words_as_given_cost_eight_bits_and_no_work() -> None:
    words = np.array([[1, -127]], np.int8)
    coded = as_given(words)
    assert isinstance(coded, CodedWeights)
    assert (coded.bits, coded.word_bits, coded.rebuild_bops) == (16, 8, Fraction(0))
    assert (coded.decoded == words).all()
