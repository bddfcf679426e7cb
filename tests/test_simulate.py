"""`wccsim simulate` from outside: what it prints and writes, and how it refuses."""

import json
import os
import re
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from wccsim.cli import main
from wccsim.datapath.engine import PATHS, VARIABLE
from wccsim.datapath.wcc_layer import WCCLayer
from wccsim.datapath.words import WordMemory, decode
from wccsim.default_maps import default_map_paths
from wccsim.maps import load_map

MAP = next(path for path in default_map_paths() if "c64_24x36" in path.stem)


def simulate(*words):
    """(exit code, standard output, standard error) of one run."""
    done = CliRunner().invoke(main, ["simulate", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_a_shipped_map_is_found_by_name_and_reported():
    code, out, _ = simulate(MAP.stem, "--keep", "25%", "--widths", "--explain")
    assert code == 0
    for words in ("R3: out", "against the dense", "requantise_out", "inverse word", "R1 (M, s)"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100


def test_explain_runs_the_kernels_for_outputs_alone_and_compares(monkeypatch):
    """Which path ran and why; a difference between two paths would be said, not hidden."""
    _, out, _ = simulate(MAP.stem, "--keep", "25%", "--explain")
    kernels, outputs = (re.search(rf"^{name} +(\w+): ", out, re.M) for name in ("kernels", "outputs"))
    assert kernels is not None and outputs is not None
    assert kernels[1] == "plain"
    assert outputs[1] in PATHS
    assert "word for word" in out
    monkeypatch.setenv(VARIABLE, "plain")
    assert "word for word" not in simulate(MAP.stem, "--keep", "25%", "--explain")[1]
    monkeypatch.delenv(VARIABLE)
    run_layer = WCCLayer.run

    def faulty(layer, x, **options):
        result = run_layer(layer, x, **options)
        if options.get("outputs_only"):
            result.out.reshape(-1)[0] ^= 1
        return result

    monkeypatch.setattr(WCCLayer, "run", faulty)
    code, _, err = simulate(MAP.stem, "--keep", "25%", "--explain")
    assert code == 2
    assert "differ in out: a fault of wccsim" in err


def test_json_on_standard_output_is_json_alone_and_whole():
    code, out, _ = simulate(MAP, "--keep", "1/4", "--json", "-")
    report = json.loads(out)
    assert code == 0
    assert report["parameters"]["keep"] == "1/4"
    assert report["inputs"] == {MAP.stem: load_map(MAP).sha256}
    assert all(row["within"] for row in report["errors"])
    assert all(row["seen_bits"] <= row["required_bits"] for row in report["widths"])
    positions = report["shape"]["positions"]
    assert report["actions"]["score"]["multiplies"] == 64 * positions


def test_a_saved_layer_gives_the_same_report(tmp_path):
    options = ("--json", "-")
    saved = tmp_path / "layer.npz"
    _, first, _ = simulate(
        MAP,
        "--keep",
        "1/3",
        "--levels",
        "2",
        "--per-level-shift",
        "--index",
        "rice",
        "--save-layer",
        saved,
        *options,
    )
    code, second, _ = simulate(MAP, "--layer", saved, *options)
    assert code == 0
    assert json.loads(first) == json.loads(second)
    assert WCCLayer.load(saved).made["calibrated_on"] == {MAP.stem: load_map(MAP).sha256}


def test_a_dump_holds_every_array_and_replaces_only_a_dump(tmp_path):
    folder = tmp_path / "arrays"
    assert simulate(MAP, "--keep", "25%", "--dump", folder)[0] == 0
    assert simulate(MAP, "--keep", "50%", "--dump", folder)[0] == 0  # an earlier dump is replaced
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    report = json.loads((folder / "report.json").read_text())
    channels, positions, kept = (report["shape"][name] for name in ("channels", "positions", "kept"))
    assert report["parameters"]["keep"] == "1/2"
    assert arrays["coefficients"].shape == (channels, positions)
    assert arrays["q"].shape == (channels, kept)
    assert arrays["indices"].tolist() == np.flatnonzero(arrays["kept"]).tolist()
    assert arrays["acc"].dtype == arrays["y"].dtype == np.int32
    np.testing.assert_array_equal(arrays["acc"], arrays["weights"].astype(int) @ arrays["q"].astype(int))
    stream = np.unpackbits(arrays["index"], bitorder="little")[: report["index_bits"]]
    np.testing.assert_array_equal(stream, arrays["kept"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays"]


@pytest.mark.parametrize("options", [("--keep", "1/3", "--index", "rice"), ("--plain", "--kept-bits", "5")])
def test_coded_words_are_dumped_as_the_stream_that_decodes_to_q(tmp_path, options):
    runs = {}
    for words in ("fixed", "rice"):
        folder = tmp_path / words
        code, out, _ = simulate(MAP, *options, "--words", words, "--dump", folder)
        assert code == 0 and f"\nwords {words}: " in out
        report = json.loads((folder / "report.json").read_text())
        arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        widths = np.full(report["shape"]["kept"], report["parameters"]["act_bits"])
        memory = WordMemory(words, len(arrays["q"]), widths, report["word_bits"], arrays["words"].tobytes())
        np.testing.assert_array_equal(decode(memory), arrays["q"])
        actions = report["actions"]
        assert actions["requantise"]["kept_write_bits"] == actions["mac"]["kept_read_bits"] == memory.bits
        runs[words] = report, arrays
    (fixed, one), (rice, other) = runs["fixed"], runs["rice"]
    assert all(np.array_equal(one[name], other[name]) for name in one if name != "words")
    assert fixed["stored"]["word_bits"] == rice["stored"]["word_bits"]
    assert rice["word_bits"] == rice["stored"]["word_bits"]["rice"] < fixed["word_bits"]
    values = rice["shape"]["channels"] * rice["shape"]["height"] * rice["shape"]["width"]
    assert rice["stored"]["bits_per_value"] == (rice["word_bits"] + rice["index_bits"]) / values
    words = rice["shape"]["channels"] * rice["shape"]["kept"]
    assert Fraction(rice["stored"]["bits_per_word"]["rice"]) * words == rice["word_bits"]


def test_explain_says_both_memories_in_every_format():
    _, out, _ = simulate(MAP.stem, "--keep", "25%", "--words", "rice", "--explain")
    stored = dict(re.findall(r"(fixed|rice|bitmap|list) ([\d,]+) bits", out))
    assert set(stored) == {"fixed", "rice", "bitmap", "list"}
    assert re.search(r"^ +--words rice --word-bits \d+/\d+ --index rice --index-bits \d+/\d+$", out, re.M)
    assert max(map(len, out.splitlines())) <= 100
    assert "list" not in simulate(MAP.stem, "--plain", "--explain")[1]


def test_a_stream_that_is_not_what_was_stored_would_be_said(monkeypatch):
    monkeypatch.setattr("wccsim.report.stored.words.decode", lambda memory: np.zeros((1, 1), np.int8))
    code, _, err = simulate(MAP.stem, "--keep", "25%")
    assert code == 2 and "fixed words differ from what was stored: a fault of wccsim" in err


def test_a_foreign_folder_is_left_whole(tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    code, _, err = simulate(MAP, "--keep", "25%", "--dump", folder)
    assert code == 2 and "not empty and no dump" in err
    assert (folder / "chapter.txt").read_text() == "years of work"
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert simulate(MAP, "--keep", "25%", "--dump", link)[0] == 2
    assert simulate(MAP, "--keep", "25%", "--dump", folder / "chapter.txt")[0] == 2
    assert simulate(MAP, "--keep", "25%", "--dump", tmp_path / "no" / "where")[0] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--keep is missing"),
        (("--keep", "0"), "0 < keep <= 1"),
        (("--keep", "150%"), "0 < keep <= 1"),
        (("--keep", "a lot"), "not a number"),
        (("--keep", "1/100000"), "keeps none"),
        (("--keep", "25%", "--levels", "9"), "levels is 9; allowed: integers 0 to 5"),
        (("--keep", "25%", "--yw", "17"), "yw"),
        (("--keep", "25%", "--kept-bits", "9"), "allowed: integers 2 to 8"),
        (("--keep", "25%", "--weight-bits", "3"), "3-bit weights on the symmetric grid are -3..3"),
        (("--keep", "25%", "--selection", "binned:x"), "binned:0 to binned:8"),
        (("--keep", "25%", "--calibration", "guess"), "allowed: max, mse, percentile:P"),
        (("--keep", "25%", "--haar", "daubechies"), "orthonormal_floor"),
        (("--keep", "25%", "--json", "no/such/folder/r.json"), "cannot write"),
        (("--layer", "missing.npz"), "No such file"),
        (("--layer", str(MAP)), "'header' is missing"),
        (("--layer", "missing.npz", "--keep", "25%"), "drop --keep"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(options, words):
    code, out, err = simulate(MAP, *options)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def _spoilt(tmp_path, **changes):
    with np.load(MAP) as archive:
        members = {**archive, **changes}
    path = tmp_path / "spoilt.npz"
    np.savez(path, **{name: value for name, value in members.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((2, 8, 8))}, "float64"),
        ({"x": np.zeros((8, 8), np.int8)}, "[C, H, W]"),
        ({"x_scale": np.float32(np.nan)}, "x_scale"),
        ({"x_scale": np.float32(-1)}, "x_scale"),
        ({"x_scale": np.float64(1e300)}, "x_scale holds 1e+300; allowed: 1e-60 to 1e+60"),
        ({"x_scale": np.float64(1e-310)}, "x_scale holds 1e-310; allowed: 1e-60 to 1e+60"),
        ({"w": None}, "has no weights"),
        ({"w": np.zeros((2, 3), np.int8)}, "w is int8 (2, 3)"),
        ({"w_scale": np.zeros(3)}, "w_scale"),
        ({"bias": np.array([np.inf] * 4)}, "bias"),
        ({"act": np.array("gelu")}, "act is 'gelu'"),
        ({"x": np.array([object()], dtype=object)}, "never pickles"),
    ],
)
def test_a_wrong_map_is_one_line_and_exit_code_2(tmp_path, changes, words):
    code, out, err = simulate(_spoilt(tmp_path, **changes), "--keep", "25%")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_an_unknown_name_lists_the_shipped_maps():
    code, _, err = simulate("tea", "--keep", "25%")
    assert code == 2 and MAP.stem in err and err.count("\n") == 1


def test_a_truncated_map_a_folder_and_a_missing_file_are_refused(tmp_path):
    cut = tmp_path / "cut.npz"
    cut.write_bytes(MAP.read_bytes()[:2000])
    for path in (cut, tmp_path, tmp_path / "missing.npz"):
        code, out, err = simulate(path, "--keep", "25%")
        assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_read_permission_is_refused(tmp_path):
    path = tmp_path / "closed.npz"
    path.write_bytes(MAP.read_bytes())
    path.chmod(0)
    code, _, err = simulate(path, "--keep", "25%")
    assert code == 2 and "Permission denied" in err


def test_a_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = (
            np.lib.format.magic(1, 0)
            + b"v\x00"
            + b"{'descr': '|i1', 'fortran_order': False, 'shape': (1,9,9)}"
        )
        archive.writestr("x.npy", header.ljust(128) + bytes(1 << 24))
        archive.writestr("x_scale.npy", b"")
    code, _, err = simulate(path, "--keep", "25%")
    assert code == 2 and err.count("\n") == 1


def test_a_refused_run_writes_nothing(tmp_path):
    saved, folder = tmp_path / "layer.npz", tmp_path / "dump"
    code, _, _ = simulate(MAP, "--keep", "0", "--save-layer", saved, "--dump", folder)
    assert code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_option_and_needs_no_numba():
    program = (
        "import sys; from wccsim.cli import main\n"
        "try: main(['simulate', '--help'])\n"
        "except SystemExit: print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    assert "--per-level-shift" in done.stdout
    assert Path(MAP).stem  # the example in the help names a shipped map
    assert any(path.stem in done.stdout for path in default_map_paths())


def test_the_python_examples_of_the_page_run(tmp_path, monkeypatch):
    page = Path(__file__).parent.parent / "docs" / "simulate.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(block, names)
