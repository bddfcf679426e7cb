"""The matrix path: the vector path with its MAC array in AMX tiles (`vector_matrix`)."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from wccsim.datapath import fused, lanes, vector_matrix
from wccsim.datapath.fused import Workspace
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.vector import kernels_of
from wccsim.datapath.vector_plan import obstacle
from wccsim.errors import WccsimError

KERNELS = kernels_of("matrix", True, vector_matrix.pack_weights)


def covers(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why this path cannot run `plan` on signed or unsigned maps; None: it can."""
    return lanes.missing() or vector_matrix.missing() or obstacle(plan, inner, unsigned)


def run(
    plan: Plan,
    x: npt.NDArray[Any],
    out: npt.NDArray[Any],
    inner: bool,
    workspace: Workspace | None = None,
) -> Arrays:
    """One image x [C, H, W] through `plan` into `out` [Cout, H, W]; `workspace` is reused where given."""
    reason = vector_matrix.missing()  # asks the system: without its grant the first tile ends the process
    if reason is not None:
        raise WccsimError(f"the matrix path cannot run here: {reason}")
    return fused.execute(KERNELS, plan, x, out, workspace)
