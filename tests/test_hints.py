"""A near miss is answered with what was meant: commands, operators, files, percentages, machines."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from wccsim.cli import COMMANDS, main
from wccsim.errors import WccsimError
from wccsim.hardware.accelerator_yaml import accelerator_names, load_accelerator
from wccsim.hardware.energy_yaml import SHIPPED as TABLES
from wccsim.hardware.energy_yaml import load_energy
from wccsim.network.catalog import load_network
from wccsim.network.entries import OPERATORS
from wccsim.network.head import OTHER_NAMES


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, list(arguments))
    return done.exit_code, done.output


def test_a_command_that_is_none_names_the_nearest() -> None:
    said = "wccsim: there is no command 'bop'; did you mean 'bops'?; `wccsim --help` lists them\n"
    assert run("bop", "x") == (2, said)
    assert "did you mean" not in run("frobnicate")[1]
    assert all(run(name, "--help")[0] == 0 for name in COMMANDS)


def test_a_subcommand_that_is_none_names_those_there_are() -> None:
    for group, name, near in (("rtl", "chek", "check"), ("bench", "layer", "layers")):
        code, printed = run(group, name)
        assert code == 2 and printed.count("\n") == 1
        assert f"did you mean {near!r}?; allowed: " in printed


def test_no_command_at_all_is_help_and_no_mistake() -> None:
    code, printed = run()
    assert code == 0 and printed.startswith("Usage: ")


@pytest.mark.parametrize("other", ["dwconv", "Linear", "conv2d", "relu6", "maxpool"])
def test_what_other_tools_call_an_operator_is_understood_as_a_hint(other: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"name: n\ninput: 3x8x8\nlayers:\n  - {{{other}: a}}\n")
    with pytest.raises(WccsimError, match=f"did you mean '{OTHER_NAMES[other.lower()]}'"):
        load_network(path)


def test_every_hint_is_an_operator_and_no_operator_is_hinted_away() -> None:
    assert set(OTHER_NAMES.values()) <= set(OPERATORS)
    assert not set(OTHER_NAMES) & set(OPERATORS)


def test_a_file_beside_is_offered_before_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("name: x\n")
    with pytest.raises(WccsimError, match=r"did you mean mine\.yaml\?"):
        load_network("mine.yml")


def test_a_folder_of_results_hides_no_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mobilenetv2").mkdir()
    (tmp_path / "resnet18").write_text("notes")
    assert load_network("mobilenetv2").name == "mobilenetv2"
    assert load_network("resnet18").name == "resnet18"
    (tmp_path / "resnet18.yaml").write_text("name: mine\ninput: 3x8x8\nlayers:\n  - {conv: a, out: 4}\n")
    assert load_network("resnet18.yaml").name == "mine"


def test_a_percentage_without_its_sign_is_recognised() -> None:
    assert "did you mean 25%?" in run("bops", "resnet18", "--keep", "25")[1]
    for keep in ("2500", "101%"):
        assert "did you mean" not in run("bops", "resnet18", "--keep", keep)[1]


def test_an_empty_size_is_a_mistake_and_not_the_size_of_the_file() -> None:
    for command in (
        ("bops",),
        ("show",),
        ("import",),
        ("cost",),
        ("sweep",),
        ("allocate", "--budget", "bops=1e9"),
    ):
        code, printed = run(*command, "resnet18", "--input", "")
        assert code == 2 and "input size ''; allowed: HEIGHTxWIDTH" in printed, command


def test_a_layer_too_small_for_the_keep_is_named_with_the_way_out() -> None:
    for command in (("cost",), ("sweep",), ("bops",)):
        code, printed = run(*command, "mobilenetv3_small", "--keep", "1/8", "--levels", "1")
        assert code == 2 and "layer features.1.se_reduce: keep" in printed and printed.count("\n") == 1


def test_a_shipped_machine_and_table_are_printed_to_start_from(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for name in accelerator_names():
        path.write_text(run("accelerators", "--show", name)[1])
        assert load_accelerator(path) == load_accelerator(name)
    for table in ("lpddr4", "ddr3_script_k4"):
        path.write_text(run("accelerators", "--show", table)[1])
        assert load_energy(path).rows == load_energy(table).rows
    code, printed = run("accelerators", "--show", "nothing")
    assert code == 2 and all(file.stem in printed for file in TABLES.glob("*.yaml"))
