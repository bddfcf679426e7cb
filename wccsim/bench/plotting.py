"""Where a plot goes, checked before anything is measured."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wccsim.errors import WccsimError
from wccsim.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")


def checked_path(given: str) -> Path:
    """The path of a plot that can be written: known suffix, folder there, matplotlib installed."""
    path = Path(given)
    if path.suffix not in SUFFIXES:
        raise WccsimError(f"a plot is written as {', '.join(SUFFIXES)}; {given!r} is none of them")
    if not path.parent.is_dir():
        raise WccsimError(f"cannot write {given}: there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise WccsimError("a plot needs matplotlib: pip install wccsim[plot]")
    return path


def save(figure: Figure, path: Path) -> None:
    """Write the figure whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=120)
