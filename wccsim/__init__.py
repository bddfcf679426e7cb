"""Bit-exact simulator and hardware cost model of wavelet-compressed convolution.

The house: `network` reads what is to be computed, `analytic` counts it from shapes, `datapath`
computes it on integers exactly as the hardware would, `codecs` are the rivals, `hardware` and
`cost` price it, `compare` and `explore` set one against the other, `rtl` is the Verilog, `report`
prints, `cli` parses. docs/datapath.md is the specification all of them answer to.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wccsim.kernel_cache import ensure as _ensure_kernel_cache

_ensure_kernel_cache(Path(__file__).parent)

__version__ = "0.1.0"

if TYPE_CHECKING:
    from wccsim.codecs.registry import codec as codec
    from wccsim.compare.run import compare_maps as compare_maps
    from wccsim.datapath.fused import Workspace as Workspace
    from wccsim.datapath.layer import simulate_layer as simulate_layer
    from wccsim.datapath.wcc_layer import WCCLayer as WCCLayer
    from wccsim.errors import WccsimError as WccsimError
    from wccsim.hardware.accelerator_yaml import load_accelerator as load_accelerator
    from wccsim.hardware.energy_yaml import load_energy as load_energy
    from wccsim.maps import load_map as load_map
    from wccsim.network.catalog import load_network as load_network
    from wccsim.report.costs import cost_frame as cost_frame
    from wccsim.report.counts import bops as bops

_HOME = {
    "codec": "wccsim.codecs.registry",
    "compare_maps": "wccsim.compare.run",
    "load_map": "wccsim.maps",
    "WccsimError": "wccsim.errors",
    "bops": "wccsim.report.counts",
    "load_network": "wccsim.network.catalog",
    "load_accelerator": "wccsim.hardware.accelerator_yaml",
    "load_energy": "wccsim.hardware.energy_yaml",
    "cost_frame": "wccsim.report.costs",
    "Workspace": "wccsim.datapath.fused",
    "simulate_layer": "wccsim.datapath.layer",
    "WCCLayer": "wccsim.datapath.wcc_layer",
}

__all__ = [
    "WCCLayer",
    "WccsimError",
    "Workspace",
    "__version__",
    "bops",
    "codec",
    "compare_maps",
    "cost_frame",
    "load_accelerator",
    "load_energy",
    "load_map",
    "load_network",
    "simulate_layer",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that what only counts never waits for numba."""
    if name not in _HOME:
        raise AttributeError(f"module 'wccsim' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
