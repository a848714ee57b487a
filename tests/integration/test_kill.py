"""A process that makes figures is killed at random moments: what is there is whole, and goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.fork_server import ForkServer

from kerasviz.io.files import checksum
from kerasviz.io.images import decode
from kerasviz.rendering.manifest import JOURNAL, MANIFEST, read_manifest

KILLS = 6
SLUGS = (
    "hero",
    "activation-spectrum",
    "steepest-descent",
    "regularization-spectrum",
)


@pytest.fixture
def server() -> Iterator[ForkServer]:
    started = ForkServer()
    yield started
    started.close()


def arguments(folder: Path) -> list[object]:
    """The command that is killed; its network and photo lie beside the folder."""
    settings = ("--preprocess", "unit", "--recipe", "fast", "--steps", 32, "--size", 32)
    files = ("--model", "small.keras", "--photos", "photo.png", "--out", folder.name)
    return ["figures", *SLUGS, *files, *settings]


def prepare(folder: Path) -> None:
    """A network of one layer, so that nearly all of the time goes into steps, and a photo."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Conv2D(64, 3, strides=2, activation="tanh", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, name="logits"),
            layers.Softmax(name="prob"),
        ]
    )
    model.save(folder / "small.keras")
    Image.effect_mandelbrot((40, 40), (-2, -1, 1, 1), 60).convert("RGB").save(folder / "photo.png")


def finished(folder: Path) -> dict[str, tuple[str, int]]:
    """The files in the manifest with their checksums and times; each of them is whole."""
    if not (folder / "pictures" / MANIFEST).exists():
        return {}
    manifest = read_manifest(folder / "pictures")
    found = {}
    for entry in [*manifest["pictures"], *manifest["computed"]]:
        file = folder / "pictures" / entry["file"]
        assert checksum(file.read_bytes()) == entry["sha256"], file
        assert entry["environment"] in manifest["environments"]
        found[entry["file"]] = (entry["sha256"], file.stat().st_mtime_ns)
    return found


class _Ends(HTMLParser):
    ended = False

    def handle_endtag(self, tag: str) -> None:
        self.ended = self.ended or tag == "html"


def assert_whole(folder: Path) -> None:
    """No file is cut off, whatever it is; temporary files have names that say so."""
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_dir() or path.name.startswith(".kerasviz-"):
            continue
        if path.suffix == ".png":
            decode(path.read_bytes())[0].load()
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.name == JOURNAL:  # its last line may be cut off
            for line in path.read_bytes().split(b"\n")[:-1]:
                json.loads(line)
        elif path.suffix == ".html":
            parser = _Ends()
            parser.feed(path.read_text(encoding="utf-8"))
            assert parser.ended, path
        else:
            raise AssertionError(path)


def contents(folder: Path) -> dict[str, Any]:
    """All files of a set; the manifest as data in which the order of the pictures is no matter."""
    found: dict[str, Any] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        found[name] = path.read_bytes()
        if path.name == "manifest.json":
            manifest = json.loads(found[name])
            for key in ("pictures", "computed"):
                manifest[key] = sorted(manifest[key], key=lambda entry: str(entry["file"]))
            found[name] = manifest
    return found


def saved(folder: Path) -> list[int]:
    """When the manifest and its journal were written, 0 where there is none."""
    paths = [folder / "pictures" / name for name in (MANIFEST, JOURNAL)]
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]


@pytest.mark.slow
def test_a_killed_run_loses_at_most_its_batch_and_goes_on_to_the_same_bytes(
    tmp_path: Path, server: ForkServer
) -> None:
    prepare(tmp_path)
    output = tmp_path / "output.txt"

    def run(folder: Path, until: float | None = None, *, after_save: bool = False) -> int:
        """Run to the end, or kill after a time, with ``after_save`` from the next batch on."""
        before = saved(folder)
        process = server.start(arguments(folder), tmp_path, output)
        if until is not None:
            latest = time.monotonic() + 2 * seconds
            while after_save and saved(folder) == before and time.monotonic() < latest:
                time.sleep(0.01)
            time.sleep(until)
            os.kill(process, signal.SIGKILL)
        return server.wait()

    seconds = 0.0

    began = time.monotonic()
    assert run(tmp_path / "whole") == 0, output.read_text()
    seconds = time.monotonic() - began
    whole = contents(tmp_path / "whole")

    draw, kills, sets, lost = random.Random(0), 0, 0, 0
    while kills < KILLS:
        folder = tmp_path / f"killed{sets}"
        before = finished(folder)
        if kills % 2:  # on a busy machine the others all come before the first batch
            code = run(folder, until=draw.uniform(0, 0.03) * seconds, after_save=True)
        else:  # the first one long before the first batch
            code = run(folder, until=draw.uniform(0.1, 0.55) * seconds if kills else 0.02)
        if code == 0:  # it was faster
            assert contents(folder) == whole
            sets += 1
            continue
        assert code == -signal.SIGKILL, output.read_text()
        kills += 1
        assert_whole(folder)
        after = finished(folder)
        assert {name: after.get(name) for name in before} == before  # none is rendered again
        lost += after == before
    folder = tmp_path / f"killed{sets}"
    before = finished(folder)
    assert run(folder) == 0, output.read_text()
    assert {name: finished(folder)[name] for name in before} == before
    assert contents(folder) == whole  # and with that no temporary file is left
    process = server.start(["verify", folder.name], tmp_path, output)
    assert process and server.wait() == 0
    assert ", " not in output.read_text().splitlines()[-1]  # all are the same
    assert 0 < lost < KILLS  # some kills came before a batch was finished, some after
