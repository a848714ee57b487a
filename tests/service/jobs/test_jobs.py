from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import Jobs, PictureRequest, QueueFullError
from kerasviz.service.jobs.picture_queue import CLOCK, DEATHS, Queue


class Clock:
    """A clock that goes on by one second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "jobs.sqlite")


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, queued=20, clock=Clock())


def asked(key: str, batchable: str = "a", rows: int = 1, batch: int = 2) -> PictureRequest:
    return PictureRequest(
        key, f"relu:{key}", "{}", batchable, rows, batch, steps=64, cost=float(rows)
    )


def put(jobs: Jobs, name: str, keys: Sequence[str], client: str = "me", **about: Any) -> bool:
    return jobs.accept(name, "net", client, {"targets": keys}, [asked(k, **about) for k in keys])


def made(row: int = 0, file: str = "a.png") -> list[dict[str, Any]]:
    return [{"row": row, "file": file, "sha256": "0" * 64, "score": 1.5}]


def state(jobs: Jobs, name: str) -> str:
    job = jobs.get(name)
    assert job is not None
    return job.state


def work(queue: Queue, most: int = 100) -> list[list[str]]:
    """Finish all that waits; returns the keys of every batch."""
    batches = []
    while (claim := queue.claim()) is not None and len(batches) < most:
        batches.append([p.key for p in claim.pictures])
        for picture in claim.pictures:
            assert queue.finish(picture.picture_id, made())
    return batches


def test_a_job_goes_from_accepted_over_running_to_done_once(jobs: Jobs, database: Database) -> None:
    assert put(jobs, "j", ["1", "2", "3"])
    queue = Queue(database, "w", Clock())
    assert state(jobs, "j") == "accepted"
    first = queue.claim()
    assert first is not None and [p.key for p in first.pictures] == ["1", "2"]
    assert (first.network, first.batch) == ("net", 2)
    queue.report([p.picture_id for p in first.pictures], 16, 0.5, shown=True)
    job = jobs.get("j")
    assert job is not None and (job.state, job.step, job.steps) == ("running", 32, 192)
    assert [p.preview for p in job.pictures] == [16, 16, 0]
    assert queue.finish(first.pictures[0].picture_id, made())
    assert not queue.finish(first.pictures[0].picture_id, made()), "it is finished only once"
    assert queue.finish(first.pictures[1].picture_id, made())
    assert work(queue) == [["3"]]
    job = jobs.get("j")
    assert job is not None and (job.state, job.ends, job.step) == ("done", 1, 192)
    assert job.pictures[0].made[0]["file"] == "a.png" and job.ended is not None


def test_the_same_request_is_one_job_and_a_picture_of_several_jobs_is_made_once(
    jobs: Jobs, database: Database
) -> None:
    assert put(jobs, "j", ["1", "2"])
    assert not put(jobs, "j", ["1", "2"], client="other")
    assert put(jobs, "k", ["2", "3"], client="other")
    batches = work(Queue(database, "w"))
    assert sorted(key for batch in batches for key in batch) == ["1", "2", "3"]
    assert state(jobs, "j") == state(jobs, "k") == "done"
    assert not put(jobs, "j", ["1", "2"])
    assert put(jobs, "l", ["3", "1"]), "a new job, all of whose pictures are there"
    assert state(jobs, "l") == "done"
    assert jobs.counts() == {"jobs": {"done": 3}, "pictures": {"done": 3}}


def test_a_done_job_whose_file_is_gone_is_made_again(jobs: Jobs, database: Database) -> None:
    put(jobs, "j", ["1", "2"])
    work(Queue(database, "w"))
    gone: Callable[[dict[str, Any]], bool] = lambda entry: False  # noqa: E731
    assert jobs.accept("j", "net", "me", {}, [asked("1"), asked("2")], gone)
    assert work(Queue(database, "w")) == [["1", "2"]]
    job = jobs.get("j")
    assert job is not None and (job.state, job.ends) == ("done", 2)


def test_clients_are_served_in_turn_and_share_batches(jobs: Jobs, database: Database) -> None:
    put(jobs, "many", [f"m{k}" for k in range(6)], client="many")
    put(jobs, "few", ["f0"], client="few")
    put(jobs, "odd", ["o0"], client="odd", batchable="b")
    batches = work(Queue(database, "w"))
    assert batches[0] == ["m0", "f0"], "another client's picture of the same kind joins"
    assert batches[1] == ["o0"], "who was served least comes next"
    assert [key for batch in batches[2:] for key in batch] == [f"m{k}" for k in range(1, 6)]


def test_nobody_saves_up_turns_while_away(jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w")
    put(jobs, "a", [f"a{k}" for k in range(8)], client="busy", batch=1)
    for _ in range(6):
        claim = queue.claim()
        assert claim is not None
        queue.finish(claim.pictures[0].picture_id, made())
    put(jobs, "b", [f"b{k}" for k in range(4)], client="late", batch=1)
    order = [key[0] for batch in work(queue) for key in batch]
    assert order[:3].count("a") >= 1, "it does not come six times in a row"
    assert sorted(order) == list("aabbbb")


def test_rows_that_are_optimized_together_fill_the_batch(jobs: Jobs, database: Database) -> None:
    put(jobs, "d", ["1", "2"], rows=4, batch=4)
    assert work(Queue(database, "w")) == [["1"], ["2"]]


def test_a_full_queue_refuses_and_leaves_room_for_others(jobs: Jobs, database: Database) -> None:
    put(jobs, "a", [str(k) for k in range(15)])
    with pytest.raises(QueueFullError, match="queue is full") as refused:
        put(jobs, "b", ["15"])
    assert refused.value.retry_after >= 1
    assert put(jobs, "c", [f"c{k}" for k in range(5)], client="other")
    with pytest.raises(QueueFullError):
        put(jobs, "e", ["e"], client="third")
    assert jobs.get("b") is None, "what is refused leaves nothing"
    work(Queue(database, "w"))
    assert put(jobs, "b", ["15"])


def test_cancelling_takes_what_nobody_else_wants(jobs: Jobs, database: Database) -> None:
    put(jobs, "j", ["1", "2", "3"])
    put(jobs, "k", ["3"], client="other")
    queue = Queue(database, "w")
    claim = queue.claim()
    assert claim is not None
    places = [p.picture_id for p in claim.pictures]
    assert queue.wanted(places)
    assert jobs.cancel("j") and not jobs.cancel("j")
    assert state(jobs, "j") == "cancelled"
    wanted = [p.key == "3" for p in claim.pictures]
    assert queue.wanted(places) is any(wanted)
    queue.give_back()
    assert [key for batch in work(queue) for key in batch] == ["3"]
    assert state(jobs, "k") == "done"
    job = jobs.get("j")
    assert job is not None and (job.state, job.ends) == ("cancelled", 1)
    assert put(jobs, "j", ["1", "2", "3"]), "it can be asked for again"
    assert sorted(key for batch in work(queue) for key in batch) == ["1", "2"]
    assert state(jobs, "j") == "done"


def test_a_worker_whose_work_was_given_to_another_changes_nothing(
    jobs: Jobs, database: Database
) -> None:
    put(jobs, "j", ["1"])
    lost, other = Queue(database, "lost"), Queue(database, "other")
    claim = lost.claim()
    assert claim is not None and other.claim() is None
    place = claim.pictures[0].picture_id
    assert other.give_back_all() == 1
    assert state(jobs, "j") == "accepted"
    again = other.claim()
    assert again is not None and again.pictures[0].picture_id == place
    lost.report([place], 32, 1.0, shown=False)
    assert not lost.finish(place, made()) and not lost.fail(place, "no") and lost.give_back() == 0
    assert not lost.wanted([place])
    job = jobs.get("j")
    assert job is not None and job.step == 0
    assert other.finish(place, made()) and state(jobs, "j") == "done"


def test_a_picture_of_which_workers_die_is_given_up_and_tried_alone_before(
    jobs: Jobs, database: Database
) -> None:
    put(jobs, "bad", ["1"])
    put(jobs, "good", ["2"], client="other")
    batches = []
    for k in range(DEATHS + 1):
        queue = Queue(database, f"w{k}")
        claim = queue.claim()
        assert claim is not None
        batches.append([p.key for p in claim.pictures])
        if "1" in batches[-1]:
            queue.give_back(died=True)
        else:
            queue.finish(claim.pictures[0].picture_id, made())
    work(Queue(database, "last"))
    assert len(batches[0]) == 2 and all(len(batch) == 1 for batch in batches[1:])
    assert state(jobs, "good") == "done"
    job = jobs.get("bad")
    assert job is not None and job.state == "failed" and "workers" in str(job.error)


def test_a_failed_picture_fails_its_job_when_the_others_are_finished(
    jobs: Jobs, database: Database
) -> None:
    put(jobs, "j", ["1", "2"], batch=1)
    queue = Queue(database, "w")
    claim = queue.claim()
    assert claim is not None and queue.fail(claim.pictures[0].picture_id, "not finite")
    assert state(jobs, "j") == "running"
    work(queue)
    job = jobs.get("j")
    assert job is not None and (job.state, job.error, job.ends) == ("failed", "not finite", 1)
    assert put(jobs, "j", ["1", "2"], batch=1), "a failed job can be asked for again"
    assert work(queue) == [["1"]]


def test_jobs_are_listed_newest_first_and_by_state(jobs: Jobs, database: Database) -> None:
    for name in ("a", "b", "c"):
        put(jobs, name, [name])
    jobs.cancel("b")
    assert [job.id for job in jobs.list()] == ["c", "b", "a"]
    assert [job.id for job in jobs.list(state="accepted", limit=1)] == ["c"]
    assert [job.position for job in jobs.list(state="accepted")] == [1, 0]


def test_all_is_there_after_the_file_is_opened_again(jobs: Jobs, database: Database) -> None:
    put(jobs, "j", ["1"])
    Queue(database, "w").claim()
    database.close()
    again = Database(database.path)
    assert Queue(again, "x").give_back_all() == 1
    assert work(Queue(again, "x")) == [["1"]]
    assert state(Jobs(again), "j") == "done"


@pytest.fixture
def few_jobs(database: Database) -> Jobs:
    """Jobs of which two are kept after they ended."""
    return Jobs(database, clock=Clock(), kept=2)


def names(database: Database, table: str, column: str) -> set[Any]:
    return {row[0] for row in database.connection.execute(f"SELECT {column} FROM {table}")}


def test_the_jobs_that_ended_last_are_kept(few_jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", few_jobs.clock)
    for name in ("a", "b", "c"):
        put(few_jobs, name, [name], client=name)
        work(queue)
    assert {job.id for job in few_jobs.list()} == {"a", "b", "c"}, "seen to at the next request"
    put(few_jobs, "d", ["d"])
    assert [job.id for job in few_jobs.list()] == ["d", "c", "b"]
    assert names(database, "pictures", "key") == {"b", "c", "d"}
    assert few_jobs.get("a") is None


def test_what_has_not_ended_is_kept_with_all_that_it_wants(
    few_jobs: Jobs, database: Database
) -> None:
    queue = Queue(database, "w", few_jobs.clock)
    put(few_jobs, "first", ["1"])
    work(queue)
    put(few_jobs, "waits", ["1", "2"])
    for name in ("b", "c", "d"):
        put(few_jobs, name, [name])
        assert few_jobs.cancel(name)
    put(few_jobs, "last", ["3"])
    assert {job.id for job in few_jobs.list()} == {"c", "d", "last", "waits"}
    assert names(database, "pictures", "key") == {"1", "2", "3", "c", "d"}
    work(queue)
    found = few_jobs.get("waits")
    assert found is not None and (found.state, len(found.pictures)) == ("done", 2)


def test_a_picture_that_is_being_made_for_nobody_ends_well(
    few_jobs: Jobs, database: Database
) -> None:
    queue = Queue(database, "w", few_jobs.clock)
    put(few_jobs, "a", ["1"])
    claim = queue.claim()
    assert claim is not None and few_jobs.cancel("a")
    for name in ("b", "c", "d", "e"):
        put(few_jobs, name, [name])
        few_jobs.cancel(name)
    assert few_jobs.get("a") is None
    assert queue.finish(claim.pictures[0].picture_id, made())
    put(few_jobs, "again", ["1"])
    found = few_jobs.get("again")
    assert found is not None and found.state == "done"


def test_a_forgotten_job_is_new_when_it_is_asked_for_again(
    few_jobs: Jobs, database: Database
) -> None:
    queue = Queue(database, "w", few_jobs.clock)
    assert put(few_jobs, "a", ["a"])
    work(queue)
    assert not put(few_jobs, "a", ["a"])
    for name in ("b", "c", "d"):
        put(few_jobs, name, [name])
        work(queue)
    assert put(few_jobs, "a", ["a"])
    assert work(queue) == [["a"]]
    found = few_jobs.get("a")
    assert found is not None and (found.state, found.ends) == ("done", 1)


def test_clients_without_jobs_are_forgotten(few_jobs: Jobs, database: Database) -> None:
    queue = Queue(database, "w", few_jobs.clock)
    for k in range(5):
        put(few_jobs, f"a{k}", [f"a{k}"], client="often")
        put(few_jobs, f"b{k}", [f"b{k}"], client=f"once {k}")
        work(queue)
    put(few_jobs, "z", ["z"], client="often")
    assert names(database, "clients", "name") == {CLOCK, "often", "once 4"}
