"""Whole runs with real workers, and what can go wrong, each by causing it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.atlas_shell import (
    PICTURES,
    SETTINGS,
    TASKS,
    contents,
    ended,
    logs,
    pictures,
    placeless,
    rendered,
    run,
    start,
    until,
    workers_of,
)
from support.wire import Wire

from kerasviz.io.storage import Storage, StorageRefusedError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas that one worker has made without a stop."""
    out = tmp_path_factory.mktemp("atlas") / "out"
    said, _ = run("atlas", model_file, *SETTINGS, "--out", out, "--workers", 1)
    assert said == f"rendered {PICTURES} pictures\nopen {out}/index.html\n"
    assert len(pictures(out)) == PICTURES
    assert set(rendered(logs(out)).values()) == {1}
    return out


@pytest.fixture
def again(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


def test_the_pictures_can_be_made_again(finished: Path) -> None:
    said, _ = ended(start("verify", finished))  # with as many threads as a command has
    count = PICTURES + len(
        json.loads((finished / "pictures" / "manifest.json").read_bytes())["copied"]
    )
    assert said == f"{count} files: {count} same\n"


def test_nothing_is_rendered_twice(finished: Path, again: Path, model_file: Path) -> None:
    said, _ = run("atlas", model_file, *SETTINGS, "--out", again, "--workers", 1)
    assert said.startswith(f"nothing to do: {PICTURES} pictures are complete\n")
    assert contents(again) == contents(finished)
    assert sum(rendered(logs(again)).values()) == TASKS


def test_a_killed_run_is_gone_on_with_by_two_at_once(
    finished: Path, model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("atlas", model_file, *SETTINGS, "--out", out, "--workers", 1)
    first = start(*command)
    shards = out / "shards"
    until(lambda: shards.is_dir() and any(shards.glob("*.jsonl")), first)
    own = workers_of(first.pid)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    psutil.wait_procs(own)  # they end by themselves
    done = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.jsonl")}
    shutil.rmtree(out / "runs", ignore_errors=True)
    assert 0 < len(done) < TASKS
    others = [start(*command), start(*command)]
    said = [ended(process)[0] for process in others]
    assert all(text.endswith(f"open {out}/index.html\n") for text in said)
    assert contents(out) == contents(finished)
    # Each of the others was rendered once, by one of the two, and what was there was not.
    counts = rendered(logs(out))
    assert set(counts.values()) == {1}
    assert not {f"{task}.jsonl" for task in counts} & {*done}
    assert len(counts) + len(done) == TASKS
    assert done == {name: (shards / name).stat().st_mtime_ns for name in done}
    assert not any((out / "claims").iterdir())


def test_ctrl_c_is_one_line(model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("atlas", model_file, *SETTINGS, "--out", out, "--workers", 1)
    until(lambda: (out / "shards").is_dir() and any((out / "shards").iterdir()), process)
    process.send_signal(signal.SIGINT)
    said, err = ended(process, code=130)
    *_, line = err.splitlines()
    assert re.fullmatch(
        r"kerasviz: stopped; \d+ finished pictures are kept, the same command continues from there",
        line,
    )
    assert not said and "Traceback" not in err
    (log,) = logs(out)
    assert json.loads(log.splitlines()[-1])["event"] == "ended"


def test_damaged_and_missing_files_are_found_and_made_again(
    finished: Path, again: Path, model_file: Path
) -> None:
    """By a worker that is killed meanwhile, and the one in its place."""
    lines = {path: path.read_text().splitlines() for path in (again / "shards").iterdir()}
    one, two, three, *_ = sorted(lines, key=lambda path: path.name)
    files = [
        again / "pictures" / json.loads(lines[shard][-1])["picture"]["file"] for shard in (one, two)
    ]
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 0x10
    files[0].write_bytes(data)
    files[1].unlink()
    three.write_bytes(three.read_bytes()[:-30])
    before = rendered(logs(again))
    with ThreadPoolExecutor() as pool:
        killing = pool.submit(kill_first_worker)
        said, err = run("atlas", model_file, *SETTINGS, "--out", again, "--workers", 1)
        killing.result()
    assert "on the way: 1 failure (1 killed by signal 9 (SIGKILL))\n" in err
    assert "made again: 3 files were missing or damaged\n" in err
    assert said.startswith("rendered ")
    assert contents(again) == contents(finished)
    assert rendered(logs(again)) - before == {path.stem: 1 for path in (one, two, three)}


def kill_first_worker() -> None:
    """Kill the worker of a run in this process as soon as there is one."""
    latest = time.monotonic() + 60
    while not (found := workers_of(os.getpid())):
        assert time.monotonic() < latest
        time.sleep(0.01)
    found[0].kill()


@pytest.mark.usefixtures("ray_there")
def test_ray_makes_the_same(finished: Path, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("atlas", model_file, *SETTINGS, "--out", out, "--engine", "ray", "--workers", 1)
    said, _ = run(*command)
    assert said == f"rendered {PICTURES} pictures\nopen {out}/index.html\n"
    assert contents(out) == contents(finished)


# -- a full disk -------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 80 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", str(disk)])
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    finished: Path, model_file: Path, small_disk: Path
) -> None:
    out = small_disk / "out"
    command = ("atlas", model_file, *SETTINGS, "--out", out, "--workers", 1)
    _, err = run(*command, code=1)
    *_, line = err.splitlines()
    assert line.startswith("kerasviz: error: cannot write ")
    assert "No space left on device" in line
    assert line.endswith("kept, the same command continues from there")
    assert "Traceback" not in err
    done = {path.name for path in (out / "shards").glob("*.jsonl")}
    assert done
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    run(*command)
    assert placeless(contents(out)) == placeless(contents(finished))
    assert not {f"{task}.jsonl" for task in rendered(logs(out)[1:])} & done


# -- an object store ---------------------------------------------------------------------------


@contextmanager
def server(log: Path, *words: str) -> Iterator[int]:
    """The port of a server of this machine, started by words of which one is ``PORT``."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *(word.replace("PORT", str(port)) for word in words)]
    with log.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
        yield port
        process.kill()


@pytest.fixture
def s3_server(tmp_path: Path) -> Iterator[int]:
    """The port of a server of Amazon's protocol."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with server(tmp_path / "log", "moto.server", "-H", "127.0.0.1", "-p", "PORT") as port:
        yield port


@pytest.fixture
def google_server(tmp_path: Path) -> Iterator[int]:
    """The port of a server of Google's protocol."""
    pytest.importorskip("gcp_storage_emulator")
    pytest.importorskip("gcsfs")
    words = ("start", "--host=127.0.0.1", "--port=PORT", "--in-memory")
    with server(tmp_path / "log", "gcp_storage_emulator", *words) as port:
        yield port


def holds_the_same(bucket: Storage, finished: Path) -> None:
    """A bucket has what a folder has."""
    theirs = contents(finished)
    assert placeless(dict(bucket.read_many(sorted(theirs)))) == placeless(theirs)


def test_a_bucket_holds_the_same_though_its_network_was_lost(
    finished: Path,
    model_file: Path,
    s3_server: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_server}")
    direct = Storage("s3://atlas/small", patience=0)
    direct._fs.mkdir("atlas")
    assert direct.write_new("probe", b"one")
    with monkeypatch.context() as patch:  # as where another run writes it in between
        patch.setattr(direct, "exists", lambda path: False)
        assert not direct.write_new("probe", b"two")
    assert direct.read("probe") == b"one"
    wire = Wire(s3_server)
    command = ("atlas", model_file, *SETTINGS, "--out", direct.url, "--workers", 1)
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}",
        "AWS_MAX_ATTEMPTS": "1",  # the waiting is ours
        "KERASVIZ_CACHE": str(tmp_path / "cache"),
    }
    process = start(*command, **variables)
    until(lambda: direct.names("shards"), process)
    wire.cut()
    time.sleep(3)
    assert process.poll() is None
    assert len(direct.names("shards")) < TASKS
    wire.mend()
    said, err = ended(process)
    assert said == f"rendered {PICTURES} pictures\nopen s3://atlas/small/index.html\n", err
    holds_the_same(direct, finished)
    # Another run finds it all, even where nothing is kept on its machine.
    said, _ = run(*command, **{**variables, "KERASVIZ_CACHE": str(tmp_path / "other")})
    assert said.startswith(f"nothing to do: {PICTURES} pictures")
    said, _ = run("verify", direct.url, "--model", model_file, "--sample", 3)
    assert "same" in said and "unchanged" in said


def test_a_bucket_of_google_holds_the_same(
    finished: Path,
    model_file: Path,
    google_server: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{google_server}")
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    direct = Storage("gs://atlas/small", patience=0)
    direct._fs.mkdir("atlas")
    assert (direct.read("probe"), direct.exists("probe"), direct.names("")) == (None, False, set())
    assert direct.write_new("probe", b"one")
    with monkeypatch.context() as patch:  # as where another run writes it in between
        patch.setattr(direct, "exists", lambda path: False)
        direct.write_new("probe", b"two")  # of two at once both may be told so: see write_new
    direct.remove("probe")
    direct.remove("probe")
    assert not direct.exists("probe")
    with pytest.raises(StorageRefusedError, match="cannot write 'gs://elsewhere/atlas/a'"):
        Storage("gs://elsewhere/atlas", patience=0).write("a", b"one")

    command = ("atlas", model_file, *SETTINGS, "--out", direct.url, "--workers", 1)
    said, err = ended(start(*command))  # pytest keeps what is logged in this process
    assert said == f"rendered {PICTURES} pictures\nopen gs://atlas/small/index.html\n", err
    assert "gcsfs" not in err and "credentials" not in err
    holds_the_same(direct, finished)
    said, _ = run(*command)
    assert said.startswith(f"nothing to do: {PICTURES} pictures")
    said, _ = run("verify", direct.url, "--model", model_file, "--sample", 3)
    assert "same" in said and "unchanged" in said
