from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny, two_detectors
from support.batch_models import MODELS, SIZE
from support.facet_fixtures import themes, write_themes

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.probes import linear_probe
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.facet_records import FACETS
from kerasviz.rendering.facet_reports import facet_of, recorded_facets
from kerasviz.rendering.facets import FacetFolders, facet_layers
from kerasviz.rendering.photos import read_photo
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.request import make_requests
from kerasviz.rendering.store import Store

__all__ = ["themes"]

NET = tiny.network()
TWO = two_detectors.network()
ROW: dict[str, Any] = {"size": (17, 23), "steps": 4, "progress": False}


def asked(net: Any, targets: Any, **words: Any) -> Rendering:
    return kerasviz.render(net, targets, **{**ROW, **words})


def test_each_picture_is_followed_by_its_facets(themes: Path) -> None:
    made = asked(NET, ["joined:2", "logit:goldfish"], facets=themes)
    assert [picture.target for picture in made] == [
        *("joined:2", "joined:2, facet blue", "joined:2, facet red"),
        *(f"logit:goldfish{facet}" for facet in ("", ", facet blue", ", facet red")),
    ]
    plain = asked(NET, ["joined:2", "logit:goldfish"], precision="float32")
    np.testing.assert_array_equal(made.images[[0, 3]], plain.images)
    assert len({image.tobytes() for image in made.images}) == 6
    assert {picture.request.recipe.precision for picture in made} == {"float32"}
    layers = [facet_of(picture.request) for picture in made]
    assert [term and term.taps for term in layers] == [
        *(None, ("relu1",), ("relu1",)),
        *(None, ("joined",), ("joined",)),
    ]
    nothing = asked(NET, "joined:2", facets=themes, facet_weight=0)
    assert {image.tobytes() for image in nothing.images} == {plain.images[0].tobytes()}


def test_positions_count_where_they_are_asked_for(tmp_path: Path) -> None:
    """Photos that are red at the top, against photos that are red at the bottom."""
    draw = np.random.default_rng(0)
    for name, top in (("high", True), ("low", False)):
        (tmp_path / "themes" / name).mkdir(parents=True)
        for k in range(6):
            pixels = draw.integers(0, 60, (48, 48, 3)).astype(np.uint8)
            pixels[slice(0, 24) if top else slice(24, 48), :, 0] += 180
            Image.fromarray(pixels).save(tmp_path / "themes" / name / f"{k}.png")
    words = {"facets": tmp_path / "themes", "facet_weight": 8, "size": 24, "steps": 24, "seed": 1}
    made = asked(TWO, "unit:0", facet_positions=True, **words, param="pixel", learning_rate=0.3)
    term = facet_of(made[1].request)
    assert term is not None and term.grid == (7, 7)
    red = TWO.activations(made.images, ["detectors"])["detectors"].numpy()[..., 0]
    lead = [float(row[: len(row) // 2].mean() - row[len(row) // 2 :].mean()) for row in red]
    assert lead[1] > lead[0] + 0.02 and lead[2] < lead[0] - 0.05, lead
    reports = made.facets()
    assert reports[1].logits["high"] > reports[2].logits["high"]
    out = tmp_path / "out"
    asked(TWO, "unit:0", facet_positions=True, **words, out=out)
    assert kerasviz.verify(out, TWO, progress=False).same


def test_several_weights_are_a_row_of_pictures(themes: Path, tmp_path: Path) -> None:
    made = asked(NET, "joined:2", facets=themes, facet_weight=[0, 2.5], out=tmp_path)
    words = ("blue at weight 0", "blue at weight 2.5", "red at weight 0", "red at weight 2.5")
    assert [p.target for p in made] == ["joined:2", *(f"joined:2, facet {w}" for w in words)]
    assert [p.request.facet_weight for p in made] == [0, 0, 2.5, 0, 2.5]
    assert all(p.request.written == "joined:2" for p in made)
    steered = [f"joined-2-facet-{f}-{w}.png" for f in ("blue", "red") for w in (0, 2.5)]
    names = {"joined-2.png", *steered}
    assert {path.name for path in tmp_path.glob("*.png")} == names
    np.testing.assert_array_equal(made.images[1], made.images[0])
    alone = asked(NET, "joined:2", facets=themes, facet_weight=2.5)
    np.testing.assert_allclose(made.images[[2, 4]], alone.images[1:], atol=0.51 / 255)
    assert kerasviz.verify(tmp_path, NET, progress=False).same
    assert json.loads((tmp_path / FACETS).read_text()).keys() == names
    page = (tmp_path / "index.html").read_text()
    places = [page.index(f'src="{name}"') for name in ("joined-2.png", *steered)]
    assert places == sorted(places)


@pytest.mark.parametrize("weight", ["strong", [1, "x"], [], float("inf")])
def test_weights_that_are_none_are_one_line(themes: Path, weight: Any) -> None:
    with pytest.raises(UsageError, match="facet_weight") as refused:
        asked(NET, "joined:2", facets=themes, facet_weight=weight)
    assert "\n" not in str(refused.value)


def test_the_probe_is_that_of_the_photos(themes: Path) -> None:
    made = asked(NET, "joined:2", facets=themes)
    term = facet_of(made[2].request)
    assert term is not None and term.probe is not None and term.probe.name == "red"
    files = FacetFolders.of(themes)
    assert [*files.photos] == ["blue", "red"] and len(files.others) == 3
    images = np.stack([read_photo(path, (224, 224), 3) for path in files.files])
    means = NET.activations(images, ["relu1"])["relu1"].numpy().mean((1, 2))
    mask = files.masks()["red"]
    assert mask.sum() == 6 and len(mask) == 15
    wanted = linear_probe(means[mask], means[~mask], 0, "red")
    np.testing.assert_allclose(term.probe.numbers[:-1], wanted.weights, rtol=1e-3, atol=1e-5)
    assert term.probe.numbers[-1] == pytest.approx(wanted.bias, rel=1e-3, abs=1e-4)
    assert wanted.accuracy == 1


def test_photos_steer_the_unit_of_two_detectors(themes: Path) -> None:
    words = {"size": 24, "steps": 24, "seed": 1, "param": "pixel", "learning_rate": 0.3}
    made = asked(TWO, "unit:0", facets=themes, facet_weight=4, **words)
    detected = TWO.activations(made.images, ["detectors"])["detectors"].numpy().mean((1, 2))
    red, blue = detected[:, 0], detected[:, 1]
    assert blue[1] > blue[0] + 0.05 and blue[1] > red[1] + 0.2
    assert red[2] > red[0] + 0.05 and red[2] > blue[2] + 0.2


def test_folders_are_verified_continued_and_say_what_probes_say(
    themes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = asked(NET, "joined:2", facets=themes, out=out)
    names = ["joined-2.png", "joined-2-facet-blue.png", "joined-2-facet-red.png"]
    assert {path.name for path in out.glob("*.png")} == {*names}
    assert kerasviz.verify(out, NET, progress=False).same
    records = json.loads((out / FACETS).read_text())
    assert records.keys() == {*names}
    for name, picture in zip(names, made, strict=True):
        a = NET.activations(picture.image[None], ["relu1"])["relu1"].numpy().mean((1, 2))[0]
        for facet in made.pictures[1:]:
            probe = facet_of(facet.request)
            assert probe is not None and probe.probe is not None
            numbers = probe.probe.numbers
            wanted = a.astype(np.float64) @ numbers[:-1] + numbers[-1]
            given = records[name]["logits"][probe.probe.name]
            assert given == pytest.approx(wanted, rel=1e-3, abs=1e-3)
    reports = recorded_facets(Store(out, NET), [picture.request for picture in made])
    assert [report.facet for report in reports] == ["", "blue", "red"]
    assert str(reports[1]).startswith("joined:2, facet blue: score ")
    for report, recorded in zip(made.facets(), reports, strict=True):
        assert (report.target, report.facet) == (recorded.target, recorded.facet)
        assert report.logits == pytest.approx(recorded.logits, abs=1e-3)
    page = (out / "index.html").read_text()
    assert page.index("joined-2.png") < page.index("facet-blue.png") < page.index("facet-red.png")
    assert page.count("<dt>probe blue</dt>") == 3
    assert "kerasviz render --again joined-2-facet-blue.png" in page
    # The same call again, with one picture missing, and a picture from its file alone.
    before = {name: (out / name).read_bytes() for name in names}
    (out / names[2]).unlink()
    asked(NET, "joined:2", facets=themes, out=out)
    assert {name: (out / name).read_bytes() for name in names} == before
    again = kerasviz.render_again(out / names[1], NET, out=tmp_path / "again", progress=False)
    np.testing.assert_array_equal(again.images, made.images[1:2])
    assert (tmp_path / "again" / names[1]).read_bytes() == before[names[1]]


def test_other_photos_are_another_picture(themes: Path, tmp_path: Path) -> None:
    first = asked(NET, "joined:2", facets=themes)
    others = write_themes(tmp_path / "others", {"blue": (90, 0, 90), "red": (200, 200, 0)})
    second = asked(NET, "joined:2", facets=others)
    keys = [[p.request.key(NET) for p in made] for made in (first, second)]
    assert keys[0][0] == keys[1][0] and not {*keys[0][1:]} & {*keys[1][1:]}


def test_layers_are_those_of_the_third_quarter_before_a_target() -> None:
    texts = ["joined:2", "logit:goldfish", "left:1 + pooled:2", "prob:panda"]
    recipe = Recipe("small", size=(17, 23))
    requests = make_requests(NET, parse_targets(texts, NET), recipe)
    layers = [facet_layers(NET, request) for request in requests]
    assert layers == [("relu1",), ("joined",), ("relu1",), ("joined",)]
    (unit,) = make_requests(TWO, parse_targets(["unit:0"], TWO), recipe)
    assert facet_layers(TWO, unit) == ("smooth",)


@pytest.mark.parametrize("name", ["reshape", "one"])
def test_networks_of_a_fixed_batch_have_facets(name: str, themes: Path, tmp_path: Path) -> None:
    net = MODELS[name].load(tmp_path)
    words: dict[str, Any] = {"facets": themes, "size": SIZE, "steps": 2, "recipe": "lucid"}
    made = asked(net, "logits:1", **words)
    assert [picture.batch for picture in made][1:] == [MODELS[name].batch] * 2
    assert len({image.tobytes() for image in made.images}) == 3


def test_sums_and_negatives_have_facets(themes: Path) -> None:
    made = asked(NET, "left:1 + right:0", facets=themes, balance=True)
    assert [p.target for p in made] == [
        f"left:1 + right:0{facet}, balanced" for facet in ("", ", facet blue", ", facet red")
    ]
    assert made[1].term_scores.keys() == {"left:1", "right:0"}
    assert made[1].alone == made[0].alone
    negative = asked(NET, "joined:2", facets=themes, negative=True)
    assert [p.target for p in negative] == [
        f"-joined:2{facet}" for facet in ("", ", facet blue", ", facet red")
    ]


def test_bad_folders_are_one_line(themes: Path, tmp_path: Path) -> None:
    plain, single, few, broken = (tmp_path / name for name in ("plain", "single", "few", "broken"))
    plain.mkdir()
    write_themes(single, {"red": (200, 0, 0)})
    write_themes(few, {"red": (200, 0, 0), "blue": (0, 0, 200)}, count=1)
    write_themes(broken, {"red": (200, 0, 0), "blue": (0, 0, 200)}, count=3)
    (broken / "red" / "1.png").write_bytes(b"none")
    empty = tmp_path / "empty"
    (empty / "red").mkdir(parents=True)
    for folder, line in [
        (tmp_path / "nowhere", "expected a folder of folders"),
        (plain, "no folders in it"),
        (empty, "no photos in"),
        (single, "facet red: 6 photos against 0"),
        (few, "facet blue: 1 photo against 1"),
        (broken, "cannot be read as a picture"),
    ]:
        with pytest.raises(UsageError, match=line) as refused:
            asked(NET, "joined:2", facets=folder)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "words", "line"),
    [
        ("relu1:2", {}, "no main layer is before it; name a deeper unit"),
        ("joined:2", {"precision": "bfloat16"}, "float32 only"),
        ("joined:2", {"facet_weight": float("nan")}, "expected a number, such as 5"),
        ("joined:2", {"facet_weight": "much"}, "expected a number, such as 5"),
        ("joined:2", {"tile": 8, "size": 16}, "needs the whole image"),
    ],
)
def test_bad_use_is_one_line(themes: Path, target: str, words: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        asked(NET, target, facets=themes, **words)
    assert "\n" not in str(refused.value)
