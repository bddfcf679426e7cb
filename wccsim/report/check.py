"""Whether a report that was made anew is the committed one, byte for byte.

Figures hang on the tools that draw them. Where these are the ones the report was made with, every byte
counts; elsewhere the numbers, and the pages without their figures, still do.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from wccsim.files import sha256_of

TOOLS_FILE = "made_with.json"
_FIGURE = re.compile(rb'src="data:image/[^"]*"')
_DRAWN = (".svg", ".png", ".html")


@dataclass(frozen=True, slots=True)
class Verdict:
    """differs: files that are not the committed ones; redrawn: of those, the ones that only other tools drew.

    tools: what the committed report was made with and is another version here.
    """

    differs: tuple[str, ...]
    redrawn: tuple[str, ...]
    tools: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether something differs that the tools do not account for."""
        return len(self.differs) > len(self.redrawn)


def tools() -> str:
    """The versions that figures, and DEFLATE's sizes, depend on, as a JSON object."""
    import matplotlib
    import PIL

    versions = {
        "matplotlib": matplotlib.__version__,
        "pillow": PIL.__version__,
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }
    return json.dumps(versions, indent=1) + "\n"


def compared(made: Path, committed: Path) -> Verdict:
    """The files in the folder `made` against those in `committed`."""
    names = {path.name for folder in (made, committed) if folder.is_dir() for path in folder.iterdir()}
    here, there = _versions(made), _versions(committed)
    if there:  # else it must be the same file too, and every byte counts
        names.discard(TOOLS_FILE)
    differs = sorted(name for name in names if _digest(made / name) != _digest(committed / name))
    others = {
        tool: f"{tool} {there[tool]}, here {here[tool]}"
        for tool in here
        if there.get(tool, here[tool]) != here[tool]
    }
    redrawn = [
        name
        for name in differs
        if ("matplotlib" in others or "pillow" in others) and _only_redrawn(made / name, committed / name)
    ]
    return Verdict(tuple(differs), tuple(redrawn), tuple(others.values()))


def _only_redrawn(made: Path, committed: Path) -> bool:
    """Whether both are there and differ in nothing but a drawing."""
    if made.suffix not in _DRAWN or not (made.is_file() and committed.is_file()):
        return False
    if made.suffix != ".html":
        return True
    first, second = (_FIGURE.sub(b"", path.read_bytes()) for path in (made, committed))
    return first == second


def _versions(folder: Path) -> dict[str, str]:
    """What `TOOLS_FILE` in `folder` says; {} where it says nothing."""
    try:
        found = json.loads((folder / TOOLS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {}


def _digest(path: Path) -> str | None:
    return sha256_of(path) if path.is_file() else None
