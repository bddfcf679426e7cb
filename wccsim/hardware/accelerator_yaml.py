"""Accelerator descriptions from YAML, strict: every error names file, line and column."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

from wccsim import located
from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.hardware.model import (
    OVERLAPS,
    TENSORS,
    Accelerator,
    Array,
    Buffer,
    Dram,
    Overlap,
    WccUnit,
)
from wccsim.located import Node

SHIPPED = Path(__file__).parent / "accelerators"
DATAFLOWS = ("ws", "os", "is", "dot")
MAX_LANES = 1 << 16
MAX_BYTES = 1 << 40
KEYS = (
    "name",
    "title",
    "source",
    "clock_mhz",
    "bits",
    "array",
    "buffers",
    "dram",
    "overlap",
    "energy",
)


def accelerator_names() -> list[str]:
    """Names of the shipped accelerators."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_accelerator(name_or_path: str | Path) -> Accelerator:
    """A shipped accelerator by name, or a description by its path.

    Raises WccsimError, with file, line and column where the mistake stands in a file.
    """
    text = str(name_or_path)
    if text in accelerator_names():
        return read_accelerator(SHIPPED / f"{text}.yaml")
    if not text.endswith((".yaml", ".yml")) and not Path(text).exists():
        raise WccsimError(
            f"accelerator {text!r} is neither shipped ({', '.join(accelerator_names())}) nor a YAML file"
        )
    return read_accelerator(text)


def read_accelerator(path: str | Path) -> Accelerator:
    """The accelerator described by the YAML file at `path`."""
    content = read_bytes(path, located.MAX_BYTES)
    root = located.parse(content, str(path))
    entries = root.mapping("accelerator", (*KEYS, "wcc"), KEYS)
    bits = entries["bits"].mapping("bits", ("activation", "weight", "accumulator"))
    for key in ("activation", "weight", "accumulator"):
        if key not in bits:
            entries["bits"].fail(f"bits: key {key!r} is missing; required: activation, weight, accumulator")
    return Accelerator(
        name=entries["name"].text("name"),
        title=entries["title"].text("title"),
        source=entries["source"].text("source"),
        clock_mhz=entries["clock_mhz"].number("clock_mhz", 0.001, 1e6),
        activation_bits=bits["activation"].integer("bits.activation", 1, 32),
        weight_bits=bits["weight"].integer("bits.weight", 1, 32),
        accumulator_bits=bits["accumulator"].integer("bits.accumulator", 1, 64),
        array=_array(entries["array"]),
        buffers=_buffers(entries["buffers"]),
        dram=_dram(entries["dram"]),
        overlap=cast(Overlap, entries["overlap"].text("overlap", OVERLAPS)),
        energy=entries["energy"].text("energy"),
        wcc=_wcc(entries["wcc"]) if "wcc" in entries else None,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _array(node: Node) -> Array:
    keys = ("rows", "columns", "dataflow")
    entries = node.mapping("array", keys, keys)
    return Array(
        entries["rows"].integer("array.rows", 1, MAX_LANES),
        entries["columns"].integer("array.columns", 1, MAX_LANES),
        entries["dataflow"].text("array.dataflow", DATAFLOWS),
    )


def _buffers(node: Node) -> tuple[Buffer, ...]:
    """The buffers; every tensor must lie in exactly one."""
    buffers: list[Buffer] = []
    seen: dict[str, str] = {}
    for item in node.items("buffers"):
        keys = ("name", "holds", "size_bytes", "read_port_bits", "write_port_bits")
        entries = item.mapping("a buffer", keys, keys)
        name = entries["name"].text("name")
        holds = []
        for held in entries["holds"].items("holds"):
            tensor = held.text("holds", TENSORS)
            if tensor in seen:
                held.fail(f"holds: {tensor!r} lies in buffer {seen[tensor]!r} already")
            seen[tensor] = name
            holds.append(tensor)
        if not holds:
            entries["holds"].fail(f"holds: an empty list was given; allowed: {', '.join(TENSORS)}")
        buffers.append(
            Buffer(
                name,
                tuple(holds),
                entries["size_bytes"].integer("size_bytes", 1, MAX_BYTES),
                entries["read_port_bits"].integer("read_port_bits", 1, MAX_LANES * 64),
                entries["write_port_bits"].integer("write_port_bits", 1, MAX_LANES * 64),
            )
        )
    if missing := [tensor for tensor in TENSORS if tensor not in seen]:
        node.fail(f"buffers: none holds {', '.join(missing)}; each of {', '.join(TENSORS)} needs one")
    return tuple(buffers)


def _dram(node: Node) -> Dram:
    keys = ("width_bits", "rate_mtransfers_per_s")
    entries = node.mapping("dram", keys, keys)
    return Dram(
        entries["width_bits"].integer("dram.width_bits", 1, MAX_LANES),
        entries["rate_mtransfers_per_s"].number("dram.rate_mtransfers_per_s", 0.001, 1e6),
    )


def _wcc(node: Node) -> WccUnit:
    lanes = ("haar_lanes", "gather_lanes", "inverse_lanes")
    entries = node.mapping("wcc", (*lanes, "selection_memory"), lanes)
    memory = "bounded"
    if "selection_memory" in entries:
        memory = entries["selection_memory"].text("wcc.selection_memory", ("bounded", "unbounded"))
    return WccUnit(
        haar_lanes=entries["haar_lanes"].integer("wcc.haar_lanes", 1, MAX_LANES),
        gather_lanes=entries["gather_lanes"].integer("wcc.gather_lanes", 1, MAX_LANES),
        inverse_lanes=entries["inverse_lanes"].integer("wcc.inverse_lanes", 1, MAX_LANES),
        selection_memory="bounded" if memory == "bounded" else "unbounded",
    )
