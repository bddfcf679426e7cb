"""The Verilog computes every word, and takes every cycle, that the simulator and section 9 say."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import reference

from wccsim.datapath.layer import run_plan
from wccsim.errors import WccsimError
from wccsim.rtl.cosim import check, simulate
from wccsim.rtl.export import PHASES, STAGES, read_manifest, write_set
from wccsim.rtl.layers import layer_from_map
from wccsim.rtl.process import build_folder, missing, rtl_sources, run_tool
from wccsim.rtl.sets import CASES, Case, build

REPOSITORY = Path(__file__).parent.parent
SHARED_MAP = REPOSITORY.parent / "shared/data/maps/v2_flower1024x2048_op040_c96_64x128.npz"
SHIPPED_MAP = REPOSITORY / "wccsim/data/maps/astronaut_block3_linear_c32_64x64.npz"


def need_tools(*tools: str) -> None:
    """Skip with the installing command; fail where the environment demands the tools."""
    absent = missing(*tools)
    if absent and os.environ.get("WCCSIM_REQUIRE_RTL") == "1":
        pytest.fail(f"WCCSIM_REQUIRE_RTL=1: {absent}")
    if absent:
        pytest.skip(absent)


def written(case: Case, folder: Path) -> Path:
    plan, x = build(case)
    target = folder / case.name
    write_set(plan, x, target, p_lanes=case.p_lanes, q_lanes=case.q_lanes, source={"case": case.name})
    return target


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sets")
    return [written(case, folder) for case in CASES]


def test_the_cases_cover_the_list_of_the_specification() -> None:
    found = CASES
    assert len(found) >= 15 and len({case.name for case in found}) == len(found)
    settings = [case.parameters() for case in found]
    assert {p.levels for p in settings} == {1, 2, 3, 4, 5}
    assert {p.wavelet_bits for p in settings} >= {8, 12, 16}
    assert {p.relu for p in settings} == {True, False}
    assert {p.score for p in settings} == {"l2", "l1", "max"}
    assert {p.requantise_mode for p in settings} == {"single", "tflite_double"}
    assert {case.content for case in found} == {"random", "smooth", "minimum", "impulse", "ties", "constant"}
    assert {"none", "random", "maximal"} == {case.bias for case in found}
    plans = [build(case)[0] for case in found]
    assert any(plan.kept == 1 for plan in plans) and any(plan.kept == plan.positions for plan in plans)
    assert any(plan.height != plan.padded_height and plan.width != plan.padded_width for plan in plans)
    assert any(case.channels % case.p_lanes and case.out_channels % case.q_lanes for case in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_slow_twin_agrees_on_every_case(case: Case) -> None:
    plan, x = build(case)
    p = plan.parameters
    pairs = [
        list(zip(r.multiplier.tolist(), r.shift.tolist(), strict=True)) for r in (plan.r1, plan.r2, plan.r3)
    ]
    layer = reference.Layer(
        keep=p.keep, levels=p.levels, in_bits=p.in_bits, kept_bits=p.act_bits, weight_bits=p.weight_bits,
        yw=p.wavelet_bits, score=p.score, selection=p.selection, mode=p.requantise_mode,
        per_level_shift=p.per_level_shift, relu=p.relu, out_unsigned=p.out_unsigned,
        r1=pairs[0][0], r2=pairs[1], r3=pairs[2], bias=None if plan.bias is None else plan.bias.tolist(),
    )  # fmt: skip
    slow = reference.run(x.tolist(), plan.weights.tolist(), layer)
    fast = run_plan(plan, x)
    for name in ("coefficients", "energy", "indices", "q", "acc", "y", "out"):
        assert np.array_equal(getattr(fast, name), np.array(getattr(slow, name))), name


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_every_word_and_every_cycle_of_every_case(simulator: str, sets: list[Path]) -> None:
    need_tools(*{"icarus": ("iverilog", "vvp"), "verilator": ("verilator", "g++")}[simulator])
    verdicts = list(check(sets, simulator))
    assert [str(verdict.first_divergence) for verdict in verdicts if not verdict.equal] == []
    assert [verdict.name for verdict in verdicts] == [case.name for case in CASES]
    assert all(
        [s.stage for s in v.stages] == [*STAGES, "cycles"] and all(s.words for s in v.stages)
        for v in verdicts
    )


@pytest.mark.rtl
@pytest.mark.parametrize("m", range(9))
def test_the_binned_scan_takes_512_cycles_whatever_m(m: int, tmp_path: Path) -> None:
    """The counters of the Verilog equal the closed form for every m, not only for those of the cases."""
    need_tools("iverilog", "vvp")
    settings = {"levels": 1, "selection": f"binned:{m}"}
    folder = written(Case("scan", channels=2, out_channels=2, height=8, width=8, settings=settings), tmp_path)
    assert read_manifest(folder)["cycles"]["select"] == 2 * 64 + 512
    verdict = simulate(folder, "icarus")
    assert str(verdict.first_divergence) == "None"


@pytest.mark.rtl
def test_a_natural_map_on_verilator(tmp_path: Path) -> None:
    need_tools("verilator", "g++")
    path = SHARED_MAP if SHARED_MAP.is_file() else SHIPPED_MAP
    layer = layer_from_map(path, {}, crop=64, max_channels=32)
    assert layer.x.shape == (32, 64, 64)
    write_set(layer.plan, layer.x, tmp_path / "natural", p_lanes=8, q_lanes=8, source=layer.source)
    [verdict] = check([tmp_path / "natural"], "verilator")
    assert str(verdict.first_divergence) == "None"


@pytest.mark.rtl
def test_the_first_divergence_is_named(tmp_path: Path) -> None:
    need_tools("iverilog", "vvp")
    folder = written(Case("broken", height=8, width=8, settings={"levels": 1}), tmp_path)
    other = tmp_path / "verilog"
    other.mkdir()
    for source in rtl_sources():
        text = source.read_text()
        if source.stem == "wcc_top":
            text = text.replace("r1_shift + {4'd0, entry_level}", "r1_shift + 7'd2")
        (other / source.name).write_text(text)
    verdict = simulate(folder, "icarus", sources=sorted(other.iterdir()))
    first = verdict.first_divergence
    assert first is not None and first.stage == "q" and first.first is not None
    expected = run_plan(*build(Case("broken", height=8, width=8, settings={"levels": 1})))
    assert expected.q[first.first.index] == first.first.expected != first.first.got
    assert str(first).startswith("q: ") and "first at [" in str(first)


@pytest.mark.rtl
def test_the_design_is_lint_clean_for_every_case(sets: list[Path]) -> None:
    need_tools("verilator")
    top = next(path for path in rtl_sources() if path.stem == "wcc_top")
    with build_folder() as work:
        for folder in sets:
            lint = ["verilator", "--lint-only", "-Wall", f"-I{folder}", f"-I{top.parent}", top]
            assert run_tool(lint, work) == "", folder.name


@pytest.mark.rtl
def test_an_interrupted_check_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    need_tools("iverilog", "vvp")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "wccsim", "rtl", "check", "--simulator", "icarus"]
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A test run started in the background of a shell hands on an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first verdict: the next run is under way
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    marker = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(marker)!r}).touch()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(WccsimError, match=r"took more than 0\.5 s"):
        run_tool([sys.executable, "-c", parent], tmp_path, timeout=0.5)
    time.sleep(2.5)
    assert not marker.exists()


def test_the_manifest_says_all_of_the_set(tmp_path: Path) -> None:
    case = CASES[0]
    folder = written(case, tmp_path)
    manifest = read_manifest(folder)
    plan, _ = build(case)
    assert manifest["kept"] == plan.kept and set(manifest["cycles"]) == {*PHASES, "total"}
    assert set(manifest["files"]) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    for word in manifest["words"].values():
        lines = (folder / word["file"]).read_text().split()
        assert len(lines) == np.prod(word["shape"])
        assert all(int(line, 16) < 1 << word["bits"] for line in lines)


def test_the_files_alone_reproduce_the_accumulators(tmp_path: Path) -> None:
    """As a stranger would: read the hex files by the manifest, multiply, compare."""
    folder = written(CASES[0], tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())

    def array(name: str) -> np.ndarray:
        word = manifest["words"][name]
        values = np.array([int(line, 16) for line in (folder / word["file"]).read_text().split()])
        if word["signed"]:
            values = np.where(values >> (word["bits"] - 1), values - (1 << word["bits"]), values)
        return values.reshape(word["shape"])

    assert np.array_equal(array("weights") @ array("q"), array("acc"))


def test_writing_again_replaces_and_never_mixes(tmp_path: Path) -> None:
    first, second = CASES[:2]
    plan, x = build(first)
    write_set(plan, x, tmp_path / "set", p_lanes=4, q_lanes=4, source={})
    plan, x = build(second)
    write_set(plan, x, tmp_path / "set", p_lanes=4, q_lanes=4, source={})
    assert read_manifest(tmp_path / "set")["parameters"]["levels"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"haar": "lifting"}, "haar 'lifting' has no Verilog"),
        ({"haar": "orthonormal_floor"}, "haar 'orthonormal_floor' has no Verilog"),
        ({"index": "rice"}, "index 'rice' has no Verilog"),
        ({"words": "rice"}, "words 'rice' has no Verilog; exported: fixed"),
        ({"detail_bits": 4}, "detail_bits 4 has no Verilog"),
    ],
)
def test_what_has_no_verilog_is_refused(settings: dict, message: str, tmp_path: Path) -> None:
    plan, x = build(Case("refused", settings=settings))
    with pytest.raises(WccsimError, match=message):
        write_set(plan, x, tmp_path / "set", p_lanes=4, q_lanes=4, source={})
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = written(CASES[0], tmp_path)
    (folder / "x.hex").write_text("00\n")
    with pytest.raises(WccsimError, match=r"x\.hex: not the file that manifest\.json names"):
        read_manifest(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "wccsim-rtl-set"}', "[" * 10_000])
def test_a_strange_manifest_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(WccsimError, match="no exported set"):
        read_manifest(tmp_path)


def test_a_full_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    plan, x = build(CASES[0])
    with pytest.raises(WccsimError, match="not empty and no exported set"):
        write_set(plan, x, tmp_path, p_lanes=4, q_lanes=4, source={})
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_missing_tool_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing("iverilog", "verilator") == (
        "iverilog, verilator not found on PATH; install with: sudo apt-get install iverilog verilator"
    )
