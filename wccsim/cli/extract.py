"""`wccsim extract`: feature maps of an ONNX model on images."""

from __future__ import annotations

from pathlib import Path

import click

from wccsim.errors import WccsimError


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the npz files.",
)
@click.option(
    "--layers", metavar="GLOB", help="Convolutions by name, weight or input tensor. Default: all 1x1."
)
@click.option("--resize", metavar="HxW", help="Scale each image to cover H x W and cut its centre.")
@click.option("--mean", default="127.5", show_default=True, help="Of a pixel 0..255; one number or R,G,B.")
@click.option(
    "--std", default="127.5", show_default=True, help="What (pixel - mean) is divided by; one or R,G,B."
)
def extract(
    model: Path,
    images: tuple[Path, ...],
    folder: Path,
    layers: str | None,
    resize: str | None,
    mean: str,
    std: str,
) -> None:
    """Run an ONNX model on images and save the inputs of its 1x1 convolutions as 8-bit feature maps.

    Each map goes into one npz (x, x_scale, w, w_scale, bias, act) that `wccsim compare` and `wccsim simulate`
    read. The clip is the one of least squared error. Needs the extra `onnx`.

    \b
    Example:
      wccsim extract model.onnx photo.jpg -o maps/ --resize 224x224
      wccsim compare maps/*.npz --csv out.csv
    """
    from wccsim.extract import Preprocessing, plan_extraction
    from wccsim.extract import extract as run
    from wccsim.progress import progress

    preprocessing = Preprocessing(_numbers("--mean", mean), _numbers("--std", std), _size(resize))
    plan = plan_extraction(model, layers)
    total = len(plan.layers) * len(images)
    written = list(progress(run(plan, list(images), folder, preprocessing), total, "maps"))
    click.echo(f"{len(written)} maps of {len(plan.layers)} layers and {len(images)} images in {folder}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, separator, width = text.partition("x")
    if not (
        separator
        and height.isdecimal()
        and width.isdecimal()
        and 1 <= int(height) <= 1 << 14
        and 1 <= int(width) <= 1 << 14
    ):
        raise WccsimError(f"--resize is {text!r}; allowed: HxW such as 224x224, each 1 to 16384")
    return int(height), int(width)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise WccsimError(f"{option} is {text!r}; allowed: one number, or three as R,G,B") from None
