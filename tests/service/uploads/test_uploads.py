"""Uploads: from the body of a request by way of the quarantine to a network that is served."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.hostile import good_keras, onnx_bytes

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.files import checksum
from kerasviz.service.networks import Networks
from kerasviz.service.settings import Limits, ServiceSettings
from kerasviz.service.uploads.receiving import TakenError, TooLargeError, UploadBusyError
from kerasviz.service.uploads.sandbox import environment_in
from kerasviz.service.uploads.sandbox_process import Budget
from kerasviz.service.uploads.uploads import Upload, Uploads

GOOD = onnx_bytes()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def received(uploads: Uploads, name: str, data: bytes = GOOD) -> Upload:
    return asyncio.run(uploads.receive(name, "unit", pieces(data)))


def ended(uploads: Uploads, upload: Upload, patience: float = 300.0) -> Upload:
    latest = time.monotonic() + patience
    while (found := uploads.find(upload.id)) is None or found.state in ("queued", "checking"):
        assert time.monotonic() < latest
        time.sleep(0.02)
    return found


class Judged(Uploads):
    """Uploads that are looked at by a function instead of a process."""

    def __init__(self, setting: ServiceSettings, judge: Callable[[Upload], dict[str, Any]]):
        super().__init__(setting, lambda: ["served"])
        self.judge = judge

    def _inspect(self, upload: Upload) -> dict[str, Any]:
        return self.judge(upload)


def accepted(upload: Upload) -> dict[str, Any]:
    return {"format": "onnx", "layers": 3, "classes": 0}


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# -- receiving -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", ".hidden", "-option", "a\x00b"),
        *("a\r\nSet-Cookie: x=1", "a b", "caf\u00e9", "x" * 65, "a..b", "a.", "C:x", "\u202e"),
    ],
)
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    uploads = Judged(ServiceSettings(tmp_path), accepted)
    with pytest.raises(UsageError, match="no name") as caught:
        received(uploads, name)
    assert str(caught.value).isprintable()
    assert files(tmp_path) == []


def test_what_cannot_be_taken_leaves_nothing(tmp_path: Path) -> None:
    setting = ServiceSettings(tmp_path, limits=Limits(upload_bytes=len(GOOD), disk_bytes=10**5))
    uploads = Judged(setting, accepted)
    with pytest.raises(TakenError, match="already"):
        received(uploads, "SERVED")
    with pytest.raises(UsageError, match="preset"):
        asyncio.run(uploads.receive("new", "torchvisio", pieces(GOOD)))
    with pytest.raises(UsageError, match="empty"):
        received(uploads, "new", b"")
    with pytest.raises(TooLargeError, match="an upload"):
        received(uploads, "new", GOOD + b"x")
    assert files(tmp_path) == []
    (tmp_path / "pictures").write_bytes(bytes(10**5 - 10))
    with pytest.raises(TooLargeError, match="the data folder"):
        received(uploads, "new")
    assert files(tmp_path) == ["pictures"]


def test_a_client_that_leaves_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield GOOD[:100]
        raise ConnectionError

    uploads = Judged(ServiceSettings(tmp_path), accepted)
    for _ in range(10):  # and none of them counts as one that waits
        with pytest.raises(ConnectionError):
            asyncio.run(uploads.receive("new", None, broken()))
    assert files(tmp_path) == []


def test_only_so_many_wait(tmp_path: Path) -> None:
    uploads = Judged(ServiceSettings(tmp_path), accepted)  # not started
    for number in range(4):
        received(uploads, f"net{number}")
    with pytest.raises(UploadBusyError):
        received(uploads, "net9")
    assert not [f for f in files(tmp_path) if "net9" in f]
    with pytest.raises(TakenError, match="being looked at"):
        received(uploads, "NET1")


# -- admitting -----------------------------------------------------------------------------------


def test_a_network_is_admitted_whole_and_with_its_checksum(tmp_path: Path) -> None:
    setting = ServiceSettings(tmp_path)
    uploads = Judged(setting, accepted)
    uploads.start()
    upload = received(uploads, "my.net-1_b")
    assert upload.state == "queued" and upload.sha256 == checksum(GOOD)
    assert upload.to_json()["url"] == f"/api/uploads/{upload.id}"
    assert ended(uploads, upload).state == "ready"
    uploads.stop()
    folder = tmp_path / "models" / "my.net-1_b"
    assert files(folder) == ["about.json", "my.net-1_b.onnx"]
    assert (folder / "my.net-1_b.onnx").read_bytes() == GOOD
    about = json.loads((folder / "about.json").read_text())
    assert about["sha256"] == checksum(GOOD) and about["preprocess"] == "unit"
    assert files(tmp_path / "quarantine") == [f"{upload.id}/upload.json"]
    with pytest.raises(TakenError):
        received(uploads, "MY.net-1_b")
    networks = Networks(setting)
    assert networks.names() == ["my.net-1_b"]
    assert networks.get("my.net-1_b").name == "my.net-1_b"


def test_a_refused_file_is_gone_and_its_reason_tells_no_path(tmp_path: Path) -> None:
    def judge(upload: Upload) -> dict[str, Any]:
        path = (tmp_path / "quarantine" / upload.id / "model").resolve()
        raise KerasvizError(f"{path}: no")

    uploads = Judged(ServiceSettings(tmp_path), judge)
    uploads.start()
    found = ended(uploads, received(uploads, "net"))
    uploads.stop()
    assert (found.state, found.error) == ("refused", "model: no")
    assert files(tmp_path) == [f"quarantine/{found.id}/upload.json"]


def test_of_two_with_one_name_one_is_admitted(tmp_path: Path) -> None:
    uploads = Judged(ServiceSettings(tmp_path), accepted)
    first = received(uploads, "net")
    (tmp_path / "models" / "Net").mkdir(parents=True)  # meanwhile, in another way
    uploads.start()
    found = ended(uploads, first)
    uploads.stop()
    assert found.state == "refused" and "by now" in str(found.error)


def test_after_a_kill_every_upload_ends_once(tmp_path: Path) -> None:
    setting = ServiceSettings(tmp_path)
    killed = Judged(setting, accepted)
    waiting = received(killed, "waiting")
    checked = received(killed, "checked")
    made = received(killed, "made")
    killed._admit(made, accepted(made))  # killed before its state was written
    state = tmp_path / "quarantine" / checked.id / "upload.json"
    state.write_text(state.read_text().replace('"queued"', '"checking"'))
    partly = tmp_path / "quarantine" / "0123456789abcdef"
    partly.mkdir()
    (partly / "model").write_bytes(GOOD[:50])
    judged = []

    def judge(upload: Upload) -> dict[str, Any]:
        judged.append(upload.name)
        return accepted(upload)

    again = Judged(setting, judge)
    again.start()
    assert {ended(again, u).state for u in (waiting, checked, made)} == {"ready"}
    again.stop()
    assert sorted(judged) == ["checked", "waiting"]
    assert not partly.exists()
    assert sorted(p.name for p in (tmp_path / "models").iterdir()) == ["checked", "made", "waiting"]


def test_only_the_latest_that_ended_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kerasviz.service.uploads.uploads._KEPT", 2)
    uploads = Judged(ServiceSettings(tmp_path), accepted)
    uploads.start()
    made = [ended(uploads, received(uploads, f"net{number}")) for number in range(4)]
    uploads.stop()
    assert [uploads.find(u.id) is not None for u in made] == [False, False, True, True]
    assert len(list((tmp_path / "quarantine").iterdir())) == 2


# -- the process ---------------------------------------------------------------------------------


def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    uploads = Uploads(ServiceSettings(tmp_path), list, Budget(seconds=0.3))
    uploads.start()
    found = ended(uploads, received(uploads, "net"))
    uploads.stop()
    assert found.state == "refused" and "too long" in str(found.error)


def test_to_stop_kills_the_process_and_the_next_start_looks_again(tmp_path: Path) -> None:
    setting = ServiceSettings(tmp_path)
    uploads = Uploads(setting, list)
    uploads.start()
    upload = received(uploads, "net")
    while uploads._inspection.process is None:
        time.sleep(0.01)
    process = uploads._inspection.process
    uploads.stop()
    assert process.wait() == -signal.SIGKILL
    again = Judged(setting, accepted)
    again.start()
    assert ended(again, upload).state == "ready"
    again.stop()


def test_the_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERASVIZ_TOKEN", "secret")
    assert "secret" not in environment_in(tmp_path).values()


def test_the_limits_hold_in_the_process(tmp_path: Path) -> None:
    code = """
import sys, threading
from kerasviz.service.uploads.sandbox_process import Budget, _limit
_limit(Budget(memory_bytes=2**28, cpu_seconds=1, unpacked_bytes=10**6))
if sys.argv[1] == "memory":
    try:
        bytearray(2**29)
    except MemoryError:
        print("refused")
elif sys.argv[1] == "file":
    try:
        open(sys.argv[2], "wb", buffering=0).write(bytes(10**7))
        open(sys.argv[2], "ab", buffering=0).write(bytes(10**7))
    except OSError:
        print("refused")
else:
    while True:
        pass
"""

    def run(what: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-c", code, what, str(tmp_path / "file")]
        return subprocess.run(command, capture_output=True, timeout=60)

    assert run("memory").stdout == b"refused\n"
    assert run("file").stdout == b"refused\n"
    assert (tmp_path / "file").stat().st_size == 10**6
    assert run("time").returncode in (-signal.SIGXCPU, -signal.SIGKILL)


def test_the_process_ends_with_the_one_that_asked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kerasviz.service.uploads.sandbox_process", "{}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode in (1, 3)  # the order is none, or the end of its input came first


@pytest.mark.slow
def test_networks_are_looked_at_in_a_process_of_their_own(tmp_path: Path) -> None:
    """Good files are admitted; one that needs memory without end is refused."""
    budget = Budget(memory_bytes=2**30)
    uploads = Uploads(ServiceSettings(tmp_path), list, budget)
    uploads.start()
    keras = received(uploads, "small", good_keras(tmp_path))
    huge = received(uploads, "huge", onnx_bytes(huge=2**33))
    found = [ended(uploads, upload) for upload in (keras, huge)]
    assert threading.active_count() < 20
    uploads.stop()
    assert [f.state for f in found] == ["ready", "refused"], found
    networks = Networks(ServiceSettings(tmp_path))
    images = np.zeros((1, 16, 16, 3), np.float32)
    assert networks.get("small").activations(images, ["conv"])["conv"].shape[-1] == 4


@pytest.mark.slow
def test_an_upload_over_http_becomes_a_network_that_is_asked(
    served: Callable[..., Any], tmp_path: Path
) -> None:
    client = served(allow_upload=True)
    sent = client.post("/api/networks?name=plain&preprocess=unit", content=GOOD)
    assert (sent.status_code, sent.json()["state"]) == (202, "queued")
    latest = time.monotonic() + 300
    while (found := client.get(sent.headers["location"]).json())["state"] != "ready":
        assert found["state"] in ("queued", "checking") and time.monotonic() < latest, found
        time.sleep(0.1)
    assert found["sha256"] == checksum(GOOD)
    assert "plain" in {network["name"] for network in client.get("/api/networks").json()}
    body = {"signature_name": "activations", "instances": np.zeros((2, 16, 16, 3)).tolist()}
    answer = client.post("/v1/models/plain:predict", json=body)
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 2
    assert client.get("/api/networks/plain").json()["format"] == "onnx"
    again = client.post("/api/networks?name=plain&preprocess=unit", content=GOOD)
    assert again.status_code == 409
