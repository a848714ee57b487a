"""What only Ray has: clusters that grow and shrink, addresses, and a Ray of one's own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from engine_jobs import job, task

from kerasviz.engines import Done, Engine, Joined, Lost, ray_engine, run
from kerasviz.engines import ray as ray_module  # noqa: F401
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

    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
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
    monkeypatch.setattr(sys.modules["kerasviz.engines.ray"], "LOOK", 0.2)
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


@pytest.mark.slow
def test_a_ray_of_its_own_is_started_finds_the_modules_and_is_shut_down(
    ray_there: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    engine = ray_engine(workers=1, threads=2)
    tasks = [task("look", "look"), task("dies", "die")]
    with closing(run(tasks, engine, job())) as events:  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Lost):
                time.sleep(0.5)  # Ray would tell of it now
                break
            if isinstance(event, Done):
                assert event.result["environment"]["TF_NUM_INTRAOP_THREADS"] == "2"
    assert not ray_there.is_initialized()
    said = capfd.readouterr()
    assert said.out == "" and said.err == "", "Ray is quiet"


def test_an_address_where_nothing_is_is_one_line(ray_there: Any) -> None:
    with pytest.raises(KerasvizError, match=r"no Ray at '127\.0\.0\.1:1': ConnectionRefused"):
        ray_engine(address="127.0.0.1:1").start(job())


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'kerasviz\[ray\]'"):
        ray_engine()
