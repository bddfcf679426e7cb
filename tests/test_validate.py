"""The replayed checks: all pass on what ships, and each kind fails when a recorded figure is changed."""

import shutil

import pytest
from click.testing import CliRunner

from wccsim import validate as module
from wccsim.cli.validate import validate as command
from wccsim.network.catalog import load_network
from wccsim.validate import GROUPS, resnet18_saving, seventeen_convolutions, validate


def test_every_check_passes():
    checks = list(validate())
    assert [check for check in checks if not check.passed] == []
    assert {check.group for check in checks} >= {
        "SCALE-Sim 3.0.0", "QONNX 1.0.0", "onnx-tool 1.0.1", "ZigZag 3.9.1", "transform coding", "paper",
        "Verilog",
    }  # fmt: skip
    assert len(checks) > 100


@pytest.mark.parametrize(
    ("group", "file", "column"),
    [
        ("scalesim", "scalesim_3.0.0_conv", "sram_ofmap_writes"),
        ("scalesim", "scalesim_3.0.0_conv", "compute_cycles_incl_stall"),
        ("scalesim", "scalesim_3.0.0_gemm", "sram_filter_reads"),
        ("scalesim", "scalesim_3.0.0_quoted", "reported_cycles"),
        ("qonnx", "qonnx_1.0.0_inference_cost", "qonnx_bops_no_discount"),
        ("onnx-tool", "onnx_tool_1.0.1", "macs"),
        ("zigzag", "zigzag_3.9.1_tpu_like", "mac_energy_pJ"),
        ("transform-coding", "transform_coding_example", "energy_j"),
        ("rtl", "rtl_cycles", "select_cycles"),
    ],
)
def test_a_changed_record_fails(monkeypatch, tmp_path, group, file, column):
    shutil.copytree(module.PEERS, tmp_path / "peers")
    path = tmp_path / "peers" / f"{file}.csv"
    header, first, *others = path.read_text().splitlines()
    at = header.split(",").index(column)
    cells = first.split(",")
    cells[at] = (
        repr(float(cells[at]) * 2) if "." in cells[at] or "e" in cells[at] else str(int(cells[at]) + 1)
    )
    path.write_text("\n".join([header, ",".join(cells), *others]) + "\n")
    monkeypatch.setattr(module, "PEERS", tmp_path / "peers")
    assert sum(not check.passed for check in GROUPS[group]()) == 1
    result = CliRunner().invoke(command, ["--only", group])
    assert result.exit_code == 1
    assert result.output.count("FAIL") == 1


def test_the_command_prints_one_line_a_check_and_exits_0():
    result = CliRunner().invoke(command, [])
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[-1] == f"{len(lines) - 1} of {len(lines) - 1} checks pass"
    assert all(line.startswith("PASS ") for line in lines[:-1])


def test_resnet18_has_the_scripts_seventeen_maps_and_entropies_weigh_as_published():
    layers = seventeen_convolutions(load_network("resnet18"))
    sizes = [layer.out_shape.values for layer in layers]
    assert (len(sizes), sum(sizes)) == (17, 2_308_096)
    for column, published in (("bits_with_pca", 3.990999816956521), ("bits_without_pca", 5.790266408369566)):
        bits = [float(row[column]) for row in module.rows("transform_coding_entropies")]
        weighted = sum(size * value for size, value in zip(sizes, bits, strict=True)) / sum(sizes)
        assert weighted == pytest.approx(published, rel=1e-14)


def test_what_transform_coding_saves():
    """48 % against 8 bits, 30 % against entropy coding alone: "about 40 %" lies between the two."""
    saving = resnet18_saving()
    assert saving.against_raw_percent == pytest.approx(48.4, abs=0.1)
    assert saving.against_entropy_percent == pytest.approx(29.6, abs=0.1)
