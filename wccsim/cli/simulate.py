"""`wccsim simulate`: a WCC layer on a real feature map, bit by bit, with the float result beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wccsim.cli.outputs import check_outputs
from wccsim.errors import WccsimError
from wccsim.parameters import HAAR_VARIANTS, INDEX_FORMATS, REQUANTISE_MODES, SCORES, WORD_FORMATS

TRANSFORM_SETTINGS = (
    "keep",
    "levels",
    "haar",
    "score",
    "selection",
    "index",
    "detail_bits",
    "per_level_shift",
)
LAYER_SETTINGS = (
    *TRANSFORM_SETTINGS,
    "plain",
    "words",
    "requantise_mode",
    "yw",
    "weight_bits",
    "kept_bits",
    "out_dtype",
    "calibration",
    "weights_path",
)


@click.command()
@click.argument("map_path", metavar="MAP")
@click.option(
    "--weights", "weights_path", metavar="NPY", help="Weights [O, C] for a MAP without: int8 or float."
)
@click.option("--scale", type=float, metavar="S", help="Real value of 1 in an npy MAP; 1 if not given.")
@click.option("--keep", metavar="FRACTION|PERCENT", help="Kept part of the positions: 0.25, 1/4 or 25%.")
@click.option("--plain", is_flag=True, help="Quantise the map itself to --kept-bits: no transform, no index.")
@click.option("--levels", type=int, default=3, show_default=True, help="Haar levels, 1 to 5.")
@click.option("--haar", type=click.Choice(HAAR_VARIANTS), default="exact", show_default=True)
@click.option("--score", type=click.Choice(SCORES), default="l2", show_default=True)
@click.option("--selection", default="exact", show_default=True, help='"exact" or "binned:m", m 0 to 8.')
@click.option("--index", type=click.Choice(INDEX_FORMATS), default="bitmap", show_default=True)
@click.option(
    "--words",
    type=click.Choice(WORD_FORMATS),
    default="fixed",
    show_default=True,
    help="How kept words are stored between R1 and the MAC array.",
)
@click.option("--requantise-mode", type=click.Choice(REQUANTISE_MODES), default="single", show_default=True)
@click.option("--yw", type=int, default=16, show_default=True, help="Bits of a word after R2, 8 to 16.")
@click.option("--weight-bits", type=int, default=8, show_default=True, help="Width of the weights, 2 to 8.")
@click.option("--kept-bits", type=int, default=8, show_default=True, help="Bits of a kept coefficient.")
@click.option("--detail-bits", type=int, help="Bits of the kept words of LH, HL and HH, if fewer.")
@click.option("--out-dtype", type=click.Choice(("auto", "int8", "uint8")), default="auto", show_default=True)
@click.option("--per-level-shift", is_flag=True, help="A power of two more per level, chosen by calibration.")
@click.option(
    "--calibration", default="mse", show_default=True, help='Clip of R1: "mse", "max" or "percentile:P".'
)
@click.option("--layer", "layer_path", metavar="NPZ", help="Use a saved layer instead of calibrating one.")
@click.option("--save-layer", metavar="NPZ", help="Save the layer: weights, multipliers, scales, settings.")
@click.option("--dump", metavar="DIR", help="Write every array as npy, and report.json, into DIR.")
@click.option("--json", "json_path", metavar="PATH", help='Write the report as JSON; "-": standard output.')
@click.option("--widths", is_flag=True, help="Add each signal's required width and the widest value seen.")
@click.option("--explain", is_flag=True, help="Add what each column means and the multipliers used.")
def simulate(**asked: Any) -> None:
    """Run a WCC layer bit-exactly on the feature map MAP, or with --plain a plainly quantised one.

    MAP is an npz with x, x_scale, w, w_scale, bias and act (an npz or npy with x alone needs --weights or
    --layer), or the name of a shipped map. R1, R2 and R3 are calibrated on the map itself unless --layer
    is given.

    \b
    Examples:
      wccsim simulate coffee_block2_linear_c24_100x150 --keep 25%
      wccsim simulate x.npy --weights w.npy --scale 0.05 --keep 25%
      wccsim simulate map.npz --keep 1/8 --levels 2 --per-level-shift --widths
      wccsim simulate map.npz --keep 25% --index rice --words rice --explain
      wccsim simulate map.npz --plain --kept-bits 4 --widths --explain
      wccsim simulate map.npz --keep 25% --save-layer layer.npz --dump arrays
      wccsim simulate other.npz --layer layer.npz --json -
    """
    from wccsim.compiling import compile_notice
    from wccsim.datapath.dump import check_folder
    from wccsim.maps import load_map, with_weights
    from wccsim.report import simulation

    if asked["layer_path"]:
        _refuse("--layer holds every setting of the layer", LAYER_SETTINGS)
    if asked["plain"]:
        _refuse("--plain has no transform, selection or index", TRANSFORM_SETTINGS)
    if asked["dump"]:
        check_folder(Path(asked["dump"]))
    path = _path_of(asked["map_path"])
    inputs = [str(path), asked["weights_path"], asked["layer_path"]]
    check_outputs(asked["json_path"], asked["save_layer"], inputs=inputs)
    feature_map = load_map(path, scale=asked["scale"])
    if asked["weights_path"]:
        feature_map = with_weights(feature_map, asked["weights_path"])
    try:
        with compile_notice():
            layer = _layer(asked, feature_map)
            run = simulation.simulate(layer, feature_map)
    except MemoryError:
        raise WccsimError(f"{asked['map_path']} {feature_map.x.shape}: not enough memory to run it") from None
    if asked["save_layer"]:
        layer.save(asked["save_layer"])
    if asked["dump"]:
        simulation.dump(Path(asked["dump"]), run)
    if asked["json_path"]:
        simulation.write_json(asked["json_path"], run)
    if asked["json_path"] != "-":
        click.echo(simulation.text(run, widths=asked["widths"], explain=asked["explain"]), nl=False)
    if not all(row.within for row in run.errors):
        raise WccsimError("a stage lies outside its derived error bound: a fault of wccsim, please report it")


def _refuse(why: str, names: tuple[str, ...]) -> None:
    """Refuse the options `names` where they were given."""
    given = [f"--{name.removesuffix('_path').replace('_', '-')}" for name in names if _was_given(name)]
    if given:
        raise WccsimError(f"{why}; drop {', '.join(given)}")


def _was_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _path_of(given: str) -> Path:
    """The file, or the shipped map of that name."""
    from wccsim.default_maps import default_map_paths

    shipped = {path.stem: path for path in default_map_paths()}
    path = Path(given)
    if path.exists() or path.suffix or path.parent != Path():
        return path
    if given not in shipped:
        raise WccsimError(f"{given} is no file and no shipped map; shipped: {', '.join(sorted(shipped))}")
    return shipped[given]


def _layer(asked: dict[str, Any], feature_map: Any) -> Any:
    """The saved layer, or one calibrated on the map."""
    from wccsim.datapath.wcc_layer import WCCLayer, calibrated
    from wccsim.parameters import WccParameters, parse_keep

    if asked["layer_path"]:
        return WCCLayer.load(asked["layer_path"])
    if feature_map.weights is None:
        raise WccsimError(
            f"{asked['map_path']} has no weights w; give them with --weights, or a saved layer with --layer"
        )
    if asked["keep"] is None and not asked["plain"]:
        raise WccsimError("--keep is missing; it is the kept fraction, such as 25% (or --plain)")
    relu = feature_map.act != "none"
    parameters = WccParameters(
        keep=parse_keep(1 if asked["plain"] else asked["keep"]),
        levels=0 if asked["plain"] else asked["levels"],
        in_bits=feature_map.in_bits,
        act_bits=asked["kept_bits"],
        weight_bits=asked["weight_bits"],
        detail_bits=asked["detail_bits"],
        wavelet_bits=asked["yw"],
        haar=asked["haar"],
        score=asked["score"],
        selection=asked["selection"],
        index=asked["index"],
        words=asked["words"],
        requantise_mode=asked["requantise_mode"],
        bias=feature_map.bias is not None,
        relu=relu,
        out_unsigned=relu if asked["out_dtype"] == "auto" else asked["out_dtype"] == "uint8",
    )
    return calibrated(
        feature_map.weights,
        feature_map.weight_scale,
        feature_map.bias,
        [feature_map.x],
        feature_map.x_scale,
        parameters,
        act=feature_map.act,
        method=asked["calibration"],
        per_level_shift=asked["per_level_shift"],
        made={"calibrated_on": {feature_map.name: feature_map.sha256}},
    )
