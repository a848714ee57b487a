"""``kerasviz activation-atlas`` as a process, with real workers: killed, continued, verified."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from support import atlas_shell
from support.activation_atlases import contents, conv_file, write_photos


def kill(run: psutil.Popen) -> None:
    """Kill a run and its workers, as a machine that loses its power does."""
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    for worker in workers:
        try:
            worker.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(workers)


@pytest.mark.slow
def test_a_run_that_was_killed_is_continued(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 30)
    model = conv_file(tmp_path)
    command = ("activation-atlas", model, "first", "--preprocess", "unit", "--images", photos)
    command += ("--positions", "4", "--layout", "pca", "--grids", "3,9", "--least", "1")
    command += ("--steps", "160", "--precision", "float32", "--workers", "1", "--seed", "7")
    out, whole = tmp_path / "out", tmp_path / "whole"
    killed = atlas_shell.start(*command, "--out", out)
    shards = out / "shards"
    atlas_shell.until(lambda: shards.is_dir() and len(list(shards.iterdir())) >= 1, killed)
    kill(killed)
    assert not (out / "index.html").exists()
    before = {path: path.read_bytes() for path in shards.iterdir()}
    sampled = (out / "samples" / "activations.npy").stat()
    ended, _ = atlas_shell.run(*command, "--out", out)
    assert ended.splitlines()[-1] == f"open {out}/index.html"
    assert (out / "samples" / "activations.npy").stat() == sampled  # not sampled anew
    assert all(path.read_bytes() == data for path, data in before.items())
    made, icons = (int(n) for n in ended.split("rendered ")[1].split(" icons")[0].split(" of "))
    assert 0 < made < icons
    atlas_shell.run(*command, "--out", whole)
    found, expected = (
        {k: v for k, v in contents(folder).items() if "manifest" not in k}
        for folder in (out, whole)
    )
    assert found == expected
    verified, _ = atlas_shell.run("verify", out)
    assert "same" in verified and "differs" not in verified
    again, _ = atlas_shell.run(*command, "--out", out)
    assert f"nothing to do: {icons} icons are complete" in again
