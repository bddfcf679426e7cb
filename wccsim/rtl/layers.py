"""What `--layer` names, a JSON case or a feature map, as a checked plan and a map."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.plan import Plan
from wccsim.datapath.wcc_layer import calibrated
from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.maps import load_map
from wccsim.parameters import WccParameters
from wccsim.rtl.sets import build, case_from


@dataclass(frozen=True, slots=True)
class Layer:
    """A plan, its map, the lanes and where they came from."""

    plan: Plan
    x: npt.NDArray[Any]
    p_lanes: int
    q_lanes: int
    source: dict[str, Any]


def layer_from_json(path: Path, overrides: dict[str, Any]) -> Layer:
    """A layer with made-up data, as docs/rtl.md describes the JSON; `overrides` replace its entries."""
    content = read_bytes(path, 1 << 20)
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise WccsimError(f"{path}: not JSON: {problem}") from None
    try:
        if isinstance(given, dict):
            given = {**given, **overrides}
        case = case_from(given, path.stem)
        plan, x = build(case)
    except WccsimError as problem:
        raise WccsimError(f"{path}: {problem}") from None
    source = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "seed": case.seed}
    return Layer(plan, x, case.p_lanes, case.q_lanes, source)


def layer_from_map(
    path: Path,
    settings: dict[str, Any],
    *,
    crop: int | None = None,
    max_channels: int | None = None,
    out_channels: int = 32,
    p_lanes: int = 8,
    q_lanes: int = 8,
    seed: int = 1,
) -> Layer:
    """A layer calibrated on a feature map; random weights from `seed` where the file has none.

    crop: side of the square cut from the top left; max_channels: leading channels used.
    """
    feature_map = load_map(path)
    x = np.ascontiguousarray(feature_map.x[:max_channels, :crop, :crop])
    if feature_map.weights is None:
        rng = random.Random(seed)
        codes = [[rng.randint(-127, 127) for _ in range(len(x))] for _ in range(out_channels)]
        weights, scale = np.array(codes, np.int8), np.full(out_channels, 1 / 127)
    else:
        assert feature_map.weight_scale is not None
        weights, scale = feature_map.weights[:, : len(x)], feature_map.weight_scale
    unsigned = x.dtype.kind == "u"
    parameters = WccParameters(**{"in_bits": 9 if unsigned else 8 * x.itemsize, **settings})
    layer = calibrated(np.ascontiguousarray(weights), scale, None, [x], feature_map.x_scale, parameters)
    source = {"file": path.name, "sha256": feature_map.sha256, "seed": seed}
    return Layer(layer.plan(*x.shape[1:]), x.astype(np.int16), p_lanes, q_lanes, source)
