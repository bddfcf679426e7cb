"""What is installed: one top-level name, the data with it, and the same answer from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str, cwd: Path) -> str:
    """Standard output of a command that must succeed, without the checkout on its path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
        cwd=folder,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_claims_no_other_name(wheel: Path) -> None:
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"wccsim"}


def test_the_wheel_carries_its_data(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for pattern in ("layers/*.yaml",):
        missing = [p.name for p in ROOT.glob(pattern) if f"wccsim/layers/{p.name}" not in inside]
        assert missing == []
    tracked = run("git", "ls-files", "wccsim", cwd=ROOT).split() if (ROOT / ".git").exists() else []
    assert [name for name in tracked if name not in inside] == []


def test_a_wheel_answers_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    """Unpacked alone on the path, away from the checkout, it finds its own network descriptions."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import wccsim; "
        "assert wccsim.__file__.startswith(sys.path[0]), wccsim.__file__; "
        "print(len(wccsim.load_network('mobilenetv2').layers))"
    )
    assert int(run(sys.executable, "-c", script, cwd=tmp_path)) > 50


def test_a_bare_checkout_runs(tmp_path: Path) -> None:
    """`python cli.py` needs no installation, from any folder."""
    printed = run(sys.executable, str(ROOT / "cli.py"), "networks", cwd=tmp_path)
    assert "mobilenetv2" in printed
    assert "bops" in run(sys.executable, str(ROOT / "cli.py"), "--help", cwd=tmp_path)


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys, wccsim, wccsim.cli; heavy = 'numba pandas matplotlib onnx onnxruntime numpy'; "
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    assert run(sys.executable, "-c", script, cwd=tmp_path).strip() == "[]"
