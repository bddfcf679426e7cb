"""What was measured on: processor features and libraries, never a host's name."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

TOLD = ("avx2", "avx512bw", "avx512vbmi2", "avx512vnni", "amx-int8", "neon", "sve")


def machine_lines(threads: int) -> list[str]:
    """Two lines: processor and threads; versions of what does the work."""
    from llvmlite import binding

    features = {name for name, present in binding.get_host_cpu_features().items() if present}
    told = " ".join(name for name in TOLD if name in features) or "none of the vector features looked for"
    versions = []
    for package in ("numpy", "numba", "torch", "onnxruntime"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} absent")
    return [
        f"{platform.machine()}, LLVM calls it {binding.get_host_cpu_name()}: {told}; threads: {threads}",
        "Python " + platform.python_version() + ", " + ", ".join(versions),
    ]
