from __future__ import annotations

import hashlib
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_server import LocalServer, serve

from kerasviz.errors import ModelError
from kerasviz.io import download as module
from kerasviz.io.download import DownloadError, download, sha256_of

DATA = random.Random(0).randbytes(700_001)
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serve(LocalServer({"/net.bin": DATA})) as running:
        yield running


def test_a_file_arrives_whole_with_progress(server: LocalServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = download(
        f"{server.address}/net.bin", tmp_path / "a" / "net.bin", SHA, lambda *at: seen.append(at)
    )
    assert target.read_bytes() == DATA
    assert [total for _, total in seen] == [len(DATA)] * len(seen)
    assert seen[-1][0] == len(DATA) and len(seen) > 1
    assert [n for n, _ in seen] == sorted({n for n, _ in seen})
    assert list(target.parent.iterdir()) == [target]


def test_a_broken_connection_is_taken_up_where_it_stopped(
    server: LocalServer, tmp_path: Path
) -> None:
    server.cuts = [300_000, 123]
    seen: list[int] = []
    target = download(
        f"{server.address}/net.bin", tmp_path / "net.bin", SHA, lambda n, _: seen.append(n)
    )
    assert target.read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=300000-", "bytes=300123-"]
    assert seen == sorted(seen)


def test_a_partial_file_of_an_earlier_call_is_resumed(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "net.bin.part").write_bytes(DATA[:500_000])
    assert download(f"{server.address}/net.bin", tmp_path / "net.bin", SHA).read_bytes() == DATA
    assert server.asked == [("/net.bin", "bytes=500000-")]


def test_a_server_that_ignores_range_sends_it_all(server: LocalServer, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "net.bin.part").write_bytes(DATA[:500_000])
    totals: list[int] = []
    target = download(
        f"{server.address}/net.bin",
        tmp_path / "net.bin",
        SHA,
        lambda _, total: totals.append(total),
    )
    assert target.read_bytes() == DATA
    assert set(totals) == {len(DATA)}


@pytest.mark.parametrize("part", [DATA, DATA + b"more", b"x" * 400_000])
def test_a_partial_file_that_is_whole_too_long_or_foreign(
    server: LocalServer, tmp_path: Path, part: bytes
) -> None:
    (tmp_path / "net.bin.part").write_bytes(part)
    assert download(f"{server.address}/net.bin", tmp_path / "net.bin", SHA).read_bytes() == DATA
    assert [p.name for p in tmp_path.iterdir()] == ["net.bin"]


def test_a_wrong_checksum_leaves_nothing(server: LocalServer, tmp_path: Path) -> None:
    server.files["/net.bin"] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    with pytest.raises(DownloadError, match=f"expected {SHA}"):
        download(f"{server.address}/net.bin", tmp_path / "net.bin", SHA)
    assert list(tmp_path.iterdir()) == []


def test_what_has_arrived_is_kept_when_the_line_stays_dead(
    server: LocalServer, tmp_path: Path
) -> None:
    server.cuts = [1000] + [0] * module.ATTEMPTS
    with pytest.raises(DownloadError, match="broke off; run it again"):
        download(f"{server.address}/net.bin", tmp_path / "net.bin", SHA)
    assert (tmp_path / "net.bin.part").read_bytes() == DATA[:1000]
    assert not (tmp_path / "net.bin").exists()


def test_no_such_file_on_the_server(server: LocalServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="404"):
        download(f"{server.address}/other", tmp_path / "net.bin", SHA)


def test_no_connection(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="no connection"):
        download(f"http://127.0.0.1:{port}/net.bin", tmp_path / "net.bin", SHA)


def test_a_target_that_cannot_be_written(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot be written"):
        download(f"{server.address}/net.bin", tmp_path / "file" / "net.bin", SHA)


def test_checksum_of_a_folder_covers_names_and_contents(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, bytes]) -> Path:
        for path, data in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return tmp_path / name

    files = {"saved_model.pb": b"graph", "variables/data": b"weights"}
    one = sha256_of(folder("one", files))
    assert one == sha256_of(folder("two", dict(reversed(files.items()))))
    others = [
        {**files, "variables/data": b"weightz"},
        {"saved_model.pb": b"graph", "variables/date": b"weights"},
        {"saved_model.pb": b"graphw", "variables/data": b"eights"},
        {**files, "more": b""},
    ]
    sums = {sha256_of(folder(f"other{k}", other)) for k, other in enumerate(others)}
    assert len(sums | {one}) == 5


def test_checksum_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        sha256_of(tmp_path / "none")
