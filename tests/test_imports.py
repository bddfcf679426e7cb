"""The floors of the house: a module imports only from floors below its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wccsim"
# Lowest first. A module never imports one of its own floor: what two of them share stands lower.
FLOORS = [
    "errors kernel_cache",
    "formats",
    "arith actions files progress quantise",
    "located parameters maps datapath.subbands",
    "datapath.pad datapath.haar datapath.score datapath.select datapath.mac datapath.requant "
    "datapath.bitmap datapath.plan datapath.product datapath.vector_ir datapath.strips datapath.workers",
    "datapath.plain datapath.portable_forward",
    "datapath.fused",
    "datapath.portable",
    "datapath.vector",
    "datapath.engine datapath.count",
    "datapath.float_reference",
    "datapath.layer datapath.error_bound datapath.calibration",
    "datapath.wcc_layer datapath.measure datapath.widths datapath.dump compiling",
    "default_maps network.model cycles rtl.process",
    "rtl.synth rtl.export rtl.sets",
    "rtl.cosim rtl.layers rtl.fault_cases rtl.fault_list rtl.fault_driver",
    "rtl.widths rtl.smt rtl.faults",
    "rtl.prove rtl.netlist",
    "counting.exact",
    "counting.macs analytic",
    "execute",
    "counting.bops counting.kinds",
    "counting.options",
    "counting.compressed",
    "counting.traffic counting.gates",
    "counting.count",
    "counting.stages",
    "network.shapes network.expression systolic tiling hardware.model hardware.energy",
    "network.values hardware.accelerator_yaml hardware.energy_yaml",
    "network.entries cost.options cost.record cost.views cost.source cost.tiling_vector explore.grid explore.distortion explore.cluster",
    "cost.parameters_of cost.selection cost.latency cost.points",
    "cost.pricing cost.surroundings cost.stages_vector",
    "cost.dense cost.vector",
    "cost.wcc",
    "cost.network explore.price",
    "cost.roofline explore.sweep explore.allocate",
    "network.head",
    "network.description network.onnx_sizes network.scalesim network.writer",
    "network.onnx_graph",
    "network.onnx_build",
    "network.onnx_operators",
    "network.onnx_file",
    "network.catalog",
    "paper.published",
    "paper.rules",
    "paper.audit",
    "paper.contradictions",
    "counting.run",
    "cost.run validate",
    "extract",
    "codecs.bitstream",
    "codecs.base codecs.eigen codecs.rice_code codecs.huffman_code codecs.bit_planes",
    "codecs.scalar codecs.depths codecs.wcc_words codecs.wcc_step codecs.mwq_bits codecs.klt_basis codecs.dct codecs.masked",
    "codecs.uniform codecs.apot codecs.wcc codecs.mwq codecs.transform_quantization codecs.klt codecs.dc_ac codecs.zvc codecs.rlc codecs.csr codecs.dct8x8 codecs.dct_cm codecs.ebpc codecs.rice codecs.huffman codecs.deflate",
    "codecs.registry",
    "compare.search compare.step compare.metrics compare.store compare.point",
    "compare.knob compare.rows",
    "compare.methods compare.summary",
    "compare.wavelet compare.karhunen_loeve",
    "compare.catalog",
    "compare.run compare.switches",
    "report.terminal",
    "report.tables",
    "compare.output report.plots report.conclusions",
    "report.panels",
    "report.html",
    "report.build",
    "report.counts report.paper report.differences report.simulation report.costs report.explored",
    "report.count_text",
    "report.roofline_plot report.cost_page",
    "bench.inputs bench.timing bench.machine bench.plotting",
    "bench.peers bench.memory bench.stages",
    "bench.layers bench.limits",
    "bench.stack bench.scaling",
    "bench.text",
    "cli",
    "cli.simulate cli.networks cli.codecs cli.extract cli.compare cli.report cli.count cli.paper cli.diff cli.cost cli.explore cli.bench cli.validate cli.rtl",
]
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names.split()}
COUNTING_ONLY = ["analytic", "cost.run", "cost.vector", "validate"]
HEAVY = ("numba", "pandas", "matplotlib", "onnx", "onnxruntime")


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    _name(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__main__.py"
    and path != PACKAGE / "__init__.py"
    # A package's own __init__ counts as a module once it holds code.
    and (path.name != "__init__.py" or len(ast.parse(path.read_text()).body) > 1)
}


def imported(module: str) -> Iterator[str]:
    """Names of the wccsim modules that `module` imports anywhere in its file."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom):
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        else:
            continue
        for name in wanted:
            below = name.removeprefix("wccsim.")
            if below != name:
                while below and below not in MODULES:
                    below = below.rpartition(".")[0]
                if below:
                    yield below


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    assert module in FLOOR, f"{module} stands on no floor: add it to FLOORS"
    assert [name for name in imported(module) if FLOOR[name] >= FLOOR[module]] == []


def test_every_floor_is_built() -> None:
    assert set(FLOOR) == set(MODULES)


def test_the_two_routes_to_the_counts_never_meet() -> None:
    """Neither imports the other, directly or through a third."""

    def reach(module: str) -> set[str]:
        below = set(imported(module))
        return below.union(*(reach(name) for name in below))

    datapath = {name for name in MODULES if name.startswith("datapath")}
    counting = [name for name in COUNTING_ONLY if name in MODULES]
    assert [name for name in counting if reach(name) & datapath] == []
    assert [name for name in datapath if reach(name) & set(counting)] == []
