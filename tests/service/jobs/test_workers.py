"""Workers as processes: they render, are replaced when they die, and end with the service."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kerasviz.rendering.verify import verify_pictures
from kerasviz.service import ServiceSettings
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import Jobs
from kerasviz.service.networks import load

PATIENCE = 300.0
MAIN = "from kerasviz.cli import main; main()"
ASK = {"network": "small", "size": 24, "steps": 32}


def until(what: Callable[[], Any]) -> Any:
    """Wait for something to be true."""
    latest = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < latest, "it did not come about"
        time.sleep(0.05)
    return found


def ends(client: TestClient, address: str) -> dict[str, Any]:
    def ended() -> Any:
        job = client.get(address).json()
        return job if job["state"] in ("done", "failed", "cancelled") else None

    found: dict[str, Any] = until(ended)
    return found


@pytest.mark.slow
def test_a_worker_renders_and_one_that_is_killed_is_replaced(
    served: Callable[..., TestClient], setting: Callable[..., ServiceSettings]
) -> None:
    client = served(workers=1)
    workers = client.app.state.service.workers  # type: ignore[attr-defined]
    assert client.get("/readyz").status_code == 503
    until(lambda: client.get("/readyz").status_code == 200)
    first = client.post("/api/renders", json={**ASK, "targets": ["relu:1"]}).json()
    assert ends(client, first["url"])["state"] == "done"
    # This one is killed while it renders.
    long = {**ASK, "targets": ["relu:2"], "steps": 4096}
    job = client.post("/api/renders", json=long).json()
    until(lambda: client.get(job["url"]).json()["step"])
    (pid,) = workers.pids
    os.kill(pid, signal.SIGKILL)
    until(lambda: workers.alive and workers.pids != [pid])
    assert workers.deaths == 1
    found = until(lambda: (j := client.get(job["url"]).json())["step"] and j)
    assert found["state"] == "running"
    # And this one is cancelled by its user.
    assert client.delete(job["url"]).json()["state"] == "cancelled"
    last = client.post("/api/renders", json={**ASK, "targets": ["relu:3"]}).json()
    assert ends(client, last["url"])["state"] == "done"
    client.__exit__(None, None, None)
    assert workers.pids == []
    folder = setting().pictures / "small"
    net = load(replace(setting().reading, path=setting().models[0]))
    results, _ = verify_pictures(folder, net)
    assert sorted(r.file for r in results) == ["relu-1.png", "relu-3.png"]
    assert {r.result for r in results} == {"same"}
    assert not [path for path in folder.iterdir() if path.name.startswith(".kerasviz")]


@contextlib.contextmanager
def server(setting: ServiceSettings, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``kerasviz serve`` in a process of its own, with its address."""
    words = ["serve", *setting.models, "--preprocess", "unit", "--port", "0"]
    command = [sys.executable, "-c", MAIN, *words, "--data", str(setting.data), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("serving at http://"), line
        yield process, line.split()[2]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_a_stopped_service_ends_well_and_keeps_what_it_could_not_finish(
    setting: Callable[..., ServiceSettings],
) -> None:
    """What a killed one does is tested by ``test_kill_service``."""
    import httpx2 as httpx

    own = setting()
    accepted = []
    with server(own, "--workers", "1") as (process, address):
        for k in range(6):
            steps = 4000 if k == 5 else 32
            asked = {**ASK, "targets": [f"relu:{k}"], "steps": steps}
            found = httpx.post(f"{address}/api/renders", json=asked, headers={"X-Client": f"c{k}"})
            assert found.status_code == 202
            accepted.append(found.json()["id"])
        jobs = Jobs(Database(own.database))
        until(lambda: jobs.counts()["jobs"].get("done", 0) >= 5)
        process.send_signal(signal.SIGTERM)  # the long one is running or waits
        assert process.wait(PATIENCE) == 0
    found_last = jobs.get(accepted[-1])
    assert found_last is not None and found_last.state in ("accepted", "done")
    for name in accepted[:5]:
        job = jobs.get(name)
        assert job is not None and (job.state, job.ends) == ("done", 1)
    results, _ = verify_pictures(
        own.pictures / "small", load(replace(own.reading, path=own.models[0]))
    )
    assert {r.result for r in results} == {"same"} and len(results) >= 5
