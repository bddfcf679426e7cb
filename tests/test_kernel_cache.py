"""Where kernels are cached when neither the package nor the home folder may be written."""

import os
import tempfile
from pathlib import Path

from wccsim import kernel_cache


def closed_house(monkeypatch, tmp_path):
    """No folder but the temporary one takes files."""
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    monkeypatch.setattr(kernel_cache, "_writable", lambda folder: False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_nothing_is_set_where_the_package_may_be_written(monkeypatch, tmp_path):
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    kernel_cache.ensure(tmp_path)
    assert kernel_cache.VARIABLE not in os.environ


def test_a_choice_of_the_user_stands(monkeypatch, tmp_path):
    closed_house(monkeypatch, tmp_path)
    monkeypatch.setenv(kernel_cache.VARIABLE, "mine")
    kernel_cache.ensure(tmp_path)
    assert os.environ[kernel_cache.VARIABLE] == "mine"


def test_a_closed_house_gets_one_private_folder_and_keeps_it(monkeypatch, tmp_path):
    closed_house(monkeypatch, tmp_path)
    chosen = []
    for _ in range(2):
        monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
        kernel_cache.ensure(tmp_path)
        chosen.append(os.environ[kernel_cache.VARIABLE])
    assert chosen[0] == chosen[1]
    assert Path(chosen[0]).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_is_not_trusted(monkeypatch, tmp_path):
    closed_house(monkeypatch, tmp_path)
    kernel_cache.ensure(tmp_path)
    first = os.environ[kernel_cache.VARIABLE]
    Path(first).chmod(0o777)
    monkeypatch.delenv(kernel_cache.VARIABLE)
    kernel_cache.ensure(tmp_path)
    assert os.environ[kernel_cache.VARIABLE] != first


def test_a_missing_folder_is_writable_where_its_parent_is(tmp_path):
    assert kernel_cache._writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not kernel_cache._writable(tmp_path / "file" / "below")
