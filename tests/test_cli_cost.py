"""The commands accelerators, cost, gemm, roofline, sweep, allocate: outputs, files and refusals."""

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner

from wccsim.cli import main
from wccsim.cost.network import network_cost
from wccsim.cost.run import cost, energy_spread, verdict
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import energy_names, load_energy
from wccsim.network.catalog import load_network

NET = "mobilenetv3_small"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_accelerators_lists_all_with_their_sources():
    out = run("accelerators")
    for name in ("ddr3_fpga", "edge_npu_wcc", "eyeriss_like", "tpu_like"):
        assert f"\n{name}: " in out
    rows = list(csv.DictReader(io.StringIO(run("accelerators", "--csv", "-"))))
    assert all(row["source"] and float(row["peak_macs_per_s"]) > 0 for row in rows)


def test_gemm_answers_with_exactly_the_promised_keys():
    answer = json.loads(run("gemm", "2048x27x32", "--array", "32x32", "--dataflow", "ws", "--json", "-"))
    assert list(answer) == [
        "cycles", "utilization_percent", "mapping_efficiency_percent", "sram_in_reads", "sram_weight_reads",
        "sram_out_writes",
    ]  # fmt: skip
    assert (answer["cycles"], answer["sram_in_reads"], answer["sram_out_writes"]) == (2142, 55296, 65536)
    assert answer["mapping_efficiency_percent"] == 84.375
    assert (
        json.loads(run("gemm", "1x1x1", "--array", "1x1", "--dataflow", "os", "--json", "-"))["cycles"] == 1
    )


def test_gemm_shows_scalesims_habits_beside_ours():
    out = run("gemm", "2048x16x96", "--dataflow", "os", "--as-scalesim")
    assert re.search(r"cycles +14,976 +14,975", out)
    assert re.search(r"output writes, words +196,608 +208,896", out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("gemm", "0x1x1"), ("gemm", "1x1"), ("gemm", "axbxc"), ("gemm", "1x1x1", "--array", "0x3"),
        ("gemm", "1x1x1", "--dataflow", "dot", "--as-scalesim"), ("cost", "nothing_of_that_name"),
        ("cost", NET, "--accelerator", "nope"), ("cost", NET, "--energy", "nope"),
        ("cost", NET, "--keep", "2"), ("cost", NET, "--energy", "all"), ("cost", NET, "--selection", "best"),
        ("cost", NET, "--act-bits", "9"),
        ("cost", NET, "--json", "-", "--csv", "-"), ("cost", NET, "--csv", "/no/such/folder/x.csv"),
        ("cost", NET, "--keep", "1/1000000"), ("roofline", NET, "--plot", "x.gif"),
        ("sweep", NET, "--keep", "0"), ("sweep", NET, "--act-bits", "1"), ("sweep", NET, "--levels", "9"),
        ("sweep", NET, "--jobs", "0"), ("sweep", NET, "--curves", "/no/file.csv"),
        ("sweep", NET, "--keep", "1", "--dask", "x", "--jobs", "2"), ("allocate", NET, "--budget", "flops=3"),
        ("allocate", NET, "--budget", "bops=1"), ("allocate", "resnet18", "--budget", "bops=1e15"),
        ("sweep", NET, "--keep", ".001..1:100000", "--act-bits", "2..8", "--weight-bits", "2..8"),
    ],
)  # fmt: skip
def test_a_mistake_costs_one_line_and_exit_code_2(arguments):
    out = run(*arguments, code=2)
    assert len(out.strip().splitlines()) == 1 and "Traceback" not in out


def test_cost_writes_the_same_figures_everywhere(tmp_path):
    path = tmp_path / "c"
    run(
        "cost",
        NET,
        "--keep",
        "25%",
        "--csv",
        f"{path}.csv",
        "--json",
        f"{path}.json",
        "--html",
        f"{path}.html",
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text())))
    content = json.loads((tmp_path / "c.json").read_text())
    for variant, network in (("dense", load_network(NET)), ("wcc", None)):
        ours = [row for row in rows if row["variant"] == variant]
        assert sum(int(row["cycles"]) for row in ours) == content["totals"][variant]["cycles"]
        if network is not None:
            machine = load_accelerator("edge_npu_wcc")
            priced = network_cost(network, machine, load_energy(machine.energy))
            assert content["totals"][variant]["cycles"] == priced.cycles
    units = re.compile(r"(_bits|_cycles|_pj|_percent)$")
    plain = {"variant", "layer", "op", "keep", "macs", "cycles", "tiling", "notes"}
    assert all(name in plain or units.search(name) for name in rows[0])
    assert content["settings"]["compress"].startswith("consumer")
    assert "https://" not in (tmp_path / "c.html").read_text()


def test_stages_sum_to_the_layers():
    stages = list(csv.DictReader(io.StringIO(run("cost", NET, "--keep", "25%", "--stages", "--csv", "-"))))
    layers = list(csv.DictReader(io.StringIO(run("cost", NET, "--keep", "25%", "--csv", "-"))))
    for name in ("energy_pj", "dram_pj", "sram_pj", "compute_pj"):
        total = sum(float(row[name]) for row in stages)
        assert total == pytest.approx(sum(float(row[name]) for row in layers))
    assert {"haar", "score", "select", "inverse"} <= {row["stage"] for row in stages}


def test_the_verdict_is_made_of_the_figures():
    comparison = cost(NET, keep="25%")
    spread = energy_spread(comparison)
    assert [row.table for row in spread] == sorted(
        energy_names(), key=lambda name: load_energy(name).dram_read_pj_per_bit
    )
    for against in ("dense", "quantised"):
        wins = sum(row.energy_pj["wcc"] < row.energy_pj[against] for row in spread)
        sentence = verdict(spread, against)
        expected = {0: "saves no energy", len(spread): "saves energy under all"}
        assert expected.get(wins, f"WCC saves under {wins} of {len(spread)}") in sentence
    out = run("cost", NET, "--keep", "25%", "--energy", "all")
    assert " ".join(verdict(spread, "dense").split()) in " ".join(out.split())


def test_roofline_points_lie_on_or_under_the_roof(tmp_path):
    text = run("roofline", NET, "--keep", "25%", "--csv", "-", "--plot", str(tmp_path / "r.svg"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["variant"] for row in rows} == {"dense", "quantised", "wcc"}
    for row in rows:
        intensity = int(row["macs"]) / int(row["dram_bits"])
        assert float(row["intensity_macs_per_bit"]) == pytest.approx(intensity)
        roof = min(256 * 500e6, intensity * 32 * 3200e6)
        assert float(row["attainable_macs_per_s"]) == pytest.approx(roof)
        assert float(row["achieved_macs_per_s"]) <= roof * (1 + 1e-9)
    picture = (tmp_path / "r.svg").read_text()
    run("roofline", NET, "--keep", "25%", "--plot", str(tmp_path / "again.svg"))
    assert picture == (tmp_path / "again.svg").read_text()


def test_sweep_prints_the_front_and_writes_every_setting(tmp_path):
    text = run("sweep", NET, "--keep", "dense,1,.25", "--act-bits", "4,8", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6
    front = [row for row in rows if row["pareto_energy"]]
    shown = run("sweep", NET, "--keep", "dense,1,.25", "--act-bits", "4,8", "--plot", str(tmp_path / "f.png"))
    assert f"{len(front)} on the front" in shown
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"


def test_allocate_stays_within_the_budget_it_was_given():
    content = json.loads(run("allocate", NET, "--budget", "bops=1.5e9", "--json", "-"))
    totals = content["totals"]
    assert totals["allocated"]["cost"] <= 1.5e9
    assert totals["bound_noise_to_signal"] <= totals["allocated"]["distortion_noise_to_signal"]
    assert "Choosing per layer gains" in content["notes"][0]
