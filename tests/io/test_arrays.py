from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from kerasviz.errors import UsageError
from kerasviz.io.arrays import array_name, file_checksum, opened_arrays

NUMBERS = np.arange(15).reshape(5, 3)


def saved(folder: Path, ending: str, dtype: object) -> Path:
    path, array = folder / f"v{ending}", NUMBERS.astype(dtype)  # type: ignore[call-overload]
    if ending == ".npy":
        np.save(path, array)
    elif ending == ".npz":
        np.savez_compressed(path, some=array)
    else:
        save_file({"some": array}, path)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".safetensors"])
def test_every_format_gives_rows_and_columns(tmp_path: Path, ending: str, dtype: str) -> None:
    with opened_arrays(saved(tmp_path, ending, dtype)) as arrays:
        (array,) = arrays.values()
        assert array.shape == (5, 3)
        np.testing.assert_array_equal(array.read(), NUMBERS)
        np.testing.assert_array_equal(array.read([4, 1]), NUMBERS[[4, 1]])
        np.testing.assert_array_equal(array.read([2, 0], axis=1), NUMBERS.T[[2, 0]])


def test_bfloat16_is_read(tmp_path: Path) -> None:
    with opened_arrays(saved(tmp_path, ".safetensors", ml_dtypes.bfloat16)) as arrays:
        taken = arrays["some"].read([3]).astype(np.float32)
    np.testing.assert_array_equal(taken, NUMBERS[[3]])


def test_what_is_no_array_of_numbers_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez(path, about=np.array("text"), v=NUMBERS, z=np.ones(3, complex))
    with opened_arrays(path) as arrays:
        assert list(arrays) == ["v"]
        assert array_name(path, list(arrays), "") == "v"


class Harmful:
    def __reduce__(self) -> object:
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("ending", [".npy", ".npz", ".pt", ".pth", ".pkl", ".pickle", ".bin"])
def test_pickles_are_refused_and_do_not_run(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"v{ending}"
    harmful = np.array([Harmful()], object)
    if ending == ".npy":
        np.save(path, harmful, allow_pickle=True)
    elif ending == ".npz":
        np.savez(path, v=harmful)
    else:
        path.write_bytes(pickle.dumps(Harmful()))
    said = "can run any code when it is read"
    with pytest.raises(UsageError, match=said) as refused, opened_arrays(path):
        pass
    assert "numpy.save(" in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "harmed").exists()


def test_a_pickle_with_the_name_of_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(pickle.dumps([1.0, 2.0]))
    with pytest.raises(UsageError, match="pickle"), opened_arrays(path):
        pass


@pytest.mark.parametrize("ending", [".npy", ".npz", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"no array", b"\xff" * 100])
def test_damaged_files_are_one_line(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"v{ending}"
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused, opened_arrays(path) as arrays:
        array_name(path, list(arrays), "")
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_missing_files_and_other_formats_are_one_line(tmp_path: Path) -> None:
    for name, line in (("v.npy", "no such file"), ("v.txt", "ends in .npy, .npz, .safetensors")):
        with pytest.raises(UsageError, match=line), opened_arrays(tmp_path / name):
            pass


def test_names_are_the_only_one_or_named() -> None:
    path = Path("v.npz")
    assert array_name(path, ["a", "b"], "b") == "b"
    with pytest.raises(UsageError, match=r"which array.*one of a, b"):
        array_name(path, ["a", "b"], "")
    with pytest.raises(UsageError, match=r"no array 'nfm'; near: nmf"):
        array_name(path, ["nmf", "pca"], "nfm")
    with pytest.raises(UsageError, match="leave out :a"):
        array_name(Path("v.npy"), [""], "a")
    with pytest.raises(UsageError, match="no arrays"):
        array_name(path, [], "")


def test_a_checksum_follows_changes(tmp_path: Path) -> None:
    path = tmp_path / "v"
    path.write_bytes(b"one")
    first = file_checksum(path)
    path.write_bytes(b"another")
    assert file_checksum(path) == hashlib.sha256(b"another").hexdigest() != first
