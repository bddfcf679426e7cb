"""A place for numba's compiled kernels where the package and the home folder may not be written.

numba refuses to import a cached kernel when it finds no folder for the cache (a read-only install in a
container without a home). `ensure` then names one below the temporary folder, owned by this user alone.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def ensure(package: Path) -> None:
    """Set NUMBA_CACHE_DIR where nothing else would do: `package` and the home folder are closed."""
    if VARIABLE in os.environ or _writable(package) or _writable(_home() / ".cache" / "numba"):
        return
    os.environ[VARIABLE] = str(_own_folder())


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is no home


def _writable(folder: Path) -> bool:
    """Whether `folder`, or the nearest parent that exists, takes new files."""
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _own_folder() -> Path:
    """A temporary folder that only this user may write: what lies in a kernel cache is executed."""
    import tempfile  # late: it is seldom needed, and every command starts here

    folder = (
        Path(tempfile.gettempdir()) / f"wccsim-kernels-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        closed = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if closed and (not hasattr(os, "getuid") or found.st_uid == os.getuid()):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="wccsim-kernels-"))
