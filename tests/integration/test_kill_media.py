"""A process that makes sounds, signals or sequences of tokens is killed: all goes on as before."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.fork_server import ForkServer

from kerasviz.io.files import checksum
from kerasviz.io.sounds import read_sound
from kerasviz.rendering.manifest import MANIFEST, read_manifest

KILLS = 3
#: The options for each kind of network, and the files beside a picture.
MEDIA = {
    "sound": (("--rate", 8000), (".wav",)),
    "signal": (("--range", "-1,1", "--rate", 50), (".npy", ".csv")),
    "tokens": (("--tokens", 4), (".json", ".txt")),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = ForkServer()
    yield started
    started.close()


def save_network(folder: Path, medium: str) -> None:
    """A small network of a kind, as ``small.keras``."""
    from keras import Sequential, layers, utils

    utils.set_random_seed(0)
    first = {
        "sound": [layers.Input((400, 1)), layers.Conv1D(8, 32, strides=4, name="units")],
        "signal": [layers.Input((120, 3)), layers.Conv1D(8, 9, name="units")],
        "tokens": [
            layers.Input((4,), dtype="int32"),
            layers.Embedding(30, 6),
            layers.Conv1D(8, 2, activation="tanh", name="units"),
        ],
    }[medium]
    Sequential([*first, layers.GlobalAveragePooling1D(name="pool")]).save(folder / "small.keras")


def finished(folder: Path, suffixes: Sequence[str]) -> dict[str, bytes]:
    """The files of the pictures in the manifest, with those beside them; each of them is whole."""
    if not (folder / MANIFEST).exists():
        return {}
    manifest = read_manifest(folder)
    recorded = {entry["file"]: entry["sha256"] for entry in manifest["pictures"]}
    recorded |= {entry["file"]: entry["sha256"] for entry in manifest["copied"]}
    found = {}
    for name, sha256 in recorded.items():
        found[name] = (folder / name).read_bytes()
        assert checksum(found[name]) == sha256, name
        if name.endswith(".wav"):
            assert len(read_sound(folder / name).samples) == 400
    for entry in manifest["pictures"]:
        assert {Path(entry["file"]).with_suffix(s).name for s in suffixes} <= set(recorded)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("medium", MEDIA)
def test_a_killed_run_goes_on_to_the_same_files(
    tmp_path: Path, server: ForkServer, medium: str
) -> None:
    options, suffixes = MEDIA[medium]
    save_network(tmp_path, medium)
    output = tmp_path / "output.txt"
    units = [f"units:{unit}" for unit in range(8)]

    def run(name: str, until: int | None = None) -> int:
        """Run to the end, or kill when there are more pictures than ``until``."""
        words = ["render", "small.keras", *units, *options, "--steps", 32, "--batch", 1]
        process = server.start([*words, "--out", name], tmp_path, output)
        latest = time.monotonic() + 60
        while until is not None and time.monotonic() < latest:
            if len(list((tmp_path / name).glob("*.png"))) > until:
                os.kill(process, signal.SIGKILL)
                break
            time.sleep(0.002)
        return server.wait()

    assert run("whole") == 0, output.read_text()
    whole = finished(tmp_path / "whole", suffixes)
    assert len(whole) == 8 * (1 + len(suffixes))
    draw, before = random.Random(1), dict[str, bytes]()
    for kill in range(KILLS):
        code = run("killed", until=len(before) // (1 + len(suffixes)) + draw.randint(0, kill))
        assert code == -signal.SIGKILL, output.read_text()
        after = finished(tmp_path / "killed", suffixes)
        assert {name: after.get(name) for name in before} == before  # none is lost or made again
        before = after
    assert run("killed") == 0, output.read_text()
    assert finished(tmp_path / "killed", suffixes) == whole
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {*whole, MANIFEST, "index.html"}
    server.start(["verify", "killed"], tmp_path, output)
    assert server.wait() == 0, output.read_text()
    assert ", " not in output.read_text().splitlines()[-1]  # all are the same
