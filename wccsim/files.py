"""Writing files whole or not at all, and naming the inputs a result came from."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from wccsim.errors import WccsimError

PLOT_FORMATS = (".png", ".svg", ".pdf")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends without an error.

    Raises WccsimError when the folder is missing or may not be written; what stood at `path`
    before is untouched unless the block succeeds. A device or a pipe, which cannot be replaced, is
    given as it is.
    """
    path = Path(path)
    if is_device(path):
        try:
            yield path
        except OSError as problem:
            raise WccsimError(f"cannot write {path}: {problem.strerror}") from None
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as problem:
        raise WccsimError(f"cannot write {path}: {problem.strerror}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as problem:
        raise WccsimError(f"cannot write {path}: {problem.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def is_device(path: Path | str) -> bool:
    """Whether `path` is there and neither a file nor a folder, such as /dev/null."""
    path = Path(path)
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a null character: writing says so
        return False


def refuse_folder(path: Path | str) -> None:
    """WccsimError where `path` is a folder, or no possible name."""
    try:
        if Path(path).is_dir():
            raise WccsimError(f"cannot write {Path(path)}: it is a folder")
        Path(path).exists()
    except OSError as problem:
        raise WccsimError(f"cannot write {str(path)[:80]}: {problem.strerror}") from None
    except ValueError as problem:
        raise WccsimError(f"cannot write {str(path)[:80]!r}: {problem}") from None


def check_outputs(outputs: Iterable[Path | str], inputs: Iterable[Path | str] = ()) -> None:
    """Refuse, before any work is done, outputs that could not be written at its end.

    Raises WccsimError where an output has no name, is a folder, lies in a folder that is missing or may not
    be written, is another output as well, or is one of `inputs`, which writing it would destroy. Standard
    output ("-") and devices are passed over.
    """
    read = {os.path.realpath(path) for path in inputs if os.path.lexists(path)}
    seen: set[str] = set()
    for output in outputs:
        if not str(output):
            raise WccsimError("an output has an empty name; allowed: a path, or - for standard output")
        if str(output) == "-" or is_device(output):
            continue
        refuse_folder(output)
        path = Path(output)
        if not path.parent.is_dir():
            raise WccsimError(f"cannot write {path}: the folder {path.parent} does not exist")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise WccsimError(f"cannot write {path}: the folder {path.parent} may not be written")
        real = os.path.realpath(path)
        if real in read:
            raise WccsimError(f"cannot write {path}: it is an input; give the output another name")
        if real in seen:
            raise WccsimError(f"cannot write {path}: two outputs have this name")
        seen.add(real)


def check_plot(path: Path | str) -> None:
    """Refuse a figure's name whose ending is no format, and any figure where matplotlib is missing."""
    if Path(path).suffix not in PLOT_FORMATS:
        raise WccsimError(f"{path}: the ending says the format; allowed: {', '.join(PLOT_FORMATS)}")
    need_matplotlib()


def need_matplotlib() -> None:
    """Refuse to draw where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise WccsimError("drawing needs matplotlib: pip install 'wccsim[plot]'")


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; "-" is standard output."""
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_bytes(path: Path | str, limit_bytes: int = 1 << 34) -> bytes:
    """The content of `path`; WccsimError when it is missing, unreadable, a folder or too large."""
    path = Path(path)
    try:
        if path.is_file() and path.stat().st_size > limit_bytes:
            raise WccsimError(f"{path} has {path.stat().st_size} bytes; at most {limit_bytes} are read")
        return path.read_bytes()
    except OSError as problem:
        raise WccsimError(f"cannot read {path}: {problem.strerror}") from None


def sha256_of(path: Path | str) -> str:
    """Hexadecimal sha256 of the file's content."""
    return hashlib.sha256(read_bytes(path)).hexdigest()
