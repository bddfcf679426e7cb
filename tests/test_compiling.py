"""The notice that kernels are being compiled: on a terminal only, and only when something compiles."""

import io
import sys

import pytest
from numba import njit

from wccsim.compiling import compile_notice


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self):
        return True


def compile_something():
    assert njit(lambda value: value + 1)(1) == 2


@pytest.mark.parametrize(("stream", "lines"), [(Terminal, 2), (io.StringIO, 0)])
def test_compilation_is_announced_on_a_terminal_only(monkeypatch, stream, lines):
    shown = stream()
    monkeypatch.setattr(sys, "stderr", shown)
    with compile_notice():
        compile_something()
    assert len(shown.getvalue().splitlines()) == lines


def test_nothing_is_said_when_nothing_compiles(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    with compile_notice():
        pass
    assert shown.getvalue() == ""


def test_an_error_inside_passes_through(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(KeyError), compile_notice():
        raise KeyError
