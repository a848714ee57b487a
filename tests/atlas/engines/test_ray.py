"""What only Ray has: clusters that grow and shrink, and addresses where none is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.engine_jobs import job, task

from kerasviz.atlas.engines import Engine, Joined, Lost, ray_engine
from kerasviz.errors import KerasvizError, UsageError

PATIENCE = 120.0
SMALL: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


def until(engine: Engine, what: Callable[[list[Any]], bool]) -> list[Any]:
    latest, found = time.monotonic() + PATIENCE, []
    while not what(found):
        assert time.monotonic() < latest, found
        found += engine.poll(0.5)
    return found


@pytest.fixture
def cluster(ray_there: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of one machine with one CPU, to which others can be added; all are here."""
    from ray.cluster_utils import Cluster

    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    monkeypatch.setenv("PYTHONPATH", path)  # as if all were installed on them
    made = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
    yield made
    for machine in [*made.worker_nodes, made.head_node]:
        made.remove_node(machine, allow_graceful=False)  # gracefully takes half a minute
    made.shutdown()


@pytest.mark.slow
def test_machines_that_join_are_used_and_those_that_leave_lost(
    cluster: Any, ray_there: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["kerasviz.atlas.engines.ray"], "COUNT_INTERVAL", 0.2)
    engine = ray_engine(address=cluster.address)
    try:
        engine.start(job())
        until(engine, lambda found: engine.alive == 1)
        machine = cluster.add_node(**SMALL)
        until(engine, lambda found: engine.alive == 2)
        second = engine.idle[-1]
        hangs = task("hangs", "sleep", seconds=600)
        engine.submit(second, hangs)
        cluster.remove_node(machine, allow_graceful=False)
        found = until(engine, lambda found: any(isinstance(e, Lost) for e in found))
        (lost,) = (e for e in found if isinstance(e, Lost))
        assert lost.worker == second and lost.task == hangs and lost.replaced
        assert "\n" not in lost.reason
        assert engine.alive == 1, "the other one works on"
        cluster.add_node(**SMALL)
        found = until(engine, lambda found: engine.alive == 2)
        assert any(isinstance(e, Joined) for e in found)
    finally:
        engine.stop()
    assert not ray_there.is_initialized()


def test_an_address_where_nothing_is_is_one_line(ray_there: Any) -> None:
    with pytest.raises(KerasvizError, match=r"no Ray at '127\.0\.0\.1:1': ConnectionRefused"):
        ray_engine(address="127.0.0.1:1").start(job())


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'kerasviz\[ray\]'"):
        ray_engine()
