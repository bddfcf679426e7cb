"""`wccsim bops`, `paper` and `diff` as a user runs them: outputs, streams, exit codes."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wccsim.cli import main
from wccsim.report.counts import COLUMNS

SMALL = ["--input", "64x96"]
HEAVY = ("numpy", "numba", "pandas", "matplotlib", "onnx", "onnxruntime", "scipy")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_main_job_prints_one_row_a_layer_and_the_totals_of_table_3() -> None:
    result = run("bops", "mobilenetv2.yaml")
    assert result.exit_code == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert sum(line.startswith("InvRes") for line in lines) == 50
    assert any("18,022,413,312" in line and line.startswith("1x1") for line in lines)
    assert any("1,056,190,968" in line and "depthwise 3x3" in line for line in lines)
    assert max(map(len, lines)) <= 100
    for named in ("counting    true", "definition  mac", "residency", "sha256 mobilenetv2"):
        assert named in result.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--keep", "12.5%"],
        ["--keep", "1/3", "--padding", "published", "--counting", "paper", "--definition", "uniq"],
        ["--keep", "0.25", "--stages"],
        ["--maps", "dense", "--keep", ".5", "--index", "list", "--on-chip-bits", "8000000"],
    ],
)
def test_every_table_fits_100_columns(options: list[str]) -> None:
    for network in ("mobilenetv2", "bts_resnext50"):
        result = run("bops", network, *options)
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 100


def test_csv_on_standard_output_is_csv_and_nothing_else() -> None:
    result = run("bops", "mobilenetv2", *SMALL, "--keep", "25%", "--csv", "-")
    assert result.stderr == ""
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == list(COLUMNS) and len(rows) == 50
    assert {row["keep"] for row in rows} == {"", "0.25"}
    for row in rows:
        assert int(row["bops"]) == int(row["bops_conv"]) + int(row["bops_haar"])


def test_json_on_standard_output_names_everything() -> None:
    result = run("bops", "mobilenetv2", *SMALL, "--keep", "25%", "--counting", "paper", "--json", "-")
    content = json.loads(result.stdout)
    assert content["version"] and len(content["inputs_sha256"]["mobilenetv2"]) == 64
    assert (content["settings"]["counting"], content["settings"]["definition"]) == ("paper", "mac")
    assert content["definitions"]["counting"].startswith("paper: valid positions")
    assert content["definitions"]["definition"].startswith("mac: MAC * bw * ba")
    assert content["settings"]["keep"] == "1/4" and content["settings"]["input"] == "64x96"
    assert content["totals"]["macs"] == sum(row["macs"] for row in content["rows"])
    assert "effective_bits_with_index" in content["rows"][1]


def test_files_are_written_and_hold_the_same(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    names = {kind: str(tmp_path / f"x.{kind}") for kind in ("csv", "json", "parquet")}
    options = [text for kind, name in names.items() for text in (f"--{kind}", name)]
    assert run("bops", "mobilenetv2", *SMALL, "--keep", "25%", *options).exit_code == 0
    from_csv = pandas.read_csv(names["csv"])
    from_parquet = pandas.read_parquet(names["parquet"])
    rows = json.loads(Path(names["json"]).read_text())["rows"]
    assert from_csv.macs.tolist() == from_parquet.macs.tolist() == [row["macs"] for row in rows]
    beside = json.loads(Path(names["csv"] + ".provenance.json").read_text())
    assert (
        beside["settings"]["counting"] == "true" and "every real output" in beside["definitions"]["counting"]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["bops", "no_such_network"],
        ["bops", "mobilenetv2", "--keep", "0"],
        ["bops", "mobilenetv2", "--keep", "200%"],
        ["bops", "mobilenetv2", "--keep", "many"],
        ["bops", "mobilenetv2", "--input", "0x5"],
        ["bops", "mobilenetv2", "--input", "abc"],
        ["bops", "mobilenetv2", "--input", "1x1"],
        ["bops", "mobilenetv2", "--levels", "9"],
        ["bops", "mobilenetv2", "--weight-bits", "0"],
        ["bops", "mobilenetv2", "--act-bits", "x"],
        ["bops", "mobilenetv2", "--definition", "flops"],
        ["bops", "mobilenetv2", "--counting", "both"],
        ["bops", "mobilenetv2", "--keep", "25%", "--act-bits", "12", "--stages"],
        ["bops", "mobilenetv2", "--csv", "-", "--json", "-"],
        ["bops", "mobilenetv2", "--csv", "/nonexistent/x.csv"],
        ["bops", "mobilenetv2", "--json", "/nonexistent/x.json"],
        ["bops", "mobilenetv2", "--csv", "."],
        ["bops"],
        ["bops", "/"],
        ["paper", "--csv", "/nonexistent/x.csv"],
        ["diff", "/nonexistent/a.csv", "/nonexistent/b.csv"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    import os

    if os.geteuid() == 0:
        pytest.skip("the superuser may write anywhere")
    tmp_path.chmod(0o500)
    result = run("bops", "mobilenetv2", *SMALL, "--csv", str(tmp_path / "x.csv"))
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1


def test_paper_prints_and_writes(tmp_path: Path) -> None:
    result = run("paper", "--csv", str(tmp_path / "audit.csv"))
    assert result.exit_code == 0 and "Table 3: 52 of 52 equal as printed" in result.stdout
    assert (tmp_path / "audit.csv").read_text().startswith("table,row,published,computed,gap_percent,note\n")
    assert json.loads(run("paper", "--json", "-").stdout)["inputs_sha256"]["table3.csv"]


def test_the_audit_as_parquet_equals_its_csv(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    names = {kind: str(tmp_path / f"x.{kind}") for kind in ("csv", "parquet")}
    assert (
        run("paper", *[text for kind, name in names.items() for text in (f"--{kind}", name)]).exit_code == 0
    )
    from_csv, from_parquet = pandas.read_csv(names["csv"]), pandas.read_parquet(names["parquet"])
    assert from_csv.computed.tolist() == from_parquet.computed.astype(float).tolist()
    assert from_csv.row.tolist() == from_parquet.row.tolist()


def test_diff_tells_what_keep_changed(tmp_path: Path) -> None:
    a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    run("bops", "mobilenetv2", *SMALL, "--csv", a)
    run("bops", "mobilenetv2", *SMALL, "--keep", "25%", "--csv", b)
    shown = run("diff", a, b)
    assert shown.exit_code == 0 and "bops_haar" in shown.stdout and "InvRes1 conv2" in shown.stdout
    assert "\nkeep: (none) > 1/4\n" in shown.stdout
    assert run("diff", a, b, "--exit-code").exit_code == 1
    same = run("diff", a, a, "--exit-code")
    assert same.exit_code == 0 and "no difference" in same.stdout
    changes = list(csv.DictReader(io.StringIO(run("diff", a, b, "--csv", "-").stdout)))
    assert {row["column"] for row in changes} >= {"keep", "bops", "traffic_bits"}


def test_counting_imports_nothing_heavy() -> None:
    """The start-up of the main job: no numba, pandas, matplotlib, onnx, nor NumPy."""
    code = (
        "import sys; from wccsim.cli import main\n"
        "try: main(['bops', 'mobilenetv2'])\n"
        "except SystemExit: pass\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        f"print(sorted(loaded & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("options", [[], ["--csv", "-"], ["--json", "/dev/full"]])
def test_a_full_disk_is_one_line(options: list[str]) -> None:
    command = [sys.executable, "-m", "wccsim", "bops", "mobilenetv2", *SMALL, *options]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("No space left on device") and "Traceback" not in done.stderr
