"""Gate weights of the datapath's blocks, by synthesis of the project's own Verilog with Yosys.

The result, wccsim/rtl/syn/gates.json, is committed and read by counting (`--definition gates`) and cost:

    schema   1
    tool     what `yosys -V` prints
    unit     "GE": gate equivalents, area of one NAND2 = 1; mapped for area, no timing
    cells    area of every cell of the library, in GE
    script   the commands of Yosys, `{top}` and `{parameters}` filled in for each block
    blocks   block -> size -> GE. Sizes: "8x4" is an 8-bit activation and a 4-bit weight; a bare number
             is a width in bits of the input word; "14x16" is a 14-bit word and a 16-bit multiplier.
             `dot_product_mac` is one of the eight lanes of a dot product, its share of the 32-bit
             accumulator register included. `select` is a whole unit for 1,600
             positions, its histogram mapped to flip-flops.
    units    what counting multiplies operations by -> width -> GE, rounded to whole GE:
             mac (by product of the widths: dot_product_mac), butterfly (by input width), requantise (by
             input width), square, add, compare (by width).

Cell areas are those of the open Nangate 45 nm library relative to its NAND2_X1 (0.798 um2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wccsim.files import write_text
from wccsim.rtl.process import RTL, build_folder, need, rtl_sources, run_tool

GATES_JSON = RTL / "syn" / "gates.json"
LIBERTY = RTL / "syn" / "cells.lib"
DOT_LANES = 8

# The multiplier and the sums are synthesised before the hierarchy is flattened: flattened first, Yosys
# merges product and sum into one and spreads the partial products over the 32 bits of the sum.
SCRIPT = (
    "hierarchy -check -top {top} {parameters}; synth -noabc -run begin:fine; synth -noabc -run fine:check; "
    "flatten; opt -full; dfflibmap -liberty cells.lib; "
    "abc -liberty cells.lib -script +strash;dc2;dc2;dc2;dch;map,-a; opt_clean"
)


@dataclass(frozen=True, slots=True)
class Block:
    """One module to weigh. `lanes` divides its area: the size names one lane."""

    name: str
    size: str
    top: str
    parameters: dict[str, int]
    lanes: int = 1


def blocks() -> list[Block]:
    """Every block that gates.json holds."""
    found = []
    for act, weight in ((2, 2), (4, 4), (6, 4), (8, 4), (4, 8), (6, 8), (8, 8)):
        size, widths = f"{act}x{weight}", {"AW": act, "BW": weight}
        found += [
            Block(name, size, name, widths) for name in ("multiplier", "multiply_add", "multiply_accumulate")
        ]
        lanes = {"P": DOT_LANES, "Q": 1, **widths}
        found.append(Block("dot_product_mac", size, "mac_array", lanes, DOT_LANES))
    found += [Block("butterfly", str(w), "haar2d_level", {"IW": w}) for w in range(2, 27, 2)]
    for w in (4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 32):
        found.append(Block("requantiser", f"{w}x16", "requant", {"IW": w}))
    found += [Block("requantiser_double", f"{w}x31", "requant", {"IW": w, "DOUBLE": 1}) for w in (14, 22, 32)]
    found += [Block("shift_requantiser", str(w), "requant_round", {"PW": w}) for w in (14, 22, 32)]
    found += [
        Block("squarer", str(w), "squarer", {"IW": w})
        for w in (2, 4, 6, 8, 10, 11, 12, 14, 16, 18, 20, 22, 24, 26)
    ]
    for w in (4, 8, 16, 24, 32, 37, 48, 63):
        found += [Block(name, str(w), name, {"IW": w}) for name in ("adder", "comparator")]
    found += [Block("binned_key", f"37m{m}", "binned_key", {"SW": 37, "M": m}) for m in (0, 3)]
    found += [
        Block("score_lane", str(w), "lane_score", {"P": 1, "CW": w, "SW": 2 * w + 9}) for w in (10, 12, 14)
    ]
    # The selection of a 40x40 map, its histogram mapped to flip-flops.
    whole = {"N": 1600, "K": 400, "CNT": 11}
    found.append(Block("select", "exact", "shrink_select", {**whole, "SW": 37}))
    found.append(Block("select", "binned:3", "shrink_select", {**whole, "SW": 37, "BINNED": 1, "M": 3}))
    return found


def area_of(statistics: str) -> float:
    """GE of the last module of a `stat -liberty` report."""
    return float(re.findall(r"Chip area for (?:top )?module '[^']*': ([0-9.]+)", statistics)[-1])


def weigh(block: Block, folder: Path) -> float:
    """GE of one block, of one lane where it has several."""
    parameters = " ".join(f"-chparam {name} {value}" for name, value in block.parameters.items())
    sources = " ".join(
        str(path) for path in [*rtl_sources(), RTL / "syn" / "blocks.v"] if path.stem != "wcc_top"
    )
    (folder / "cells.lib").write_bytes(LIBERTY.read_bytes())
    script = SCRIPT.format(top=block.top, parameters=parameters)
    output = run_tool(["yosys", "-p", f"read_verilog {sources}; {script}; stat -liberty cells.lib"], folder)
    return area_of(output) / block.lanes


def cells() -> dict[str, float]:
    """Area of every cell of the library, in GE."""
    found = re.findall(r"cell\((\w+)\)\s*\{\s*area\s*:\s*([0-9.]+)", LIBERTY.read_text(encoding="utf-8"))
    return {name: float(area) for name, area in found}


def units(weights: dict[str, dict[str, float]]) -> dict[str, dict[str, int]]:
    """What counting multiplies operations by, whole GE by width."""
    mac: dict[str, int] = {}
    for size, weight in weights["dot_product_mac"].items():
        act, by = map(int, size.split("x"))
        # 8x4 and 4x8 have one product of widths: the dearer is charged.
        mac[str(act * by)] = max(mac.get(str(act * by), 0), round(weight))
    plain = {"butterfly": "butterfly", "square": "squarer", "add": "adder", "compare": "comparator"}
    found = {"mac": mac, "requantise": {}}
    found["requantise"] = {size.split("x")[0]: round(w) for size, w in weights["requantiser"].items()}
    for unit, block in plain.items():
        found[unit] = {size: round(weight) for size, weight in weights[block].items()}
    return found


def synthesise(progress: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The content of gates.json. Raises WccsimError where yosys is missing or fails."""
    need("yosys")
    weights: dict[str, dict[str, float]] = {}
    with build_folder() as folder:
        tool = run_tool(["yosys", "-V"], folder).strip()
        for block in blocks():
            weight = round(weigh(block, folder), 1)
            weights.setdefault(block.name, {})[block.size] = weight
            progress(f"{block.name} {block.size}: {weight:.1f} GE")
    return {
        "schema": 1,
        "tool": tool,
        "unit": "GE",
        "cells": cells(),
        "script": SCRIPT,
        "blocks": weights,
        "units": units(weights),
    }


def write_gates(
    path: Path = GATES_JSON, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Synthesise and write gates.json; returns its content."""
    gates = synthesise(progress)
    write_text(path, json.dumps(gates, indent=2) + "\n")
    return gates
