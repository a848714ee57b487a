from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from kerasviz.errors import UsageError
from kerasviz.service.uploads.array_screening import MOST_ARRAYS, screen_arrays

MANY = 10**6


def test_arrays_of_directions_are_listed_by_names_that_targets_can_have(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "nmf": np.ones((4, 9), np.float32),
        "one": np.ones(9, np.float16),
        "map": np.ones((2, 3, 9), np.float32),
        "maps": np.ones((5, 2, 3, 9), np.int32),
    }
    unusable = {
        "deep": np.ones((1, 1, 1, 1, 9), np.float32),
        "none": np.ones((0, 9), np.float32),
        "a[0]": np.ones(9, np.float32),
        "a + b": np.ones(9, np.float32),
        "x" * 201: np.ones(9, np.float32),
    }
    np.savez(tmp_path / "v.npz", **arrays, **unusable, words=np.array(["a"]), flag=np.ones(3, bool))
    save_file({**arrays, **unusable}, tmp_path / "v.safetensors")
    wanted = sorted((name, list(array.shape)) for name, array in arrays.items())
    for file in ("v.npz", "v.safetensors"):
        found = [(a["key"], a["shape"]) for a in screen_arrays(tmp_path / file, MANY)]
        assert sorted(found) == wanted
    np.save(tmp_path / "v.npy", arrays["maps"])
    assert screen_arrays(tmp_path / "v.npy", MANY) == [{"key": "", "shape": [5, 2, 3, 9]}]


def _zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def _npy(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + data


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("v.npz", b"PK no zip file", "no readable .npz"),
        ("v.npz", _zip(a=_npy((4,), bytes(8))), "no readable .npz"),
        ("v.npz", _zip(a=_npy((4,), bytes(2 * MANY))), "unpacks to"),
        ("v.npz", _zip(), "no array of directions"),
        (
            "v.npz",
            _zip(**{f"a{k}": _npy((1,), bytes(4)) for k in range(257)}),
            f"{MOST_ARRAYS} may",
        ),
        ("v.npy", _npy((10**9,), bytes(8)), "no readable .npy"),
        ("v.npy", b"", "no readable .npy"),
        ("v.safetensors", b"\xff" * 20, "no readable .safetensors"),
    ],
)
def test_damaged_files_are_one_line(tmp_path: Path, name: str, data: bytes, line: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=line) as refused:
        screen_arrays(tmp_path / name, MANY)
    assert "\n" not in str(refused.value)
