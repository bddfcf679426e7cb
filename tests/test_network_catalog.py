"""Finding networks, the commands that show and turn them, and the example of the documentation."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import wccsim
from wccsim.cli import main
from wccsim.errors import WccsimError
from wccsim.network import catalog
from wccsim.network.description import parse_network
from wccsim.network.entries import READERS, allowed_keys
from wccsim.network.model import Shape

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "networks.md"
TINY = "name: tiny\ninput: 3x8x8\nlayers:\n  - {conv: a, out: 4, kernel: 3}\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_file_goes_before_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert wccsim.load_network("resnet18.yaml") == wccsim.load_network("resnet18")
    (tmp_path / "resnet18.yaml").write_text(TINY)
    assert wccsim.load_network("resnet18.yaml").name == "tiny"
    assert wccsim.load_network("resnet18").name == "resnet18"


def test_the_size_override_reaches_every_reader(tmp_path: Path) -> None:
    assert wccsim.load_network("resnet18", input_size=(64, 96)).input_shape == Shape(3, 64, 96)
    (tmp_path / "t.csv").write_text("Layer, M, N, K,\na, 1, 2, 3,\n")
    with pytest.raises(WccsimError, match="states every size"):
        wccsim.load_network(tmp_path / "t.csv", input_size=(64, 96))
    with pytest.raises(WccsimError, match="input size 0x96"):
        wccsim.load_network("resnet18", input_size=(0, 96))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mobilenet_v2", "did you mean mobilenetv2?"),
        ("resnet-50", "did you mean resnet50?"),
        ("zzz", "`wccsim networks` lists them"),
        ("", "no file and no shipped network|cannot read|is read from"),
        (".", "is read from .yaml, .onnx or"),
        ("a\0b", "no file and no shipped network"),
        ("x" * 5000, "no file and no shipped network"),
    ],
)
def test_a_name_that_is_none_is_one_line(given: str, said: str) -> None:
    with pytest.raises(WccsimError, match=said) as caught:
        wccsim.load_network(given)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_text(TINY)
    with pytest.raises(WccsimError, match=r"net.txt: a network is read from \.yaml, \.onnx or"):
        wccsim.load_network(tmp_path / "net.txt")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(WccsimError, match=r"cannot read .*folder\.yaml"):
        wccsim.load_network(tmp_path / "folder.yaml")


def test_networks_lists_every_description_within_100_columns() -> None:
    result = run("networks")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 100
    for name in catalog.names():
        assert re.search(rf"^{name} ", result.output, re.MULTILINE), name
        assert f"  {name}: " in result.output, "its source"
    marked = re.findall(r"^(\w+) .* surrogate$", result.output, re.MULTILINE)
    assert marked == [name for name in catalog.names() if wccsim.load_network(name).surrogate]
    assert run("networks", "--names").output.split() == catalog.names()


@pytest.mark.parametrize("name", catalog.names())
@pytest.mark.parametrize("more", [(), ("--all",)])
def test_show_fits_100_columns_and_totals_the_macs(name: str, more: tuple[str, ...]) -> None:
    result = run("show", name, *more)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 100
    network = wccsim.load_network(name)
    total = next(line for line in result.output.splitlines() if line.startswith("total"))
    assert f" {sum(layer.macs for layer in network.counted):,}" in total
    assert ("Not counted, by the description: first" in result.output) == (name == "mobilenetv2")
    assert ("SURROGATE" in result.output) == network.surrogate


def test_show_takes_another_size() -> None:
    assert "512x8x8" in run("show", "resnet18", "--input", "256x256").output
    for wrong in ("256", "0x4", "256x", "axb", "9" * 30 + "x3"):
        result = run("show", "resnet18", "--input", wrong)
        assert result.exit_code == 2 and len(result.output.splitlines()) == 1, wrong
    assert "kernel extent" in run("show", "mobilenetv2", "--input", "2x2").output


def test_import_writes_yaml_or_a_topology_by_name_or_by_wish(tmp_path: Path) -> None:
    yaml_path, csv_path = tmp_path / "n.yaml", tmp_path / "n.csv"
    assert run("import", "resnet18", "-o", str(yaml_path)).exit_code == 0
    assert wccsim.load_network(yaml_path).layers == wccsim.load_network("resnet18").layers
    assert run("import", "resnet18", "-o", str(csv_path)).exit_code == 0
    assert sum(layer.macs for layer in wccsim.load_network(csv_path).layers) == 1_814_073_344
    assert run("import", "resnet18", "--to", "scalesim").output == csv_path.read_text()
    assert run("import", str(csv_path), "--to", "scalesim").output == csv_path.read_text()
    assert run("import", "resnet18", "--to", "scalesim-gemm").output.startswith(
        "Layer,M,N,K,\nconv1,12544,64,147,\n"
    )


def test_import_leaves_nothing_half_written(tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    kept.write_text("before")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(TINY.replace("out", "uot"))
    for arguments in (
        ["import", str(wrong), "-o", str(kept)],
        ["import", "resnet18", "-o", str(tmp_path / "no" / "x")],
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and len(result.output.splitlines()) == 1
    assert kept.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.yaml", "wrong.yaml"]


def test_unsupported_operators_are_shown_and_have_no_place_in_a_topology(tmp_path: Path) -> None:
    path = tmp_path / "u.yaml"
    path.write_text(TINY + "  - {unsupported: u, shape: 4x6x6, operator: Einsum}\n")
    assert run("show", str(path)).exit_code == 2
    assert (
        "Not understood, and not counted: Einsum (u)" in run("show", str(path), "--allow-unsupported").output
    )
    result = run("import", str(path), "--allow-unsupported", "--to", "scalesim")
    assert (result.exit_code, result.output) == (
        2,
        "wccsim: a topology has no place for what is not understood: Einsum (u)\n",
    )


def test_names_complete_in_the_shell() -> None:
    words = {"COMP_WORDS": "wccsim show mobilenetv2", "COMP_CWORD": "2", "_WCCSIM_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(main, env=words, prog_name="wccsim", catch_exceptions=True)
    assert "plain,mobilenetv2_imagenet" in result.output


def test_onnx_says_what_to_install_where_it_is_missing(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from wccsim.cli import main; main(['show', sys.argv[1]], prog_name='wccsim')"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "m.onnx"], capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr == f'wccsim: {tmp_path / "m.onnx"} needs onnx: pip install "wccsim[onnx]"\n'


def test_a_description_is_read_without_anything_heavy() -> None:
    code = (
        "import sys; from wccsim.network.catalog import load_network; load_network('mobilenetv2')\n"
        "print(sorted({'numpy', 'pandas', 'numba', 'onnx', 'matplotlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_annotated_example_is_a_network() -> None:
    (example,) = blocks(PAGE)
    network = parse_network(example.encode(), "example.yaml")
    found = {layer.name: layer for layer in network.layers}
    assert found["stage2.0.expand"].keep is not None and found["stage2.0.project"].keep is None
    assert found["stem"].exempt and found["stem"].weight_bits == 32
    assert found["joined"].out_shape == Shape(48, 56, 56)


def test_descriptions_in_the_readme_are_networks() -> None:
    for example in blocks(ROOT / "README.md"):
        if re.search(r"^layers:", example, re.MULTILINE):
            parse_network(example.encode(), "README.md")


def test_the_page_names_every_operator_and_every_key() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for op in READERS:
        if op != "unsupported":  # written by `import --allow-unsupported`, not by people
            assert all(f"`{key}" in text for key in allowed_keys(op)), op
    for rule in ("valid", "same", "same_lower", "symmetric"):
        assert f"`{rule}`" in text
