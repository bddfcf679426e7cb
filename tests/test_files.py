"""Files are written whole or not at all."""

from pathlib import Path

import pytest

from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes, replacing, sha256_of, write_text


def test_what_stood_there_is_left_whole_when_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    write_text(target, "a\n")
    write_text(target, "b\n")
    assert target.read_text() == "b\n"
    assert list(tmp_path.iterdir()) == [target]
    assert sha256_of(target) == "0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f"


def test_a_device_is_written_to_and_not_replaced() -> None:
    null = Path("/dev/null")
    if not null.is_char_device():
        pytest.skip("there is no /dev/null here")
    write_text(null, "x")
    assert null.is_char_device()


@pytest.mark.parametrize("name", ["missing/out.csv", "."])
def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(WccsimError, match=r"^cannot write .*: [A-Z][a-z ]+$"):
        write_text(tmp_path / name, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(WccsimError, match=r"^cannot read .*: [A-Z][a-z ]+$"):
            read_bytes(path)
    (tmp_path / "large").write_bytes(b"123")
    with pytest.raises(WccsimError, match="has 3 bytes; at most 2 are read"):
        read_bytes(tmp_path / "large", limit_bytes=2)


def test_an_error_is_one_line_with_its_place_in_front() -> None:
    assert str(WccsimError("a\nb", Place("net.yaml", 3, 7))) == "net.yaml:3:7: a b"
