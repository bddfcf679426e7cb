"""Where a sweep's parts run: here, in processes of this machine, or on a dask cluster."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from wccsim.errors import WccsimError

CONNECT_S = 10.0


@contextmanager
def local_executor(jobs: int) -> Iterator[Executor | None]:
    """`jobs` processes; None, which means this one, for a single job."""
    if jobs < 1:
        raise WccsimError(f"jobs: {jobs} was given; at least 1 is needed")
    if jobs == 1:
        yield None
        return
    # A fresh interpreter for each: a fork would copy whatever locks other threads hold.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
        yield executor


@contextmanager
def dask_executor(address: str, timeout_s: float = CONNECT_S) -> Iterator[Executor]:
    """The workers of the scheduler at `address`, such as tcp://10.0.0.1:8786; wccsim must be there too."""
    try:
        from distributed import Client
    except ImportError:
        raise WccsimError("--dask needs dask.distributed: pip install 'wccsim[dask]'") from None
    match = re.fullmatch(r"(?:(?:tcp|tls)://)?([\w.-]+):(\d{1,5})", address)
    if not match:
        raise WccsimError(
            f"dask address {address!r}; allowed: HOST:PORT or tcp://HOST:PORT, of the scheduler"
        )
    try:
        # A plain connection first: it fails at once, and leaves nothing running, where nobody listens.
        socket.create_connection((match[1], int(match[2])), timeout_s).close()
        client = Client(address, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError, OverflowError) as problem:  # TimeoutError is an OSError
        reason = str(problem).partition("\n")[0] or type(problem).__name__
        raise WccsimError(f"no dask scheduler answers at {address!r}: {reason}") from None
    try:
        yield client.get_executor()
    finally:
        client.close()
