from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import Jobs
from kerasviz.service.jobs.picture_queue import CLOCK, Queue
from tests.service.jobs.test_jobs import Clock, made, put, work


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "jobs.sqlite")


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, clock=Clock(), kept=2)


def names(database: Database, table: str, column: str) -> set[Any]:
    return {row[0] for row in database.connection.execute(f"SELECT {column} FROM {table}")}


def test_the_jobs_that_ended_last_are_kept(jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", jobs.clock)
    for name in ("a", "b", "c"):
        put(jobs, name, [name], client=name)
        work(queue)
    assert {job.id for job in jobs.list()} == {"a", "b", "c"}, "seen to at the next request"
    put(jobs, "d", ["d"])
    assert [job.id for job in jobs.list()] == ["d", "c", "b"]
    assert names(database, "pictures", "key") == {"b", "c", "d"}
    assert jobs.get("a") is None


def test_what_has_not_ended_is_kept_with_all_that_it_wants(jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", jobs.clock)
    put(jobs, "first", ["1"])
    work(queue)
    put(jobs, "waits", ["1", "2"])
    for name in ("b", "c", "d"):
        put(jobs, name, [name])
        assert jobs.cancel(name)
    put(jobs, "last", ["3"])
    assert {job.id for job in jobs.list()} == {"c", "d", "last", "waits"}
    assert names(database, "pictures", "key") == {"1", "2", "3", "c", "d"}
    work(queue)
    found = jobs.get("waits")
    assert found is not None and (found.state, len(found.pictures)) == ("done", 2)


def test_a_picture_that_is_being_made_for_nobody_ends_well(jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", jobs.clock)
    put(jobs, "a", ["1"])
    claim = queue.claim()
    assert claim is not None and jobs.cancel("a")
    for name in ("b", "c", "d", "e"):
        put(jobs, name, [name])
        jobs.cancel(name)
    assert jobs.get("a") is None
    assert queue.finish(claim.pictures[0].picture_id, made())
    put(jobs, "again", ["1"])
    found = jobs.get("again")
    assert found is not None and found.state == "done"


def test_a_forgotten_job_is_new_when_it_is_asked_for_again(jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", jobs.clock)
    assert put(jobs, "a", ["a"])
    work(queue)
    assert not put(jobs, "a", ["a"])
    for name in ("b", "c", "d"):
        put(jobs, name, [name])
        work(queue)
    assert put(jobs, "a", ["a"])
    assert work(queue) == [["a"]]
    found = jobs.get("a")
    assert found is not None and (found.state, found.ends) == ("done", 1)


def test_clients_without_jobs_are_forgotten(jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", jobs.clock)
    for k in range(5):
        put(jobs, f"a{k}", [f"a{k}"], client="often")
        put(jobs, f"b{k}", [f"b{k}"], client=f"once {k}")
        work(queue)
    put(jobs, "z", ["z"], client="often")
    assert names(database, "clients", "name") == {CLOCK, "often", "once 4"}
