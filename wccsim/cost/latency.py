"""From phases and transfers to the cycles of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wccsim.cost.record import Latency
from wccsim.cycles import ceil_div
from wccsim.hardware.model import Accelerator


@dataclass(frozen=True, slots=True)
class Moves:
    """Bits that one phase reads from and writes to the buffer of a tensor."""

    tensor: str
    read_bits: int = 0
    write_bits: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: the cycles of its closed form, and those its buffers' ports need at least."""

    work: int
    ports: int = 0

    @property
    def cycles(self) -> int:
        """The longer of the two."""
        return max(self.work, self.ports)


def phase(work: int, moves: Iterable[Moves], accelerator: Accelerator) -> Phase:
    """A phase of `work` cycles that moves these bits through the buffers' ports."""
    reads: dict[str, int] = {}
    writes: dict[str, int] = {}
    ports = 0
    for move in moves:
        buffer = accelerator.buffer_for(move.tensor)
        reads[buffer.name] = reads.get(buffer.name, 0) + move.read_bits
        writes[buffer.name] = writes.get(buffer.name, 0) + move.write_bits
        ports = max(
            ports,
            ceil_div(reads[buffer.name], buffer.read_port_bits),
            ceil_div(writes[buffer.name], buffer.write_port_bits),
        )
    return Phase(work, ports)


def dram_cycles(bits: int, accelerator: Accelerator) -> int:
    """Cycles to move `bits` through the DRAM port, exact and rounded up."""
    rate = accelerator.dram_bits_per_cycle
    return ceil_div(bits * rate.denominator, rate.numerator)


def start_bits(accelerator: Accelerator, weight_bits: int, act_bits: int) -> int:
    """What must have arrived before the array can start: one fold of weights and one column of inputs."""
    return accelerator.array.elements * weight_bits + accelerator.array.rows * act_bits


def layer_latency(
    accelerator: Accelerator,
    ideal: int,
    phases: Mapping[str, Phase],
    read_bits: int,
    write_bits: int,
    first_bits: int,
    last_bits: int,
) -> Latency:
    """Latency of the phases (`"array"` is the matrix product) and the transfers around them.

    `first_bits` of the reads and `last_bits` of the writes nothing can hide. Pipelined, gather,
    product and inverse run side by side; the joint selection stays a barrier between them and the
    Haar, because no position is known to be kept before every one has been scored.
    """
    array = phases["array"]
    others = {name: phase for name, phase in phases.items() if name != "array"}
    serial = array.work + sum(phase.work for phase in others.values())
    port_stall = sum(phase.cycles - phase.work for phase in phases.values())
    if accelerator.overlap == "pipelined":
        after = max(array.work, *(others[n].work for n in ("gather", "inverse") if n in others), 0)
        serial = after + sum(p.work for n, p in others.items() if n not in ("gather", "inverse"))
    work = serial + port_stall
    if accelerator.overlap == "none":
        load, store, wait = dram_cycles(read_bits, accelerator), dram_cycles(write_bits, accelerator), 0
    else:
        load = dram_cycles(min(first_bits, read_bits), accelerator)
        store = dram_cycles(min(last_bits, write_bits), accelerator)
        wait = max(dram_cycles(read_bits + write_bits, accelerator) - load - store - work, 0)
    return Latency(
        ideal=ideal,
        loss=array.work - ideal,
        stages=serial - array.work,
        stall=port_stall + wait,
        load=load,
        store=store,
    )
