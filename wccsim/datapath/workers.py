"""Threads that share out strips: each claims the next one until none is left.

A thread that the system has put aside delays nobody but the strip it holds, and uneven strips balance
themselves. Kernels release the interpreter's lock; no kernel is compiled for parallel loops, so that no
threading layer is needed and several callers may run at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from wccsim.errors import WccsimError
from wccsim.processors import processors

VARIABLE = "WCCSIM_THREADS"


@intrinsic
def claim(typing_context: Any, counter: Any) -> Any:
    """Atomically: counter[0] of an int64 array as it was, and one more is stored."""
    signature = types.int64(counter)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return signature, codegen


@intrinsic
def prefetch(typing_context: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of element `at` of a contiguous array, counted flat, to be read soon."""
    signature = types.void(array, at)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # to read, into the second-level cache, data
        builder.call(function, [address, ir.Constant(word, 0), ir.Constant(word, 2), ir.Constant(word, 1)])
        return context.get_dummy_value()

    return signature, codegen


def thread_count(asked: int | None = None) -> int:
    """Threads to use: `asked`, else WCCSIM_THREADS, else all that this process may use."""
    most = processors()
    given: Any = asked if asked is not None else os.environ.get(VARIABLE) or most
    try:
        count = int(given)
    except ValueError:
        count = 0
    if not 1 <= count <= most:
        raise WccsimError(f"threads ({VARIABLE}) is {given!r}; allowed: 1 to {most}")
    return count


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, processors() - 1), "wccsim")


# A forked child has none of its parent's threads: it makes its own pool.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


def share(threads: int, work: Callable[[int], None]) -> None:
    """work(0) here, work(1) ... work(threads - 1) beside it, each claiming strips; returns when all are done.

    A thread that has not begun when work(0) ends is not waited for: nothing is left to claim.
    """
    others = [_pool().submit(work, number) for number in range(1, threads)]
    work(0)
    for other in others:
        if not other.cancel():
            other.result()
