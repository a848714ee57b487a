"""Optimized pictures beside examples: the best of each unit, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.flat_pictures import fill_store

from kerasviz.errors import UsageError
from kerasviz.examples import Question, make_examples, verify_examples
from kerasviz.examples.datasets import open_source
from kerasviz.examples.folder import read_manifest
from kerasviz.examples.unit_pictures import SIDE, best_pictures, pictures_folder
from kerasviz.optvis.recipes import recipe


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two units, of one by two recipes, and some that show no unit's channel."""
    folder, net = tmp_path_factory.mktemp("pictures"), tiny.network()
    chosen = recipe("fast").replace(steps=2, size=(16, 24))
    shown = ("joined:2", "joined:3", "joined:4@center", "-joined:5", "logit:1")
    fill_store(folder, net, shown, chosen)
    fill_store(folder, net, ("joined:2",), chosen.replace(steps=4))
    return folder


@pytest.fixture(scope="module")
def question(photos: Path) -> Question:
    source = open_source(str(photos))
    return Question(tiny.network(), ("joined",), source, (19, 22), count=2, limit=6)


def test_the_best_picture_of_each_unit_is_taken(pictures: Path) -> None:
    net = tiny.network()
    best = best_pictures(net, pictures)
    assert sorted(best) == [("joined", 2), ("joined", 3)]
    assert best["joined", 2].step == 4 and best["joined", 3].step == 2


def test_pictures_come_to_examples_that_are_there_already(
    question: Question, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "examples"
    make_examples(question, folder)
    bare = (folder / "index.html").read_text(encoding="utf-8")
    assert "kerasviz render tiny &#39;joined:*&#39;" in bare and "-optimized" not in bare
    assert not make_examples(question, folder, pictures=pictures).made  # nothing is searched
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count('class="picture own"') == 2 and page.count('class="none soft"') == 7
    units = read_manifest(folder)["taps"][0]["units"]
    assert [k for k, unit in enumerate(units) if "optimized" in unit] == [2, 3]
    assert len(verify_examples(folder)) == 2 * 9 + 2 + 1
    assert {check.result for check in verify_examples(folder)} == {"same"}
    with Image.open(folder / units[2]["optimized"]["file"]) as copy:
        found = np.asarray(copy.convert("RGB"), np.float64)
    with Image.open(pictures / best_pictures(question.net, pictures)["joined", 2].file) as whole:
        wanted = np.asarray(whole.convert("RGB"), np.float64)
    assert found.shape == wanted.shape and max(found.shape) <= SIDE
    assert np.abs(found - wanted).mean() < 40  # noise as JPEG
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    make_examples(question, folder, pictures=pictures)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    make_examples(question, tmp_path / "at once", pictures=pictures)
    assert (tmp_path / "at once" / "index.html").read_text(encoding="utf-8") == page


def test_where_pictures_are_looked_for(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = tiny.network()
    monkeypatch.chdir(tmp_path)
    assert pictures_folder(net, None) is None
    shutil.copytree(pictures, tmp_path / "out" / "tiny")
    assert pictures_folder(net, None) == Path("out/tiny")
    assert pictures_folder(tiny.network(seed=1), None) is None  # of another network
    shutil.copytree(pictures, tmp_path / "atlas" / "pictures")
    assert pictures_folder(net, Path("atlas")) == Path("atlas/pictures")
    with pytest.raises(UsageError, match=r"'atlas' holds pictures of another network than tiny; "):
        pictures_folder(tiny.network(seed=1), Path("atlas"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="'none' holds no pictures; name a folder that"):
        pictures_folder(net, Path("none"))
