"""Time per codec and peak memory of a 16 x 512 x 1024 map through all codecs at five rates.

    python benchmarks/compare_scale.py [--jobs 2] [--map MAP.npz] [--small]

Without --map the map is the shipped astronaut map, tiled to 16 x 512 x 1024. Prints one line a codec
and the wall time of all of them together on the given number of processes. --small: 16 x 128 x 128.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from wccsim.compare.parallel import one_thread_each

# ruff: noqa: E402
one_thread_each()  # as the command does, before NumPy is loaded

import numpy as np

from wccsim.compare.catalog import DEFAULT, METHODS
from wccsim.compare.run import DEFAULT_TARGETS, Task, work
from wccsim.default_maps import default_map_paths
from wccsim.maps import load_map, write_arrays

# The slow ones first, so that two processes end together.
SLOW_FIRST = ("deflate", "wcc-combined", "klt", "klt-amortised", "rlc", "dc-ac-style", "mwq-style")


def timed(task: Task) -> tuple[str, float, float, int]:
    """(codec, seconds, seconds of processor time, peak memory in bytes of the process so far)."""
    start, busy = time.perf_counter(), time.process_time()
    work(task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return task.codec, time.perf_counter() - start, time.process_time() - busy, peak


def large_map(folder: Path, side: tuple[int, int]) -> Path:
    """A natural map of 16 x side, by tiling the largest shipped one."""
    source = load_map(max(default_map_paths(), key=lambda path: path.stat().st_size))
    height, width = (-(-wanted // have) for wanted, have in zip(side, source.x.shape[1:], strict=True))
    # Neighbouring tiles show other channels, mirrored, so that no row repeats itself.
    tiles = [
        [
            np.roll(source.x, 2 * (i * width + j) + 1, axis=0)[:, :: (-1) ** i, :: (-1) ** j]
            for j in range(width)
        ]
        for i in range(height)
    ]
    x = np.concatenate([np.concatenate(line, axis=2) for line in tiles], axis=1)
    path = folder / "large.npz"
    arrays = {"x": x[:, : side[0], : side[1]], "x_scale": source.x_scale}
    write_arrays(path, arrays | {"w": source.weights, "w_scale": source.weight_scale, "bias": source.bias})
    return path


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--map", type=Path)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    order = [*SLOW_FIRST, *(name for name in DEFAULT if name not in SLOW_FIRST)]
    with tempfile.TemporaryDirectory() as temporary:
        path = given.map or large_map(Path(temporary), (128, 128) if given.small else (512, 1024))
        tasks = [
            Task(path, None, name, (*([None] if METHODS[name].lossless else []), *DEFAULT_TARGETS))
            for name in order
        ]
        start, total = time.perf_counter(), 0.0
        with ProcessPoolExecutor(given.jobs) as pool:
            futures = [pool.submit(timed, task) for task in tasks]
            for future in as_completed(futures):
                name, seconds, busy, peak = future.result()
                total += busy
                print(
                    f"{name:<16} {seconds:7.1f} s  processor {busy:6.1f} s  peak {peak / 1e9:5.2f} GB",
                    flush=True,
                )
        shape = " x ".join(map(str, load_map(path).x.shape))
        seconds = time.perf_counter() - start
        print(f"all {len(tasks)} codecs, {shape}, rates {DEFAULT_TARGETS}, {given.jobs} processes:")
        print(f"{seconds:.1f} s, of which processor {total:.1f} s, {total / given.jobs:.1f} s a process")


if __name__ == "__main__":
    main()
