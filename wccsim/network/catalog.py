"""Finding networks: a path, or the name of a description that ships with wccsim."""

from __future__ import annotations

from pathlib import Path

from wccsim.errors import WccsimError
from wccsim.network import description, shapes
from wccsim.network.model import Network, Shape

DESCRIPTIONS = (".yaml", ".yml", ".onnx", ".csv")


def shipped() -> Path:
    """The folder of the shipped descriptions: in a wheel inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parent.parent
    if (package / "layers").is_dir():
        return package / "layers"
    if (package.parent / "pyproject.toml").is_file():  # never a stranger's layers/ in site-packages
        return package.parent / "layers"
    raise WccsimError(f"wccsim is installed without its networks: {package / 'layers'} is missing")


def names() -> list[str]:
    """The shipped networks, in alphabetical order."""
    return sorted(path.stem for path in shipped().glob("*.yaml"))


def find(name_or_path: str | Path) -> Path:
    """The file meant: a path that exists, else a shipped name, with or without `.yaml`.

    A file or folder beside whose ending no network has, such as a folder of results, hides no shipped name.
    """
    path = Path(name_or_path)
    text = str(name_or_path)
    name = text.removesuffix(".yaml")
    try:
        exists = path.exists()
    except (OSError, ValueError):  # a name too long for the file system, or with a null byte
        exists = False
    if exists and (path.suffix.lower() in DESCRIPTIONS or name not in names()):
        return path
    if name in names():
        return shipped() / f"{name}.yaml"
    from difflib import get_close_matches

    try:
        beside = [file.name for file in Path().iterdir() if file.suffix in DESCRIPTIONS]
    except OSError:
        beside = []
    near = get_close_matches(text, beside, 1) or get_close_matches(Path(name).name, names(), 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise WccsimError(
        f"no file and no shipped network is called {text!r}{hint}; `wccsim networks` lists them"
    )


def load_network(
    name_or_path: str | Path,
    *,
    input_size: tuple[int, int] | None = None,
    allow_unsupported: bool = False,
) -> Network:
    """The network in a YAML description, an ONNX model or a SCALE-Sim topology CSV, or a shipped one.

    `input_size` (height, width) replaces the size of the first input, and of every other input
    that has the same size. With `allow_unsupported`, operators that are not understood are listed
    in `Network.unsupported` instead of refused. Raises WccsimError, with file, line and column
    where the file is text.
    """
    if input_size is not None:
        shapes.checked(Shape(1, *input_size), f"input size {input_size[0]}x{input_size[1]}")
    path = find(name_or_path)
    kind = path.suffix.lower()
    if kind == ".onnx":
        from wccsim.network import onnx_file

        return onnx_file.read(path, input_size=input_size, allow_unsupported=allow_unsupported)
    if kind == ".csv":
        if input_size is not None:
            raise WccsimError(f"{path}: a SCALE-Sim topology states every size; --input is for YAML and ONNX")
        from wccsim.network import scalesim

        return scalesim.read(path)
    if kind not in (".yaml", ".yml"):
        raise WccsimError(f"{path}: a network is read from .yaml, .onnx or (SCALE-Sim topology) .csv")
    return description.read(path, input_size=input_size, allow_unsupported=allow_unsupported)
