from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import tiny

from kerasviz.errors import ModelError
from kerasviz.io.images import decode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.targets import path_of
from kerasviz.optvis.optimization.run import CHUNK
from kerasviz.rendering import render as rendering
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures
from kerasviz.service import Limits, ServiceSettings
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import Jobs, RenderJob
from kerasviz.service.jobs.picture_queue import Queue
from kerasviz.service.jobs.requests import RenderOptions, asked_of, job_name, requests_of
from kerasviz.service.jobs.worker import RenderWorker, preview_path
from kerasviz.service.networks import Networks

STEPS, SIZE = 3 * CHUNK, (13, 17)


class Room:
    """A data folder with the network tiny, its jobs, and a worker in this process."""

    def __init__(self, folder: Path, net: Network):
        self.setting = ServiceSettings(folder, models=("tiny",), batch=2, grace=0.0)
        for path in (self.setting.pictures, self.setting.previews):
            path.mkdir()
        self.net = net
        self.database = Database(self.setting.database)
        self.jobs = Jobs(self.database)
        self.networks = Networks(self.setting)
        self.networks._served["tiny"].net = net
        self.worker = self.another("w")

    def another(self, claimant: str) -> RenderWorker:
        return RenderWorker(self.setting, Queue(self.database, claimant), self.networks)

    def requests(self, targets: Sequence[str], **words: Any) -> list[Request]:
        usual = {"steps": STEPS, "size": SIZE, **words}
        options = RenderOptions(tuple(targets), **usual)
        return requests_of(self.net, options, Limits(), 2, path_of)

    def ask(self, *targets: str, client: str = "me", **words: Any) -> str:
        asked = [asked_of(self.net, request) for request in self.requests(targets, **words)]
        name = job_name("tiny", asked)
        self.jobs.accept(name, "tiny", client, {}, asked)
        return name

    def job(self, name: str) -> RenderJob:
        found = self.jobs.get(name)
        assert found is not None
        return found

    def work(self) -> int:
        batches = 0
        while self.worker.step():
            batches += 1
        return batches

    def bytes_of(self, name: str) -> dict[str, bytes]:
        folder = self.setting.pictures / "tiny"
        made = [entry for picture in self.job(name).pictures for entry in picture.made]
        return {entry["file"]: (folder / entry["file"]).read_bytes() for entry in made}


@pytest.fixture(scope="module")
def net() -> Network:
    return tiny.network()  # one, so that every loop is compiled once


@pytest.fixture
def room(tmp_path: Path, net: Network) -> Room:
    return Room(tmp_path, net)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The targets of every batch that is rendered."""
    batches: list[list[str]] = []
    original = rendering.render_batch

    def noting(net: Any, plan: Any, *others: Any) -> Any:
        batches.append([request.text for request in plan.requests])
        return original(net, plan, *others)

    monkeypatch.setattr(rendering, "render_batch", noting)
    return batches


def test_a_job_is_rendered_to_the_bytes_of_the_store(room: Room, tmp_path: Path) -> None:
    name = room.ask("joined:1", "joined:1 + 0.5*left:2", "joined:2")
    assert room.work() == 2  # two structures
    job = room.job(name)
    assert (job.state, job.step, job.ends) == ("done", 3 * STEPS, 1)
    other = Store(tmp_path / "other", room.net)
    render_into(other, room.requests(["joined:1", "joined:1 + 0.5*left:2", "joined:2"]))
    found = room.bytes_of(name)
    assert len(found) == 3
    for file, data in found.items():
        assert data == (tmp_path / "other" / file).read_bytes(), file
    assert list(room.setting.previews.iterdir()) == []
    results, notes = verify_pictures(room.setting.pictures / "tiny", room.net)
    assert [r.result for r in results] == ["same"] * 3 and not notes


def test_users_share_batches_and_the_picture_does_not_depend_on_it(
    room: Room, tmp_path: Path, seen: list[list[str]]
) -> None:
    together = [room.ask("joined:1", client="a"), room.ask("joined:2", client="b")]
    room.work()
    assert seen == [["joined:1", "joined:2"]]
    (tmp_path / "alone").mkdir()
    alone = Room(tmp_path / "alone", room.net)
    name = alone.ask("joined:2")
    alone.work()
    assert seen[1:] == [["joined:2"]]
    assert alone.bytes_of(name) == room.bytes_of(together[1])


def test_diversity_is_optimized_together_and_has_a_row_for_each(room: Room) -> None:
    name = room.ask("joined:1", kind="diversity")
    room.work()
    (picture,) = room.job(name).pictures
    assert [made["row"] for made in picture.made] == [0, 1, 2, 3]
    images = [decode(data)[0].tobytes() for data in room.bytes_of(name).values()]
    assert len(set(images)) == 4


def test_balanced_sums_are_those_of_the_store_whatever_they_wait_with(
    room: Room, tmp_path: Path, net: Network
) -> None:
    targets = ["joined:1 + 0.5*left:2", "joined:2 - left:1", "joined:1"]
    alone = room.ask(targets[0], balance=True)
    room.work()
    name = room.ask(*targets, balance=True)
    room.work()
    other = Store(tmp_path / "other", net)
    render_into(other, room.requests(targets, balance=True))
    found = room.bytes_of(name)
    assert len(found) == 3 and room.bytes_of(alone).items() <= found.items()
    for file, data in found.items():
        assert data == (tmp_path / "other" / file).read_bytes(), file
    (first,), (second,), (single,) = (p.made for p in room.job(name).pictures)
    assert list(first["term_scores"]) == list(first["alone"]) == ["joined:1", "left:2"]
    assert second["alone"].keys() == {"joined:2", "left:1"}
    assert "alone" not in single and "term_scores" not in single


def test_a_sum_with_a_dead_term_fails_alone(room: Room) -> None:
    words = {"recipe": "lucid", "balance": True}  # after the ReLUs
    name = room.ask("left:1 + relu1:3@2,2", "left:1 + relu1:4@2,2", **words)
    room.work()
    dead, fine = room.job(name).pictures
    assert dead.state == "failed" and "relu1:3@2,2 reaches 0 alone" in (dead.error or "")
    assert fine.state == "done"


def test_progress_and_intermediate_pictures_are_seen_while_it_runs(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = room.ask("joined:1", "joined:2")
    told: list[tuple[int, int, int]] = []
    original = Queue.report

    def noting(queue: Queue, places: Any, step: int, score: float, *, shown: bool) -> None:
        original(queue, places, step, score, shown=shown)
        job = room.job(name)
        images = [preview_path(room.setting.previews, p.picture_id, 0) for p in job.pictures]
        whole = [decode(path.read_bytes())[0].size for path in images if path.exists()]
        assert whole in ([], [SIZE[::-1]] * 2)
        told.append((job.step, job.pictures[1].preview, len(whole)))

    monkeypatch.setattr(Queue, "report", noting)
    room.work()
    assert [step for step, _, _ in told] == [2 * CHUNK, 4 * CHUNK, 6 * CHUNK]
    assert told[0][1:] == (CHUNK, 2), "the first chunk is shown at once"


def test_a_cancelled_job_stops_within_a_chunk(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    name = room.ask("joined:1", steps=100 * CHUNK)
    original = Queue.report
    steps = []

    def cancelling(queue: Queue, places: Any, step: int, score: float, *, shown: bool) -> None:
        original(queue, places, step, score, shown=shown)
        steps.append(step)
        room.jobs.cancel(name)

    monkeypatch.setattr(Queue, "report", cancelling)
    assert room.work() == 1
    assert steps == [CHUNK]
    assert room.job(name).state == "cancelled"
    assert room.jobs.counts()["pictures"] == {"cancelled": 1}
    assert list(room.setting.previews.iterdir()) == []


def test_what_was_saved_before_a_crash_is_not_rendered_again(
    room: Room, monkeypatch: pytest.MonkeyPatch, seen: list[list[str]]
) -> None:
    name = room.ask("joined:1", "joined:2")

    def killed(*_: Any) -> None:
        raise SystemExit(1)

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "finish", killed)
        with pytest.raises(SystemExit):
            room.worker.step()
    assert room.job(name).state == "running"
    Queue(room.database, "next").give_back_all()
    room.worker = room.another("next")
    room.work()
    assert room.job(name).state == "done" and len(room.bytes_of(name)) == 2
    assert len(seen) == 1


def test_pictures_that_a_store_has_already_need_no_rendering(
    room: Room, seen: list[list[str]]
) -> None:
    store = Store(room.setting.pictures / "tiny", room.net)
    render_into(store, room.requests(["joined:1"]))
    seen.clear()
    name = room.ask("joined:1")
    room.work()
    assert room.job(name).state == "done" and seen == []


def test_a_service_that_stops_gives_back_what_takes_longer(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = room.ask("joined:1")
    original = Queue.report

    def stopping(queue: Queue, places: Any, step: int, score: float, *, shown: bool) -> None:
        original(queue, places, step, score, shown=shown)
        room.worker.stop()

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "report", stopping)
        room.worker.run()
    job = room.job(name)
    assert (job.state, job.step) == ("accepted", 0)
    room.worker = room.another("next")
    room.work()
    assert room.job(name).state == "done"


def test_one_that_fails_does_not_take_the_others_of_its_batch_along(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = room.ask("joined:1", client="a"), room.ask("joined:2", client="b")
    original = rendering.render_batch

    def failing(net: Any, plan: Any, *others: Any) -> Any:
        assert plan.batch == 2
        if any(request.text == "joined:2" for request in plan.requests):
            raise ModelError("the score is not finite")
        return original(net, plan, *others)

    monkeypatch.setattr(rendering, "render_batch", failing)
    room.work()
    assert room.job(good).state == "done"
    job = room.job(bad)
    assert (job.state, job.error) == ("failed", "the score is not finite")


def test_a_file_that_was_replaced_fails_what_was_asked_of_the_old_one(room: Room) -> None:
    name = room.ask("joined:1")
    room.networks._served["tiny"].net = tiny.network(seed=1)
    room.work()
    job = room.job(name)
    assert job.state == "failed" and "another network" in str(job.error)


def test_an_unknown_network_fails_its_jobs(room: Room) -> None:
    asked = [asked_of(room.net, r) for r in room.requests(["joined:1"])]
    room.jobs.accept("j", "gone", "me", {}, asked)
    room.work()
    assert room.job("j").state == "failed"


def test_the_only_network_is_loaded_before_there_is_work(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(room.networks, "get", asked.append)
    room.worker.prepare()
    assert asked == ["tiny"]
    monkeypatch.setattr(room.networks, "names", lambda: ["tiny", "another"])
    room.worker.prepare()
    assert asked == ["tiny"], "of several, those that are asked for"

    def failing(_: str) -> Network:
        raise ModelError("damaged")

    monkeypatch.setattr(room.networks, "names", lambda: ["tiny"])
    monkeypatch.setattr(room.networks, "get", failing)
    room.worker.prepare()  # whose jobs say so


def test_an_empty_queue_is_waited_for_without_work(room: Room) -> None:
    assert not room.worker.step()
    began = time.monotonic()
    room.worker.stop()
    room.worker.run()
    assert time.monotonic() - began < 5


def test_a_job_that_was_forgotten_finds_its_pictures(room: Room, seen: list[list[str]]) -> None:
    room.jobs.kept = 1
    first = room.ask("joined:1")
    room.work()
    data = room.bytes_of(first)
    for target in ("joined:2", "joined:3"):
        room.ask(target)
        room.work()
    assert room.jobs.get(first) is None
    assert len(seen) == 3
    assert room.ask("joined:1") == first
    room.work()
    assert len(seen) == 3, "nothing is rendered again"
    assert room.job(first).state == "done" and room.bytes_of(first) == data
