"""`wccsim codecs`: every codec, its parameters and its source."""

import json

import pytest
from click.testing import CliRunner

import wccsim
from wccsim.cli import main
from wccsim.codecs.registry import CODECS
from wccsim.compare.catalog import ABOUT, METHODS


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["codecs", *arguments])
    return done.exit_code, done.output


def test_every_codec_is_listed_in_lines_of_100_columns() -> None:
    code, text = run()
    assert code == 0
    assert all(f"\n{name} " in f"\n{text}" for name in (*CODECS, *METHODS))
    assert max(map(len, text.splitlines())) <= 100


def test_the_json_rebuilds_every_codec() -> None:
    code, text = run("--json")
    assert code == 0
    listed = json.loads(text)
    assert [entry["name"] for entry in listed] == list(CODECS)
    for entry in listed:
        assert wccsim.codec(entry["name"], **entry["parameters"]).lossless == entry["lossless"]
        assert entry["source"] and entry["about"]


@pytest.mark.parametrize("name", CODECS)
def test_one_codec_is_explained(name: str) -> None:
    code, text = run(name)
    assert code == 0
    assert text.startswith(f"{name}: ") and "parameters:" in text and "source:" in text


@pytest.mark.parametrize("name", ABOUT)
def test_a_searched_setting_is_explained_and_is_no_codec(name: str) -> None:
    code, text = run(name)
    assert code == 0 and text.startswith(f"{name}: ") and "wccsim compare" in text
    assert name in METHODS and name not in CODECS


def test_the_list_as_json_is_of_all_codecs() -> None:
    code, text = run("ebpc", "--json")
    assert code == 2 and "drop the name" in text and text.count("\n") == 1


def test_an_unknown_codec_ends_with_one_line_and_code_2() -> None:
    done = CliRunner().invoke(main, ["codecs", "zcv"])
    assert done.exit_code == 2
    assert done.output.count("\n") == 1 and "did you mean zvc?" in done.output
