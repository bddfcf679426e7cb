"""Feature-map files: what is read is what was written, and no file can do harm."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.maps import load_map, with_weights

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "maps"


def good(**changed: Any) -> dict[str, Any]:
    arrays = {
        "x": np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4),
        "x_scale": np.float32(0.5),
        "w": np.array([[1, -2], [3, 4], [-127, 127]], np.int8),
        "w_scale": np.array([0.1, 0.2, 0.3], np.float32),
        "bias": np.array([1.0, 2.0, -3.0], np.float32),
        "act": np.array("relu6"),
        **changed,
    }
    return {name: array for name, array in arrays.items() if array is not None}


def written(folder: Path, **changed: Any) -> Path:
    np.savez_compressed(folder / "map.npz", **good(**changed))
    return folder / "map.npz"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    arrays = good()
    found = load_map(written(tmp_path))
    assert (found.x == arrays["x"]).all() and found.x.dtype == np.int8 and found.in_bits == 8
    assert found.x_scale == 0.5 and found.act == "relu6" and found.name == "map"
    assert found.weights is not None and (found.weights == arrays["w"]).all()
    assert found.weight_scale is not None and np.allclose(found.weight_scale, arrays["w_scale"])
    assert found.bias is not None and (found.bias == [1, 2, -3]).all()
    assert len(found.sha256) == 64


@pytest.mark.parametrize("dtype, bits", [("int8", 8), ("uint8", 9), ("int16", 16), (">i2", 16)])
def test_an_npy_with_a_scale(tmp_path: Path, dtype: str, bits: int) -> None:
    x = np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(dtype))
    np.save(tmp_path / "map.npy", x)
    found = load_map(tmp_path / "map.npy", scale=0.25)
    assert (found.x == x).all() and found.x.flags.c_contiguous and found.x.dtype.isnative
    assert (found.x_scale, found.weights, found.in_bits) == (0.25, None, bits)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"x": np.zeros((2, 3, 4), np.float32)}, "quantise float maps first"),
        ({"x": np.zeros((2, 12), np.int8)}, r"\[C, H, W\]"),
        ({"x": np.zeros((2, 0, 4), np.int8)}, "empty"),
        ({"x": None}, "needs the arrays x and x_scale"),
        ({"x_scale": np.nan}, "not finite"),
        ({"x_scale": np.float32(-1)}, "positive"),
        ({"x_scale": np.ones(2)}, "1 real number"),
        ({"x_scale": np.array("one")}, "1 real number"),
        ({"w": np.zeros((3, 5), np.int8)}, r"int8 \[O, 2\]"),
        ({"w": np.zeros((3, 2), np.int16)}, r"int8 \[O, 2\]"),
        ({"w_scale": None}, "needs w_scale"),
        ({"w_scale": np.array([1, np.inf, 1])}, "not finite"),
        ({"bias": np.zeros(2)}, "3 real number"),
        ({"act": np.array("gelu")}, "allowed: none, relu, relu6"),
        ({"x": np.array([[[1, None]]], object)}, "never pickles"),
    ],
)
def test_what_is_no_feature_map_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(WccsimError, match=said) as refusal:
        load_map(written(tmp_path, **changed))
    assert "map.npz" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_bare_pickle_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(pickle.dumps({"x": 1}))
    for path in (tmp_path / "bad.npz", tmp_path, tmp_path / "none.npz"):
        with pytest.raises(WccsimError):
            load_map(path)
    with pytest.raises(WccsimError, match="only for npy"):
        load_map(written(tmp_path), scale=2.0)


def archive_with(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '|i1', 'fortran_order': False, 'shape': (1000000, 1000000, 1000000)}\n",
        "{'descr': '|i1', 'fortran_order': False, 'shape': (-1, -1, 4)}\n",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 4)}\n",
        "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 1, 5)}\n",
        "__import__('os').system('true')\n",
        "((((" * 200 + "\n",
    ],
)
def test_a_false_header_is_refused_before_anything_is_allocated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.npz"
    path.write_bytes(archive_with("x.npy", header(text) + b"abcd"))
    with pytest.raises(WccsimError):
        load_map(path)


def test_a_zip_bomb_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wccsim.maps.MAX_BYTES", 1 << 20)
    path = written(tmp_path, x=np.zeros((1, 1 << 11, 1 << 11), np.int8))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(WccsimError, match="at most 1048576"):
        load_map(path)


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 1499), value=st.integers(0, 255), cut=st.integers(1, 1500))
def test_a_damaged_file_is_read_or_refused_never_worse(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(written(folder).read_bytes())
    content[position % len(content)] = value
    path = folder / "map.npz"
    path.write_bytes(bytes(content[:cut]) if cut % 2 else bytes(content))
    try:
        load_map(path)
    except WccsimError as refusal:
        assert "\n" not in str(refusal)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real feature maps (../shared/data/maps) are not here")
def test_the_real_maps_are_read() -> None:
    for path in sorted(SHARED.glob("*.npz"))[:3]:
        found = load_map(path)
        assert found.weights is not None and found.weights.shape[1] == found.x.shape[0]


def test_weights_of_an_npy_join_a_map_that_has_none(tmp_path):
    x = np.arange(24, dtype=np.int8).reshape(2, 3, 4)
    np.save(tmp_path / "x.npy", x)
    alone = load_map(tmp_path / "x.npy", scale=0.5)
    codes = np.array([[1, -127], [3, 4], [0, 0]], np.int8)
    for form in (codes, codes.reshape(3, 2, 1, 1), np.asfortranarray(codes)):
        np.save(tmp_path / "w.npy", form)
        joined = with_weights(alone, tmp_path / "w.npy")
        assert np.array_equal(joined.weights, codes) and joined.weights.flags.c_contiguous
        assert joined.weight_scale.tolist() == [1, 1, 1] and joined.bias.tolist() == [0, 0, 0]
        assert joined.x is alone.x and joined.x_scale == 0.5 and joined.act == "none"
    np.save(tmp_path / "w.npy", codes * 0.01)
    joined = with_weights(alone, tmp_path / "w.npy")
    assert np.abs(joined.weights[:2]).max(axis=1).tolist() == [127, 127]
    assert joined.weights * joined.weight_scale[:, None] == pytest.approx(codes * 0.01, abs=0.01)
    with pytest.raises(WccsimError, match="holds its own weights"):
        with_weights(joined, tmp_path / "w.npy")


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.zeros((3, 5), np.int8), r"shape \(3, 5\); allowed: \[O, 2\]"),
        (np.zeros((3, 2, 3, 3), np.int8), r"shape \(3, 2, 3, 3\)"),
        (np.zeros((0, 2), np.int8), "shape"),
        (np.zeros((3, 2), np.int64), "type int64; allowed: int8, float32, float64"),
        (np.full((3, 2), np.nan), "not finite"),
        (np.array([{}]), "never pickles"),
    ],
)
def test_weights_that_do_not_suit_are_refused_by_name(tmp_path, weights, says):
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 4), np.int8))
    np.save(tmp_path / "w.npy", weights, allow_pickle=True)
    with pytest.raises(WccsimError, match=says) as refusal:
        with_weights(load_map(tmp_path / "x.npy"), tmp_path / "w.npy")
    assert str(refusal.value).startswith(str(tmp_path / "w.npy")) and "\n" not in str(refusal.value)
