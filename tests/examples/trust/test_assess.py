from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.trust_fixtures import NET, OTHER

import kerasviz
from kerasviz.errors import KerasvizError, UsageError

WORDS: dict[str, Any] = {"size": (25, 31), "progress": False}


@pytest.fixture
def folder(pictures: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pictures, tmp_path / "pictures"))


def test_all_numbers_lie_beside_the_pictures(folder: Path, class_photos: Path) -> None:
    report = kerasviz.trust(folder, NET, images=class_photos, judge=OTHER, **WORDS)
    written = json.loads(report.file.read_text())["pictures"]
    assert written == report.pictures and len(written) == 8
    record = written["logit-goldfish.png"]
    assert 0 <= record["natural"]["percentile"] <= 100
    assert record["natural"]["source"]["images"] == 12
    assert record["natural"]["strongest"].split("/")[0] in ("goldfish", "castle")
    assert record["agreement"].keys() == {"tap", "cosine", "pictures", "other_targets", "photos"}
    assert record["transfer"]["judge"] == "other" and 1 <= record["transfer"]["place"] <= 5
    assert record["paths"]["kind"] == "of the class"
    assert [*record["paths"]["layers"]] == ["relu1", "joined"]
    assert record["inputs"]["layer"] == "joined" and 0 <= record["inputs"]["share"] <= 1
    assert record["spectrum"].keys() == {"slope", "photos", "spread"}
    assert written["joined-2.png"]["paths"]["kind"] == "that excite it most"
    assert report.notes[0] == "1 photos could not be read"
    assert "pictures of the opposite" in report.notes[1] and len(report.notes) == 2
    assert report.summary["transfer"]["pictures"] == 2
    assert report.summary["transfer"]["chance_top1"] == 0.2
    page = (folder / "index.html").read_text()
    for _, text in report.rows("logit-goldfish.png"):
        assert text.replace("'", "&#39;") in page
    assert str(class_photos) not in report.file.read_text()


def test_the_same_call_writes_the_same_bytes_and_others_add(
    folder: Path, class_photos: Path
) -> None:
    files = {path: path.read_bytes() for path in folder.glob("*.png")}
    manifest = (folder / "manifest.json").read_bytes()
    texts = []
    for _ in range(2):
        report = kerasviz.trust(folder, NET, images=class_photos, **WORDS)
        texts.append(report.file.read_bytes())
    assert texts[0] == texts[1]
    kerasviz.trust(folder, NET, judge=OTHER, progress=False)
    both = json.loads(report.file.read_text())["pictures"]["logit-goldfish.png"]
    assert {"natural", "transfer", "paths"} <= both.keys()
    assert files == {path: path.read_bytes() for path in folder.glob("*.png")}
    assert (folder / "manifest.json").read_bytes() == manifest
    assert kerasviz.verify(folder, NET, progress=False).same
    # A page that is written again has the numbers, but for files that have changed.
    again: dict[str, Any] = {"size": (33, 36), "steps": 3, "out": folder, "progress": False}
    kerasviz.render(NET, "joined:3", **again)
    page = folder / "index.html"
    assert page.read_text().count('class="trust small soft"') == 8
    data = json.loads(report.file.read_text())
    data["pictures"]["joined-2.png"]["sha256"] = "0" * 64
    report.file.write_text(json.dumps(data))
    kerasviz.render(NET, "joined:4", **again)
    assert page.read_text().count('class="trust small soft"') == 7


def test_agreement_alone_needs_no_photos(folder: Path) -> None:
    report = kerasviz.trust(folder, NET, tap="pooled", progress=False)
    one, two = (
        np.asarray(Image.open(folder / name), np.float32) / 255
        for name in ("joined-2.png", "joined-2-seed1.png")
    )
    a, b = NET.activations(np.stack([one, two]), ["pooled"])["pooled"].numpy()
    wanted = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    record = report.pictures["joined-2.png"]["agreement"]
    assert record["cosine"] == pytest.approx(wanted, rel=1e-4) and record["pictures"] == 2
    assert record == report.pictures["joined-2-seed1.png"]["agreement"]
    assert -1 <= record["other_targets"] <= 1


def test_a_judge_chooses_between_photos_by_pictures(folder: Path, class_photos: Path) -> None:
    words: dict[str, Any] = {"size": (33, 36), "steps": 3, "out": folder, "progress": False}
    kerasviz.render(NET, "joined:2", negative=True, **words)
    asked: dict[str, Any] = {"images": class_photos, "judge": OTHER, "judge_tap": "pooled", **WORDS}
    report = kerasviz.trust(folder, NET, **asked)
    of = {
        file: record["choices"] for file, record in report.pictures.items() if "choices" in record
    }
    assert {report.pictures[file]["target"] for file in of} == {"joined:2", "-joined:2"}
    record = of["joined-2.png"]
    assert (record["judge"], record["tap"]) == ("other", "pooled") and len(of) == 3
    assert record["pictures"] == [2, 1] and record["pairs"] == 5 and record["photos_a_side"] == 1
    assert 0 < record["probability"] < 1 and 0 < record["photos"] <= 1
    assert record == of["joined-2-seed1.png"]
    (text,) = [t for name, t in report.rows("joined-2.png") if name == "photos told apart by other"]
    assert "chance 0.5; by photos" in text and text in (folder / "index.html").read_text()
    assert report.summary["choices"]["chance"] == 0.5
    again = report.file.read_bytes()
    assert kerasviz.trust(folder, NET, **asked).file.read_bytes() == again


def test_a_judge_without_classes_still_tells_photos_apart(
    tmp_path: Path, class_photos: Path
) -> None:
    words: dict[str, Any] = {"size": 24, "steps": 2, "out": tmp_path, "progress": False}
    for negative in (False, True):
        kerasviz.render(NET, "joined:1", negative=negative, **words)
    report = kerasviz.trust(tmp_path, NET, images=class_photos, judge=OTHER, **WORDS)
    assert all("choices" in record for record in report.pictures.values())
    assert any("no picture of the folder shows a class" in note for note in report.notes)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"images": "nowhere"}, "no images at 'nowhere'"),
        ({"images": "empty"}, "no images in 'empty'"),
        ({"images": "broken"}, "none of 1 photos can be used"),
        ({"tap": "joind"}, "near: joined"),
        ({"batch": 0}, "batch"),
        ({"judge_tap": "pooled"}, "give --judge MODEL and --images DIR too"),
        ({"judge": OTHER, "judge_tap": "poold", "images": "broken"}, "near: pooled"),
        ({"imags": "x"}, "near: images"),
    ],
)
def test_bad_use_is_one_line(
    folder: Path,
    words: dict[str, Any],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "broken"):
        Path(name).mkdir()
    Path("broken/a.png").write_bytes(b"none")
    with pytest.raises(UsageError, match=line) as refused:
        kerasviz.trust(folder, NET, **words)
    assert "\n" not in str(refused.value) and not (folder / "trust.json").exists()


def test_folders_that_cannot_be_trusted_are_one_line(tmp_path: Path, class_photos: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no manifest\.json"):
        kerasviz.trust(tmp_path, NET)
    out = tmp_path / "one"
    kerasviz.render(NET, "joined:1", size=24, steps=2, out=out, progress=False)
    with pytest.raises(UsageError, match="agreement needs two: render with another --seed"):
        kerasviz.trust(out, NET)
    with pytest.raises(UsageError, match="no picture of the folder shows a class"):
        kerasviz.trust(out, NET, judge=OTHER)
    with pytest.raises(UsageError, match="another model"):
        kerasviz.trust(out, OTHER, images=class_photos, **WORDS)
    few = kerasviz.trust(out, NET, images=class_photos, limit=2, **WORDS)
    assert any("needs 3 photos of the kind" in note for note in few.notes)
    assert any("another --seed" in note for note in few.notes)
    assert few.pictures["joined-1.png"]["natural"]["photos"] == 2
    (out / "joined-1.png").unlink()
    kerasviz.render(NET, "joined:1", size=48, tile=24, steps=1, out=out, progress=False)
    with pytest.raises(UsageError, match="has no finished picture"):
        kerasviz.trust(out, NET, images=class_photos, **WORDS)
    (out / "manifest.json").write_text("{")
    with pytest.raises(KerasvizError, match="is damaged"):
        kerasviz.trust(out, NET)


def test_pictures_of_functions_have_the_other_numbers(tmp_path: Path, class_photos: Path) -> None:
    from kerasviz import objectives

    mean = objectives.function(lambda a: a["joined"][:, 0, 0, 0], "joined")
    kerasviz.render(NET, mean, size=24, steps=2, out=tmp_path, progress=False)
    report = kerasviz.trust(tmp_path, NET, images=class_photos, **WORDS)
    (record,) = report.pictures.values()
    assert "natural" not in record and "spectrum" in record
