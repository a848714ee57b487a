from __future__ import annotations

import errno
import threading
import time
import uuid
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io import storage as module
from kerasviz.io.storage import Storage, StorageRefusedError


@pytest.fixture(params=["folder", "file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    url = {
        "folder": str(tmp_path / "out"),
        "file": f"file://{tmp_path}/out",
        "memory": f"memory://{uuid.uuid4().hex}",
    }
    return Storage(url[request.param], patience=0)


def test_files_are_written_read_listed_and_removed(storage: Storage) -> None:
    assert storage.read("a/b") is None and not storage.exists("a/b")
    assert storage.names("a") == set()
    storage.write("a/b", b"one")
    storage.write("a/b", b"two")
    assert storage.read("a/b") == b"two" and storage.exists("a/b")
    assert storage.write_new("a/b", b"three") is False
    assert storage.write_new("a/c", b"four") is True
    assert storage.names("a") == {"b", "c"}
    storage.write_many([(f"d/{i}", bytes([i])) for i in range(70)])
    paths = [f"d/{i}" for i in range(75)]
    assert list(storage.read_many(paths)) == [
        (path, bytes([i]) if i < 70 else None) for i, path in enumerate(paths)
    ]
    storage.remove("a/b")
    storage.remove("a/b")
    assert storage.names("a") == {"c"}


def test_one_of_many_writes_what_is_new(storage: Storage, tmp_path: Path) -> None:
    barrier, won = threading.Barrier(8), []

    def write(number: int) -> None:
        own = Storage(storage.url)
        barrier.wait()
        for turn in range(20):
            if own.write_new(f"claims/{turn}", b"%d" % number):
                won.append((turn, number))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if storage.local is not None:  # in memory nothing is exclusive
        assert sorted(turn for turn, _ in won) == list(range(20))
        for turn, number in won:
            assert storage.read(f"claims/{turn}") == b"%d" % number
    assert storage.names("claims") == {str(turn) for turn in range(20)}
    assert not list(tmp_path.rglob("*.part"))


class Flaky(MemoryFileSystem):
    """A network that is away now and then."""

    protocol = "flaky"
    store: ClassVar[dict[str, Any]] = {}
    errors: ClassVar[list[Exception]] = []
    asked = 0

    def _fail(self) -> None:
        type(self).asked += 1
        if self.errors:
            raise self.errors.pop()

    def pipe_file(self, *args: Any, **kwargs: Any) -> Any:
        self._fail()
        return super().pipe_file(*args, **kwargs)

    def cat_file(self, *args: Any, **kwargs: Any) -> Any:
        self._fail()
        return super().cat_file(*args, **kwargs)


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> Storage:
    import fsspec

    fsspec.register_implementation("flaky", Flaky, clobber=True)
    Flaky.errors.clear()
    Flaky.asked = 0
    return Storage(f"flaky://{uuid.uuid4().hex}", patience=60)


class HTTPClientError(Exception):
    """As botocore's, which is no OSError."""


def test_a_lost_network_is_waited_for_with_growing_pauses(
    flaky: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    Flaky.errors[:] = [ConnectionError("reset"), TimeoutError(), HTTPClientError("no route")] * 2
    flaky.write("a/b", b"one")
    assert Flaky.asked == 7
    assert flaky.read("a/b") == b"one"
    assert all(0.6 * 2**i * 0.25 < pause < 1.4 * 2**i * 0.25 for i, pause in enumerate(pauses))


def test_patience_ends_with_one_line(flaky: Storage) -> None:
    flaky.patience = 0.3
    Flaky.errors[:] = [ConnectionError("reset by peer")] * 100
    began = time.monotonic()
    with pytest.raises(KerasvizError, match=r"cannot write .*a/b.*reset by peer") as caught:
        flaky.write("a/b", b"one")
    assert not isinstance(caught.value, StorageRefusedError)
    assert Flaky.asked == 2
    assert time.monotonic() - began > 0.1


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "denied")],
)
def test_what_stays_is_not_tried_again(flaky: Storage, error: OSError) -> None:
    Flaky.errors[:] = [error]
    with pytest.raises(StorageRefusedError, match=rf"cannot write '.*a/b': {error.strerror}"):
        flaky.write("a/b", b"one")
    assert Flaky.asked == 1


class NoCredentialsError(Exception):
    """As botocore's."""


def test_what_a_library_refuses_is_one_line(flaky: Storage) -> None:
    Flaky.errors[:] = [NoCredentialsError("Unable to locate\ncredentials")]
    with pytest.raises(
        StorageRefusedError, match=r"cannot read '.*a/b': Unable to locate credentials"
    ):
        flaky.read("a/b")
    assert Flaky.asked == 1


@pytest.mark.parametrize("missing", [NotImplementedError(), OSError(errno.ENOSYS, "501")])
def test_a_store_without_exclusive_writes_is_written_to(flaky: Storage, missing: Exception) -> None:
    Flaky.errors[:] = [missing]
    assert flaky.write_new("a/b", b"one")
    assert not flaky.write_new("a/b", b"two")
    assert flaky.read("a/b") == b"one"


def test_mistakes_are_not_taken_for_a_network(flaky: Storage) -> None:
    Flaky.errors[:] = [ZeroDivisionError("oh")]
    with pytest.raises(ZeroDivisionError):
        flaky.write("a/b", b"one")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageRefusedError, match="cannot write"):
        Storage(str(tmp_path / "out")).write("a/b", b"")


def test_unknown_addresses_and_missing_packages_are_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="s3://BUCKET"):
        Storage("nowhere://a/b")
    with pytest.raises(UsageError, match="names no bucket"):
        Storage("s3://")

    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(module.fsspec.core, "url_to_fs", missing)
    with pytest.raises(UsageError, match=r"pip install 'kerasviz\[s3\]'"):
        Storage("s3://bucket/atlas")
