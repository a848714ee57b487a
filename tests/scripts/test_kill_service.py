"""A service is killed at random moments: every job that was accepted ends once, all is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.slow
def test_every_accepted_job_ends_once_whatever_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import kill_service

    seen = kill_service.run(tmp_path, rounds=len(kill_service.KINDS), seed=1, workers=1)
    assert seen.wrong == []
    assert set(seen.kills) == set(kill_service.KINDS)
    assert seen.accepted and seen.files
    table = capsys.readouterr().out
    assert f"{len(seen.files)} same" in table
