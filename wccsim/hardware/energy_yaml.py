"""Energy tables from YAML, strict: every error names file, line and column."""

from __future__ import annotations

import hashlib
from pathlib import Path

from wccsim import located
from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.hardware.energy import COMPONENTS, DDR_PARAMETERS, DDR_UNITS, UNITS, EnergyRow, EnergyTable
from wccsim.located import Node

SHIPPED = Path(__file__).parent / "energy"
REQUIRED = ("component", "value", "unit", "source", "node")
ARITHMETIC = ("add", "multiply", "compare", "shift")
SRAM = ("sram_read", "sram_write")
PER_BIT = tuple(unit for unit in UNITS if "/" in unit)
MAX_BASES = 4


def energy_names() -> list[str]:
    """Names of the shipped tables that price a DRAM (those that price none are only bases)."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml") if not path.stem.startswith("base_"))


def load_energy(name_or_path: str | Path) -> EnergyTable:
    """A shipped energy table by name, or a table by its path.

    Raises WccsimError, with file, line and column where the mistake stands in a file.
    """
    text = str(name_or_path)
    path = SHIPPED / f"{text}.yaml"
    if text in energy_names() or (text.startswith("base_") and path.is_file()):
        return _complete(path)
    if not text.endswith((".yaml", ".yml")) and not Path(text).exists():
        raise WccsimError(
            f"energy table {text!r} is neither shipped ({', '.join(energy_names())}) nor a YAML file"
        )
    return _complete(Path(text))


def _complete(path: Path) -> EnergyTable:
    """The table with its bases' rows behind its own; refused where a component is never priced."""
    name, title, rows, digest = "", "", list[EnergyRow](), hashlib.sha256()
    next_path: Path | None = path
    for depth in range(MAX_BASES + 1):
        assert next_path is not None
        content = read_bytes(next_path, located.MAX_BYTES)
        digest.update(content)
        root = located.parse(content, str(next_path))
        entries = root.mapping("energy table", ("name", "title", "base", "rows"), ("name", "title", "rows"))
        if depth == 0:
            name, title = entries["name"].text("name"), entries["title"].text("title")
        own = [_row(item) for item in entries["rows"].items("rows")]
        given = {_priced(row.component) for row in rows}
        rows += [row for row in own if _priced(row.component) not in given]
        if "base" not in entries:
            break
        base = entries["base"].text("base")
        next_path = SHIPPED / f"{base}.yaml"
        if not next_path.is_file():
            shipped = sorted(file.stem for file in SHIPPED.glob("*.yaml"))
            entries["base"].fail(f"base: {base!r} is not a shipped table; allowed: {', '.join(shipped)}")
    else:
        raise WccsimError(f"{path}: more than {MAX_BASES} tables stand behind it")
    _check_complete(root, rows, name)
    return EnergyTable(name, title, tuple(rows), digest.hexdigest())


def _priced(component: str) -> str:
    """What a row prices: the DDR script's parameters price the DRAM as a whole."""
    return "dram" if component.startswith(("ddr_", "dram_")) else component


def _check_complete(root: Node, rows: list[EnergyRow], name: str) -> None:
    present = {row.component for row in rows}
    ddr = present & set(DDR_PARAMETERS)
    needed = [c for c in COMPONENTS if not (ddr and c.startswith("dram_"))]
    needed += DDR_PARAMETERS if ddr else ()
    if missing := [component for component in needed if component not in present]:
        root.fail(f"energy table {name!r}: no row prices {', '.join(missing)}, and no base table does")


def _row(node: Node) -> EnergyRow:
    entries = node.mapping("a row", (*REQUIRED, "width_bits", "size_bytes"), REQUIRED)
    component = entries["component"].text("component", (*COMPONENTS, *DDR_PARAMETERS))
    if component in DDR_PARAMETERS:
        units: tuple[str, ...] = (DDR_UNITS[component],)
    else:
        units = ("fJ", "pJ", "nJ") if component in ARITHMETIC else PER_BIT
    extra = {}
    for key, users, high in (("width_bits", ARITHMETIC, 128), ("size_bytes", SRAM, 1 << 40)):
        if component in users and key not in entries:
            node.fail(f"a row for {component} needs {key}")
        if component not in users and key in entries:
            entries[key].fail(f"a row for {component} has no {key}")
        if key in entries:
            extra[key] = entries[key].integer(key, 1, high)
    value = entries["value"].number("value", 0, 1e15)
    if value <= 0:
        entries["value"].fail(f"value: {value:g} was given; more than 0 is needed")
    return EnergyRow(
        component=component,
        value=value,
        unit=entries["unit"].text("unit", units),
        source=entries["source"].text("source"),
        node=entries["node"].text("node"),
        **extra,
    )
