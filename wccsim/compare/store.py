"""Results on disk, one JSON line each, appended as they come: an interrupted run loses none.

A line's key is the sha256 of everything that the result depends on (the map's content, the codec, its
parameters, the target, the version and the sources of the codecs), so that a stale line is never read.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from wccsim import __version__
from wccsim.errors import WccsimError

_START = b'{"key": "'  # of every line


def key_of(**parts: Any) -> str:
    """Hexadecimal key of a result that depends on `parts` and on this code."""
    text = json.dumps({**parts, "code": code_fingerprint()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_fingerprint() -> str:
    """A digest of the versions and the modules that a result comes from."""
    package = Path(__file__).parent.parent
    versions = (__version__, np.__version__, zlib.ZLIB_RUNTIME_VERSION)
    digest = hashlib.sha256(" ".join(versions).encode())
    folders = ("", "codecs/", "compare/", "datapath/")
    for path in sorted(path for folder in folders for path in package.glob(f"{folder}*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def check_store(path: Path) -> None:
    """Refuse a file that no run of ours can have left: it would be appended to, or deleted by --fresh."""
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_START))
    except FileNotFoundError:
        return
    except OSError as problem:
        raise WccsimError(f"cannot read {path}: {problem.strerror}") from None
    if not _START.startswith(start):  # an interrupted run may have written less than one line
        raise WccsimError(f"{path} is no store of results of wccsim compare; give another name")


def read_results(path: Path) -> dict[str, Any]:
    """Key to result of every whole line in `path`; {} where there is no such file."""
    results: dict[str, Any] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    entry = json.loads(line)
                    results[entry["key"]] = entry["result"]
                except (ValueError, KeyError, TypeError):
                    continue  # cut by the interruption, or not ours: computed again
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise WccsimError(f"cannot read {path}: {problem.strerror}") from None
    return results


@contextmanager
def appending(path: Path | None) -> Iterator[Appender]:
    """An appender to `path`; to nothing where it is None."""
    if path is None:
        yield Appender(None)
        return
    try:
        stream = path.open("a+b")
    except OSError as problem:
        raise WccsimError(f"cannot write {path}: {problem.strerror}") from None
    with stream:
        if stream.tell() and _last_byte(stream) != b"\n":
            stream.write(b"\n")  # end the line that an interruption cut
        yield Appender(stream)


def _last_byte(stream: IO[bytes]) -> bytes:
    stream.seek(-1, 2)
    return stream.read(1)


class Appender:
    """Writes results, each in one flushed write."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream

    def add(self, key: str, result: Any) -> None:
        """Append one result."""
        if self._stream is not None:
            self._stream.write(json.dumps({"key": key, "result": result}).encode() + b"\n")
            self._stream.flush()
