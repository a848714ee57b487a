"""States: how far a batch is stays behind, and the batch goes on from there to the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support.tiny import network

from kerasviz.io.storage import Storage
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.run import CHUNK, LoopProgress
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import run
from kerasviz.rendering.checkpoints import EVERY, FOLDER, CheckpointWriter, LatestCheckpoint
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store

THERE = Checkpoint(16, (np.arange(3.0),), np.zeros((16, 1)), {})
STEPS = 3 * CHUNK


def progress(step: int, steps: int = 64) -> LoopProgress:
    return LoopProgress(step, steps, 0.0, None, lambda: replace(THERE, step=step))


@pytest.fixture(params=["a folder", "a storage"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> LatestCheckpoint | Storage:
    if request.param == "a folder":
        return LatestCheckpoint(tmp_path)
    return Storage(str(tmp_path), patience=0.0)


def test_a_checkpoint_is_saved_when_it_is_time_and_something_is_left(
    files: LatestCheckpoint | Storage,
) -> None:
    now = [0.0]
    state = CheckpointWriter(files, "task-here", clock=lambda: now[0])
    saved = []
    for step in range(16, 65, 16):
        now[0] += EVERY / 2
        state(progress(step))
        found = CheckpointWriter(files, "task-here").read()
        saved.append(found.step if found else 0)
    assert saved == [0, 32, 32, 32]  # after the last step there is nothing left
    state(replace(progress(48), checkpoint=None))
    assert CheckpointWriter(files, "task-elsewhere").read() is None
    state.drop()
    assert CheckpointWriter(files, "task-here").read() is None
    state.drop()


def test_saving_takes_no_more_than_a_small_part_of_the_time() -> None:
    now, saved = [0.0], []

    class Slow:
        def write(self, path: str, data: bytes) -> None:
            now[0] += 10.0
            saved.append(now[0])

    state = CheckpointWriter(cast(Storage, Slow()), "task", clock=lambda: now[0])
    for _ in range(200):
        now[0] += 20.0
        state(progress(16))
    apart = np.diff(saved)
    assert len(apart) > 5 and all(EVERY * 10.0 <= gap <= EVERY * 10.0 + 30.0 for gap in apart)


def test_files_that_cannot_be_written_do_not_stop_the_work(
    files: LatestCheckpoint | Storage, tmp_path: Path
) -> None:
    (tmp_path / FOLDER).write_text("a file in the place of the folder")
    state = CheckpointWriter(files, "task", every=0.0)
    assert state.read() is None
    state(progress(16))
    state.drop()
    assert (tmp_path / FOLDER).is_file()


def test_a_damaged_checkpoint_is_none(files: LatestCheckpoint | Storage) -> None:
    state = CheckpointWriter(files, "task", every=0.0)
    state(progress(16))
    files.write(state.path, (files.read(state.path) or b"")[:-9])
    assert state.read() is None
    state.drop()
    assert files.read(state.path) is None


def test_a_folder_keeps_the_latest_state_only(tmp_path: Path) -> None:
    one, other = (
        CheckpointWriter(LatestCheckpoint(tmp_path), name, every=0.0) for name in ("one", "other")
    )
    one(progress(16))
    other(progress(32))
    assert (one.read(), (other.read() or THERE).step) == (None, 32)
    one.drop()
    assert other.read() is not None
    (tmp_path / FOLDER / ".kerasviz-killed.part").write_bytes(b"what was being written")
    other.drop()
    assert not list(tmp_path.iterdir())  # nor an empty folder


class Killed(BaseException):
    """What no handler takes for an error."""


def requests(**settings: Any) -> list[Request]:
    chosen = recipe("article").replace(steps=STEPS, size=(12, 17))
    return [
        Request(f"joined:{u}", channel("joined", u), chosen, batch=2, snapshots=(0, CHUNK, STEPS))
        for u in range(4)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("*.png")}


def until(done: int, step: int) -> Callable[[RenderProgress], None]:
    """A progress function that ends the run in the batch after a number of pictures, at a step."""

    def report(r: RenderProgress) -> None:
        if (r.done, r.step) == (done, step):
            raise Killed

    return report


@pytest.mark.parametrize(("done", "last"), [(0, CHUNK), (2, 2 * CHUNK)])
def test_a_batch_of_a_store_goes_on_where_it_was(
    done: int, last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    monkeypatch.setattr(run, "CheckpointWriter", partial(CheckpointWriter, every=0.0))
    render_into(Store(whole, network()), requests())
    assert not (whole / FOLDER).exists()
    with pytest.raises(Killed):
        render_into(Store(parts, network()), requests(), until(done, last))
    assert len(list((parts / FOLDER).iterdir())) == 1
    assert len(contents(parts)) == 3 * done

    told: list[tuple[int, int]] = []
    made = render_into(Store(parts, network()), requests(), lambda r: told.append((r.done, r.step)))
    assert (made.made, made.kept) == (4 - done, done)
    # what was done is told at once, and not done again
    assert told[:2] == [(0, last), (0, last + CHUNK)]
    assert contents(parts) == contents(whole)
    assert not (parts / FOLDER).exists()


def test_a_state_of_other_settings_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CheckpointWriter", partial(CheckpointWriter, every=0.0))
    with pytest.raises(Killed):
        render_into(Store(tmp_path, network()), requests(), until(0, CHUNK))
    other = [replace(r, seed=1) for r in requests()]
    told: list[int] = []
    render_into(Store(tmp_path, network()), other, lambda r: told.append(r.step))
    assert told[0] == CHUNK and told.count(CHUNK) == 2
