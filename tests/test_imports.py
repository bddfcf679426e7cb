"""The floors of the house: a module imports only from floors below its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wccsim"
# Lowest first; a line is a floor, an indented line goes on with the one above. A module never imports one of
# its own floor: what two of them share stands lower.
FLOORS = """
# ground
actions compiling errors kernel_cache processors progress
bitstream files folders formats quantise
arith located maps parameters rice_code
default_maps stored_bits
# the datapath
datapath.dump datapath.haar datapath.lanes datapath.mac datapath.pad datapath.product datapath.requant
  datapath.score datapath.select datapath.strips datapath.subbands
  datapath.workers
datapath.bitmap datapath.plan datapath.portable_forward datapath.words
datapath.float_reference datapath.plain datapath.vector_forward datapath.vector_select
datapath.calibration datapath.count datapath.error_bound datapath.fused datapath.vector_gather
  datapath.vector_score
datapath.engine datapath.portable_plan datapath.vector_product
datapath.portable datapath.vector_inverse datapath.vector_matrix
datapath.vector_plan
datapath.layer datapath.vector
datapath.matrix
datapath.measure datapath.wcc_layer datapath.widths
# networks and hardware
cycles hardware.energy hardware.model network.expression network.model network.onnx_sizes
hardware.accelerator_yaml hardware.energy_yaml network.onnx_graph network.shapes network.stored systolic
  tiling
network.onnx_build network.scalesim network.values
network.entries network.onnx_operators
network.head network.onnx_file
network.description network.writer
network.catalog
# counting
analytic counting.exact execute paper.published
counting.bops counting.macs
counting.kinds counting.options
counting.compressed
counting.gates counting.traffic
counting.count
counting.run counting.stages paper.rules
paper.audit
paper.contradictions
# codecs
codecs.depths codecs.eigen codecs.mwq_bits codecs.wcc_step
codecs.base codecs.bit_planes codecs.dct codecs.huffman_code codecs.klt_basis codecs.masked
codecs.csr codecs.dc_ac codecs.dct8x8 codecs.dct_cm codecs.deflate codecs.ebpc codecs.huffman
  codecs.klt codecs.mwq codecs.rice codecs.rlc codecs.scalar codecs.transform_quantization
  codecs.distortion codecs.wcc_transform codecs.zvc
codecs.apot codecs.uniform codecs.wcc_index
codecs.wcc
codecs.registry
# cost and search
cost.options cost.record cost.source cost.tiling_vector cost.views explore.cluster
  explore.distortion explore.grid
cost.latency cost.parameters_of cost.points cost.selection
cost.pricing cost.surroundings
cost.compute_vector cost.dense cost.wcc_plan
cost.stages_vector cost.wcc
cost.network cost.vector
cost.roofline cost.run explore.price
explore.choices explore.sweep
explore.allocate
# comparison
compare.metrics compare.parallel compare.point compare.search compare.step compare.store compare.study
  extract
compare.knob compare.rows compare.weights
compare.methods compare.summary compare.wcc_knob compare.weight_rows
compare.candidate compare.karhunen_loeve
compare.wavelet
compare.catalog
compare.network compare.run compare.switches
# Verilog
rtl.export rtl.fault_driver rtl.fault_list rtl.process rtl.sets rtl.widths
rtl.cosim rtl.fast_fault_list rtl.fault_cases rtl.layers rtl.smt rtl.synth
rtl.faults rtl.netlist rtl.prove
# checks
validate
# reports
report.canvas report.plain_csv
report.check report.conclusions report.missed report.panels report.plots report.terminal
  report.weight_conclusions
report.crossovers report.html report.stored report.tables
report.one_plot report.simulation
report.comparison report.costs report.counts report.differences report.explored report.page
  report.paper report.network_table report.weight_column
report.build report.cost_page report.count_text report.pareto_plot report.roofline_plot
report.sweep_page
# benchmarks
bench.inputs bench.machine bench.portable_loops bench.probes bench.timing bench.vector_loops
  bench.weights
bench.bandwidth bench.memory bench.peers bench.portable_stages bench.vector_stages
bench.layers bench.stages
bench.limits bench.scaling bench.stack bench.text
bench.limits_text bench.roofline bench.stack_text
# commands
cli.outputs cli.policies cli.subcommands
cli cli.bench cli.codecs cli.compare cli.cost cli.count cli.diff cli.explore cli.extract
  cli.networks cli.paper cli.report cli.rtl cli.simulate cli.validate
"""
STEPS = re.sub(r"\n  +", " ", re.sub(r"^#.*\n", "", FLOORS, flags=re.MULTILINE)).strip().split("\n")
FLOOR = {name: height for height, names in enumerate(STEPS) for name in names.split()}
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
