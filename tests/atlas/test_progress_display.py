from __future__ import annotations

import pytest

from kerasviz.atlas.engines import Done, Failed, Lost, Task, TaskAbandoned
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.progress_display import WINDOW, Pace, atlas_progress, progress_text

TASKS = [Task("a", ""), Task("b", "")]


def progress() -> RunProgress:
    return RunProgress({"a": 1000, "b": 500})


def done(task: Task, state: str, pictures: int) -> Done:
    return Done("1", task, {"state": state, "pictures": pictures, "bytes": 10 * pictures}, 1.0)


def test_a_tally_counts_what_happens() -> None:
    counted = progress()
    counted.add(done(TASKS[0], "made", 1000), 2)
    counted.add(done(TASKS[1], "busy", 0), 2)
    counted.add(Failed("1", TASKS[1], "OSError: no", "", 1.0), 2)
    counted.add(Lost("2", TASKS[1], "killed"), 1)
    counted.add(TaskAbandoned(TASKS[1], "killed"), 1)
    assert (counted.finished, counted.pictures, counted.made, counted.size) == (
        1000,
        1500,
        1000,
        10_000,
    )
    assert counted.abandoned == {"b": "killed"}
    assert progress_text(counted, 62.7) == (
        "1,000 of 1,500 pictures, 63 a minute, 1 worker, 2 failures (1 OSError: no, 1 killed)"
    )
    counted.update_done(["a", "b", "of another atlas"])
    assert counted.finished == 1500


def test_words_before_during_and_after() -> None:
    counted = progress()
    assert progress_text(counted, None) == "0 of 1,500 pictures, workers start"
    counted.alive = 2
    assert progress_text(counted, 3.14) == "0 of 1,500 pictures, 3.1 a minute, 2 workers"
    counted.elsewhere = True
    assert progress_text(counted, 3.14) == "0 of 1,500 pictures, other runs are at the rest"
    counted.stage = "writing the site"
    assert progress_text(counted, 3.14) == "writing the site"


def test_the_pace_is_that_of_the_last_minutes() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace(0) is None
    now[0] = 30
    assert pace(10) == pytest.approx(20)
    for minute in range(1, 30):
        now[0] = 60 * minute
        found = pace(10 + 100 * minute)
    assert found == pytest.approx(100, rel=0.01)
    now[0] += 2 * WINDOW
    assert pace(2910) is None or pace(2910) < 50  # type: ignore[operator]


def test_progress_is_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kerasviz.io.terminal.INTERVAL", -1)
    with atlas_progress() as watch:
        counted = progress()
        counted.update_done(["b"])
        watch(counted)
        counted.add(done(TASKS[0], "made", 1000), 1)
        watch(counted)
        counted.stage = "writing the site"
        watch(counted)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "  0% 500 of 1,500 pictures, workers start"
    assert second.startswith("100% writing the site")
