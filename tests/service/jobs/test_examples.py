"""Searches of folders: as the command finds, resumed, cancelled, with other pictures in between."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.service_fixtures import state_of, work

from kerasviz.examples import ExampleIndex, find_examples
from kerasviz.io.images import encode, to_image
from kerasviz.service.jobs.picture_queue import Queue
from kerasviz.service.jobs.worker import RenderWorker
from kerasviz.service.settings import Limits

Served = Callable[..., TestClient]
FOLDER = "0123456789abcdef"
COUNT = 20


def images() -> dict[str, bytes]:
    """Twenty images of two classes, red and blue ones."""
    found = {}
    for k in range(COUNT):
        noise = np.random.default_rng(k).random((20, 24, 3))
        kind = ("blue", "red")[k % 2]
        noise[..., 0 if kind == "red" else 2] += 0.5
        found[f"{kind}/{k}.png"] = encode(to_image(np.clip(noise, 0, 1)), "png")
    return found


def send(client: TestClient, folder: str = FOLDER) -> None:
    for name, data in images().items():
        answer = client.post(f"/api/folders/{folder}/images", params={"name": name}, content=data)
        assert answer.status_code == 201, answer.text


def ask(client: TestClient, folder: str = FOLDER) -> Any:
    return client.post("/api/networks/small/examples", json={"folder": folder, "name": "mine"})


def test_a_search_finds_what_the_command_finds(served: Served, tmp_path: Path) -> None:
    client = served()
    nothing = client.get("/api/networks/small/examples").json()
    assert nothing == {"images": 0, "classes": [], "layers": [], "job": None}
    send(client)
    bad = client.post(f"/api/folders/{FOLDER}/images?name=blue/x.png", content=b"no picture")
    assert bad.status_code == 422 and "blue/x.png: no picture that can be read" in bad.text
    asked = ask(client)
    assert asked.status_code == 202, asked.text
    assert client.get("/api/networks/small/examples").json()["job"] == asked.json()["id"]
    work(client)
    job = client.get(asked.json()["url"]).json()
    assert job["state"] == "done", job["error"]
    assert job["examples"]["images"] == COUNT and job["examples"]["classes"] == 2
    found = client.get("/api/networks/small/examples").json()
    assert found["classes"] == ["blue", "red"] and found["images"] == COUNT and not found["job"]
    state = state_of(client)
    net = state.networks.get("small")
    for name, data in images().items():
        place = tmp_path / "same" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    find_examples(net, "relu", tmp_path / "same", out=tmp_path / "out", batch=16, progress=False)
    ours = ExampleIndex(state.setting.examples_of("small"))
    theirs = ExampleIndex(tmp_path / "out")
    for name in ("maximum", "selectivity", "class_mean", "neighbours"):
        np.testing.assert_allclose(ours.array("relu", name), theirs.array("relu", name), rtol=1e-5)
    # Walls are sorted by it, units have examples, and the images are gone.
    wall = client.get("/api/networks/small/wall?layer=relu&sort=peak").json()
    peaks = theirs.array("relu", "maximum")
    assert wall["units"] == list(np.argsort(-peaks, kind="stable")) and wall["data"]
    assert wall["classes"] == ["blue", "red"] and not wall["wants"]
    unit = client.get("/api/networks/small/unit?layer=relu&unit=1").json()
    assert {row["bucket"] for row in unit["examples"]} >= {"top", "bottom"}
    assert client.get(unit["examples"][0]["url"]).status_code == 200
    assert not list(state.setting.folders.iterdir())
    assert [p.name for p in state.setting.examples_of("small").parent.iterdir()] == ["small"]
    again = ask(client)
    assert again.status_code == 422 and "send its images first" in again.json()["error"]


def test_other_pictures_are_made_in_between_and_a_stop_loses_nothing(served: Served) -> None:
    client = served()
    send(client)
    search = ask(client).json()
    body = {"network": "small", "targets": ["relu:1"], "steps": 2, "size": 24}
    picture = client.post("/api/renders", json=body).json()
    state = state_of(client)
    worker = RenderWorker(state.setting, Queue(state.database, "w"), state.networks)
    reports: list[tuple[int, str]] = []
    report = worker.queue.report

    def stopping(places: Any, step: int, score: Any, *, shown: bool) -> None:
        report(places, step, score, shown=shown)
        if score is None and step > COUNT:  # what units see was looked at before
            reports.append((step, client.get(picture["url"]).json()["state"]))
            if len(reports) == 2:  # after the last batch of images: the crops are to be written
                worker.stop()
                worker._latest = 0.0

    worker.queue.report = stopping  # type: ignore[method-assign]
    assert worker.step()
    assert reports == [(COUNT + 16, "done"), (2 * COUNT, "done")]
    made = client.get(picture["url"]).json()["pictures"][0]
    small = client.get(f"{made['url']}&small=1")
    assert small.headers["content-type"] == "image/webp" and "immutable" in str(small.headers)
    image = Image.open(io.BytesIO(small.content))
    assert image.format == "WEBP" and image.size == (24, 24)
    assert client.get(search["url"]).json()["state"] == "accepted", "it waits for the next start"
    assert list(state.setting.folders.iterdir())
    work(client)
    assert client.get(search["url"]).json()["state"] == "done"


def test_a_cancelled_search_leaves_nothing(served: Served) -> None:
    client = served()
    send(client)
    search = ask(client).json()
    state = state_of(client)
    worker = RenderWorker(state.setting, Queue(state.database, "w"), state.networks)
    report = worker.queue.report

    def cancelling(*words: Any, **more: Any) -> None:
        report(*words, **more)
        client.delete(search["url"])

    worker.queue.report = cancelling  # type: ignore[method-assign]
    worker.step()
    assert client.get(search["url"]).json()["state"] == "cancelled"
    assert not list(state.setting.folders.iterdir())
    assert not list(state.setting.examples_of("small").parent.iterdir())


def test_folders_are_limited_and_swept(served: Served) -> None:
    client = served(limits=Limits(folder_images=2))
    data = images()["red/1.png"]

    def post(folder: str, name: str) -> Any:
        return client.post(f"/api/folders/{folder}/images", params={"name": name}, content=data)

    assert post(FOLDER, "../../a.png").json() == {"id": FOLDER, "images": 1}
    assert post(FOLDER, "cat/old/b.png").json()["images"] == 2
    assert post(FOLDER, "a.png").json()["images"] == 2, "it is there already"
    for folder, name, line in (
        (FOLDER, "c.png", "more than 2 images"),
        ("no-id", "b.png", "give 16 hex digits"),
    ):
        refused = post(folder, name)
        assert refused.status_code == 422 and line in refused.json()["error"]
    state = state_of(client)
    root = state.setting.folders / FOLDER
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.png"))
    assert files == ["a.png", "cat/old_b.png"]
    state.folders.sweep(set())
    assert root.is_dir(), "it is young"
    os.utime(root, (0, 0))
    state.folders.sweep({FOLDER})
    assert root.is_dir(), "a job searches it"
    state.folders.sweep(set())
    assert not list(state.setting.folders.iterdir())


@pytest.mark.parametrize("classes", [0, 1])
def test_without_subfolders_classes_are_those_that_the_network_sees(
    served: Served, classes: int
) -> None:
    from kerasviz.service.jobs.examples import classes_in

    client = served()
    state = state_of(client)
    net = state.networks.get("small")
    folder = state.setting.folders / FOLDER
    for k in range(classes):
        (folder / f"class{k}").mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    assert classes_in(net, folder) == "predicted"
    for k in range(2):
        (folder / f"other{k}").mkdir()
    assert classes_in(net, folder) == "given"
