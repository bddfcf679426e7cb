"""A sweep of about a million layer-points: prints points, seconds and points a second, and a check.

    python benchmarks/sweep.py [--network mobilenetv2] [--accelerator edge_npu_wcc] [--keeps 1000]

The same points are priced one by one for a small sample, to show the ratio to the scalar model.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

from wccsim.cost.network import network_cost
from wccsim.cost.options import CostOptions
from wccsim.counting.options import configured
from wccsim.explore.distortion import Distortion
from wccsim.explore.grid import Grid
from wccsim.explore.price import Job
from wccsim.explore.sweep import sweep
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.network.catalog import load_network

SAMPLE = 3


def main() -> None:
    """Time the sweep and a sample of the scalar model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", default="mobilenetv2")
    parser.add_argument("--accelerator", default="edge_npu_wcc")
    parser.add_argument("--keeps", type=int, default=1000)
    asked = parser.parse_args()
    machine = load_accelerator(asked.accelerator)
    table, network = load_energy(machine.energy), load_network(asked.network)
    keeps = tuple(Fraction(i, asked.keeps) for i in range(asked.keeps // 50, asked.keeps + 1))
    grid = Grid(keeps, act_bits=(4, 5, 6, 7, 8), weight_bits=(8,), levels=(1, 2, 3, 4))
    start = time.perf_counter()
    swept = sweep(Job(network, machine, table, CostOptions(), Distortion(), ()), grid)
    seconds = time.perf_counter() - start
    rate = swept.layer_points / seconds
    print(f"{swept.layer_points:,} layer-points in {seconds:.1f} s: {rate:,.0f} a second")
    start = time.perf_counter()
    sample = range(0, len(swept.settings), len(swept.settings) // SAMPLE)
    for index in sample:
        s = swept.settings[index]
        widths = {"weight_bits": s.weight_bits, "act_bits": s.act_bits}
        changed = configured(network, keep=s.keep, levels=s.levels, **widths)
        cost = network_cost(changed, machine, table)
        assert (cost.cycles, cost.dram_bits) == (
            swept.totals["cycles"][index],
            swept.totals["dram_bits"][index],
        )
    scalar = (time.perf_counter() - start) / (len(sample) * swept.layer_points / len(swept.settings))
    times = f"the sweep is {scalar * rate:,.0f} times faster"
    print(f"scalar model: {1 / scalar:,.0f} layer-points a second; {times}")


if __name__ == "__main__":
    main()
