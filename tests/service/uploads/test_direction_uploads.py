"""Uploads of directions: from the body of a request to a file that targets can name."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.io.files import checksum
from kerasviz.optvis.objectives.direction_files import FileWords, file_words
from kerasviz.service.settings import Limits, ServiceSettings
from kerasviz.service.uploads.array_screening import screen_arrays
from kerasviz.service.uploads.direction_uploads import DirectionUpload, DirectionUploads
from kerasviz.service.uploads.receiving import TakenError, TooLargeError, UploadBusyError
from kerasviz.service.uploads.sandbox_process import Budget


class ReadHere(DirectionUploads):
    """Reads files in this process, which takes no time."""

    def _inspect(self, path: Path) -> Any:
        return screen_arrays(path, self.budget.unpacked_bytes)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


GOOD = npz(nmf=np.eye(5, 9), mean=np.ones(9))


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def received(
    uploads: DirectionUploads, name: str, data: bytes = GOOD
) -> tuple[DirectionUpload, bool]:
    return asyncio.run(uploads.receive(name, pieces(data)))


def named(text: str) -> FileWords:
    words = file_words(text)
    assert words is not None
    return words


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_file_is_kept_whole_found_and_removed(tmp_path: Path) -> None:
    uploads = ReadHere(ServiceSettings(tmp_path))
    upload, new = received(uploads, "my.concepts-1.npz")
    assert new and (upload.bytes, upload.sha256) == (len(GOOD), checksum(GOOD))
    assert upload.to_json()["arrays"] == [
        {"key": "nmf", "shape": [5, 9], "vectors": 5, "width": 9},
        {"key": "mean", "shape": [9], "vectors": None, "width": 9},
    ]
    assert received(uploads, "my.concepts-1.npz") == (upload, False)
    assert DirectionUploads(ServiceSettings(tmp_path)).list() == [upload], "after another start"
    path = uploads.find(named("my.concepts-1.npz:nmf[0]"))
    assert path.read_bytes() == GOOD and path.name == "my.concepts-1.npz"
    with pytest.raises(TakenError, match="another file"):
        received(uploads, "MY.concepts-1.npz", npz(a=np.ones(3)))
    assert uploads.remove("my.concepts-1.npz") and not uploads.remove("my.concepts-1.npz")
    assert uploads.list() == [] and files(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        *((name, "no name") for name in ("", "..", "../x.npz", "a/b.npz", "/v.npy", ".npz", "a b")),
        ("x" * 61 + ".npz", "no name"),
        ("a.txt", "expected a file that ends in .npy, .npz, .safetensors"),
        ("a", "expected a file that ends in"),
        ("a.pkl", r"a pickle can run any code .* numpy.save\('a.npy', array\)"),
        ("a.pt", "torch.load"),
    ],
)
def test_names_of_no_file_of_directions_are_refused(tmp_path: Path, name: str, line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        received(ReadHere(ServiceSettings(tmp_path)), name)
    assert "\n" not in str(refused.value) and files(tmp_path) == []


def test_what_cannot_be_taken_leaves_nothing(tmp_path: Path) -> None:
    limits = Limits(direction_bytes=len(GOOD), disk_bytes=10**5)
    uploads = ReadHere(ServiceSettings(tmp_path, limits=limits))
    with pytest.raises(UsageError, match="empty"):
        received(uploads, "v.npz", b"")
    with pytest.raises(TooLargeError, match="an upload"):
        received(uploads, "v.npz", GOOD + b"x")
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(uploads._received())
        with pytest.raises(UploadBusyError):
            received(uploads, "v.npz")
    assert files(tmp_path) == []


def test_only_uploaded_files_are_found(tmp_path: Path) -> None:
    uploads = ReadHere(ServiceSettings(tmp_path))
    with pytest.raises(UsageError, match=r"/etc/v.npy: files of this machine are not .* none"):
        uploads.find(named("/etc/v.npy"))
    received(uploads, "concepts.npz")
    np.save(tmp_path / "directions" / "secret.npy", np.ones(3))
    for text in ("../directions/concepts.npz", "secret.npy", "concept.npz"):
        with pytest.raises(UsageError, match=r"near: concepts.npz"):
            uploads.find(named(text))
    with pytest.raises(UsageError, match=r"latents need the cfg.json of their autoencoder"):
        uploads.find(named("concepts.npz#latent=1"))


def test_files_are_read_in_a_process_with_limits(tmp_path: Path) -> None:
    """A good file, one with Python objects, and one that claims more numbers than it has."""
    uploads = DirectionUploads(ServiceSettings(tmp_path))
    objects, huge = io.BytesIO(), io.BytesIO()
    np.save(objects, np.array([{}], object))
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)}
    )
    assert received(uploads, "good.npz")[0].arrays[0] == {"key": "nmf", "shape": [5, 9]}
    for data, line in ((objects, "^v.npy: has Python objects"), (huge, "^v.npy: no readable .npy")):
        with pytest.raises(UsageError, match=line) as refused:
            received(uploads, "v.npy", data.getvalue())
        assert "\n" not in str(refused.value) and str(tmp_path) not in str(refused.value)
    late = DirectionUploads(ServiceSettings(tmp_path), Budget(seconds=0.05))
    with pytest.raises(UsageError, match="too long"):
        received(late, "late.npz")
    assert [upload.name for upload in uploads.list()] == ["good.npz"]
