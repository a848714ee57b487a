"""A small network as a file, so that workers can load it, and services on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kerasviz.network.input_spec import preset
from kerasviz.service import Limits, ServiceSettings
from kerasviz.zoo.model_source import ModelSource

READING = ModelSource(input_spec=preset("unit"))
CLI_ARGS = ("--preprocess", "unit")


def state_of(client: Any) -> Any:
    """The parts of the service of a client."""
    return client.app.state.service


def work(client: Any) -> None:
    """Do what a worker does, in this process."""
    from kerasviz.service.jobs.picture_queue import Queue
    from kerasviz.service.jobs.worker import RenderWorker

    state = state_of(client)
    worker = RenderWorker(state.setting, Queue(state.database, "w"), state.networks)
    while worker.step():
        pass


def send_photos(client: Any, *images: Any) -> list[str]:
    """Send photos [H, W, 3] in [0, 1], and return their ids."""
    from kerasviz.io.images import encode, to_image

    sent = [
        client.post(
            "/api/photos", params={"name": f"{k}.png"}, content=encode(to_image(image), "png")
        )
        for k, image in enumerate(images)
    ]
    return [str(answer.json()["id"]) for answer in sent]


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``small.keras``: conv, relu, pool, logits (4) and prob, of images of any size."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Conv2D(6, 3, strides=2, name="conv"),
            layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, name="logits"),
            layers.Softmax(name="prob"),
        ]
    )
    path = tmp_path_factory.mktemp("models") / "small.keras"
    model.save(path)
    return path


@pytest.fixture
def setting(small_model: Path, tmp_path: Path) -> Callable[..., ServiceSettings]:
    """A setting on the small network with no workers, and what is changed in it."""

    def make(**changes: object) -> ServiceSettings:
        usual: dict[str, object] = {
            "data": tmp_path / "data",
            "models": (str(small_model),),
            "workers": 0,
            "reading": READING,
            "cli_args": CLI_ARGS,
            "limits": Limits(),
        }
        return ServiceSettings(**{**usual, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def served(setting: Callable[..., ServiceSettings]) -> Iterator[Callable[..., object]]:
    """Start a service and give its client: ``served(workers=1).get("/healthz")``."""
    from contextlib import ExitStack

    from fastapi.testclient import TestClient

    from kerasviz.service.api.app import create_app

    with ExitStack() as stack:

        def start(**changes: object) -> TestClient:
            app = create_app(setting(**changes))
            client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
            started: TestClient = stack.enter_context(client)
            app.state.service.loading.wait(60)
            return started

        yield start
