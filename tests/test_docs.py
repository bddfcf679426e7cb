"""The documentation is true because it runs: every `console` block is executed, output compared.

In a block, a line that starts with `$ ` is a command (continued by a trailing backslash); the lines
up to the next command are its output, where a line `...` stands for any lines. A command
ends with exit code 0, or with the N of a trailing `# exit N`.
"""

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import wccsim
from wccsim.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}


def console_blocks(page: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of each fenced `console` block."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, found.start()) + 2, found[1]


def steps(block: str) -> Iterator[tuple[str, str]]:
    """(command, expected output) pairs of a block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = re.sub(r"\\\n> ?|\\\n\s*", "", part).partition("\n")
        yield command, expected


def matches(expected: str, printed: str) -> bool:
    """Equal line by line, trailing blanks aside; a line `...` matches any number of lines."""
    lines = [r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + r"\n"
             for line in expected.strip("\n").split("\n")]  # fmt: skip
    tidy = "".join(line.rstrip() + "\n" for line in printed.strip("\n").split("\n"))
    return re.fullmatch("".join(lines), tidy) is not None


BLOCKS = [(page, line, block) for page in PAGES for line, block in console_blocks(page)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """One working folder for each page, so that a later block can use what an earlier one wrote."""
    return {page: tmp_path_factory.mktemp(page.stem) for page in PAGES}


@pytest.mark.parametrize(
    ("page", "line", "block"), BLOCKS, ids=[f"{page.name}:{line}" for page, line, _ in BLOCKS]
)
def test_console_block_prints_what_the_page_says(
    page: Path, line: int, block: str, folders: dict[Path, Path]
) -> None:
    if "wccsim rtl" in block and not shutil.which("iverilog") and not os.environ.get("WCCSIM_REQUIRE_RTL"):
        pytest.skip("this example runs the Verilog: apt-get install iverilog verilator yosys z3")
    for command, expected in steps(block):
        code = re.search(r"# exit (\d+)$", command)
        done = subprocess.run(
            ["bash", "-c", command],
            capture_output=True,
            text=True,
            cwd=folders[page],
            env=ENVIRONMENT,
            timeout=300,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == (int(code[1]) if code else 0), f"{command}\n{printed}"
        assert not expected.strip() or matches(expected, printed), f"{command}\n{printed}"


def test_the_readme_s_python_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(block, {})


def test_the_readme_s_network_is_one(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "example.yaml").write_text(block, encoding="utf-8")
    network = wccsim.load_network(str(tmp_path / "example.yaml"))
    assert [layer.name for layer in network.layers if layer.keep] == ["stage2.0.expand", "stage2.1.expand"]


def test_matching_can_fail() -> None:
    assert matches("a\n...\nc\n", "a\nb\nb\nc\n")
    assert not matches("a\n...\nc\n", "a\nb\n")
    assert not matches("a\n", "a\nb\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0
    assert f"wccsim {command}" in shown.output.partition("Usage:")[2].partition("\n")[2]


def test_the_readme_and_ci_use_the_same_commands() -> None:
    """.ci/run sets up as the README says and calls the README's own test command."""
    commands = re.findall(r"^pip install .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 2
    assert [command for command in commands if command not in script] == []


def test_the_picture_of_the_datapath_is_drawn_from_the_parameters() -> None:
    picture = runpy.run_path(str(ROOT / "docs" / "datapath_picture.py"))
    assert (ROOT / "docs" / "datapath.svg").read_text(encoding="utf-8") == picture["draw"]()


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []
