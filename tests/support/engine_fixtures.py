"""Engines with real workers: processes, and actors of one Ray for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kerasviz.atlas.engines import Engine, local_engine, ray_engine

MakeEngine = Callable[[int], Engine]


@pytest.fixture(scope="module")
def own_ray(ray_there: Any) -> Iterator[Any]:
    """A Ray that is not of the engines, with workers that find the tests' own modules."""
    path = str(Path(__file__).parents[1])
    ray_there.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    yield ray_there
    assert ray_there.is_initialized(), "an engine shut down a Ray that it had not started"
    ray_there.shutdown()


@pytest.fixture(scope="module", params=["local", "ray"])
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    """Either engine, by its number of workers."""
    if request.param == "local":
        return lambda workers: local_engine(workers, gpus=())
    request.getfixturevalue("own_ray")
    return lambda workers: ray_engine(workers=workers)
