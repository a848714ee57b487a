"""A rendering as a user of Python meets it: a sequence, a contact sheet, a folder."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.io.images import decode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import channel
from kerasviz.rendering.manifest import read_manifest
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.verify import verify_pictures


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


@pytest.fixture(scope="module")
def rendering(net: Network) -> Rendering:
    targets = ["joined:1", "joined:4", "relu1:2", "logit:castle"]
    return kerasviz.render(net, targets, steps=5, size=(12, 16), seed=3, snapshots=(0, 2))


def interrupted(rendering: Rendering) -> Rendering:
    first, second, *_ = rendering
    running = replace(second, interrupted=True, history=second.history[:2])
    return replace(rendering, pictures=(first, running), missing=("relu1:2", "logit:castle"))


def test_it_is_a_sequence_of_pictures(rendering: Rendering) -> None:
    assert len(rendering) == 4 and [p.target for p in rendering][2] == "relu1:2"
    assert rendering[-1].target == "logit:castle" and rendering[0].image.shape == (12, 16, 3)
    part = rendering[1:3]
    assert isinstance(part, Rendering) and [p.target for p in part] == ["joined:4", "relu1:2"]
    with pytest.raises(IndexError):
        rendering[4]


def test_its_repr_is_one_short_line(rendering: Rendering) -> None:
    shown = repr(rendering)
    assert shown.startswith("<Rendering of tiny: 4 pictures of 12x16: joined:1 (score ")
    assert shown.endswith(" and 1 more>") and len(shown) < 160
    score = f"{rendering[0].score:.4g}"
    assert repr(rendering[0]) == f"<Picture joined:1: 12x16, score {score}, 5 steps, seed 3>"


def test_an_interrupted_one_says_what_it_lacks(rendering: Rendering) -> None:
    partial = interrupted(rendering)
    words = "1 picture interrupted after step 2 of 5, 2 pictures not begun"
    assert partial.interrupted and repr(partial).endswith(f"; {words}>")
    assert "interrupted after 2 of 5 steps" in repr(partial[1])
    about = partial.provenance[1]
    assert about["steps_taken"] == 2 and about["interrupted"] is True
    assert "interrupted" not in partial.provenance[0] and not rendering.interrupted


def test_pillow_gets_the_pixels_of_the_files(rendering: Rendering, tmp_path: Path) -> None:
    rendering.save(tmp_path)
    for picture in rendering:
        (file,) = tmp_path.glob(f"{picture.target.replace(':', '-')}-seed3.png")
        saved, _ = decode(file.read_bytes())
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(picture.to_pil()))


def test_the_contact_sheet_has_each_picture_in_its_place(rendering: Rendering) -> None:
    sheet = np.asarray(rendering.to_pil(columns=3))
    assert sheet.shape == (2 * 12 + 4, 3 * 16 + 2 * 4, 3)
    for number, picture in enumerate(rendering):
        row, column = divmod(number, 3)
        top, left = row * 16, column * 20
        cell = sheet[top : top + 12, left : left + 16]
        np.testing.assert_array_equal(cell, np.asarray(picture.to_pil()))
    assert (sheet[16:, 20:] == 255).all()  # no picture
    assert rendering[:1].to_pil().size == (16, 12)
    with pytest.raises(UsageError, match="no picture"):
        rendering[:0].to_pil()


def test_a_saved_folder_is_verified_to_the_byte(
    net: Network, rendering: Rendering, tmp_path: Path
) -> None:
    page = rendering.save(tmp_path / "pictures")
    assert page == tmp_path / "pictures" / "index.html" and "joined:1" in page.read_text()
    results, notes = verify_pictures(tmp_path / "pictures", net)
    assert len(results) == 12 and {r.result for r in results} == {"same"} and not notes


def test_saving_again_changes_nothing_and_adds_what_is_new(
    net: Network, rendering: Rendering, tmp_path: Path
) -> None:
    rendering[:2].save(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    rendering.save(str(tmp_path))
    after = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    assert len(before) == 6 and len(after) == 12 and before.items() <= after.items()
    assert len(read_manifest(tmp_path)["pictures"]) == 12
    with pytest.raises(UsageError, match="pictures of another model"):
        replace(rendering, net=network(seed=1)).save(tmp_path)


def test_an_interrupted_picture_is_not_saved_as_complete(
    net: Network, rendering: Rendering, tmp_path: Path
) -> None:
    partial = interrupted(rendering)
    partial.save(tmp_path)
    assert {e["target"] for e in read_manifest(tmp_path)["pictures"]} == {"joined:1"}
    with pytest.raises(UsageError, match="no picture is finished"):
        partial[1:].save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_comparison_pairs_targets_and_lists_what_differs(
    net: Network, rendering: Rendering
) -> None:
    other = kerasviz.render(
        net, ["joined:4", "joined:1", "pooled:2"], steps=3, size=(12, 16), seed=3
    )
    comparison = rendering.compare(other)
    pairs = [[p and p.target for p in pair] for pair in comparison.pairs()]
    assert pairs[:2] == [["joined:1", "joined:1"], ["joined:4", "joined:4"]]
    assert pairs[2:] == [["relu1:2", None], ["logit:castle", None], [None, "pooled:2"]]
    assert comparison.differences() == [("steps", "5", "3")]
    assert repr(comparison) == "<RenderingComparison of 5 pairs: steps 5 / 3>"
    assert comparison.to_pil().size == (2 * 16 + 4, 5 * 12 + 4 * 4)


def test_curves_are_drawn_by_matplotlib(rendering: Rendering) -> None:
    lines: list[tuple[list[float], str]] = []
    axes = SimpleNamespace(
        plot=lambda numbers, label: lines.append((list(numbers), label)),
        set_xlabel=lambda text: None,
        set_ylabel=lambda text: None,
        legend=lambda: lines.append(([], "legend")),
    )
    assert rendering.plot(axes) is axes
    assert [label for _, label in lines] == [*(p.target for p in rendering), "legend"]
    np.testing.assert_array_equal([numbers for numbers, _ in lines[:4]], -rendering.losses)


def test_without_matplotlib_one_line_says_what_to_install(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(UsageError, match="install it: pip install matplotlib"):
        rendering.plot()


def test_showing_at_a_terminal_opens_the_viewer_of_the_system(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr("PIL.ImageShow.show", lambda image: opened.append(image.size) or True)
    rendering.show()
    rendering[0].show()
    assert opened == [(2 * 16 + 4, 2 * 12 + 4), (16, 12)]
    monkeypatch.setattr("PIL.ImageShow.show", lambda image: False)
    with pytest.raises(UsageError, match="no viewer for images here"):
        rendering.show()


def test_objectives_of_python_are_saved_and_verified_too(net: Network, tmp_path: Path) -> None:
    made = kerasviz.render(net, channel("joined", 1) - channel("joined", 2), steps=2, size=12)
    made.save(tmp_path)
    assert verify_pictures(tmp_path, net)[0][0].result == "same"


def test_a_pickled_one_has_all_but_its_network(
    net: Network, rendering: Rendering, tmp_path: Path
) -> None:
    other = pickle.loads(pickle.dumps(rendering))
    np.testing.assert_array_equal(other.images, rendering.images)
    assert other.provenance == rendering.provenance and repr(other) == repr(rendering)
    assert rendering.net is net and repr(other[1:]) == repr(rendering[1:])
    assert "joined:4" in other._repr_html_() and not rendering.compare(other).differences()
    with pytest.raises(UsageError, match=r"give it one: dataclasses.replace\(r, net=net\)"):
        other.save(tmp_path)
    replace(other, net=net).save(tmp_path)
    assert verify_pictures(tmp_path, net)[0][0].result == "same"
