"""``kerasviz render``."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.facet_fixtures import write_themes
from support.tokens import network as tokens

from kerasviz.cli import render
from kerasviz.optvis.objectives.targets import GRAMMAR
from kerasviz.rendering.picture_options import PictureOptions, requests_for
from kerasviz.rendering.recipe_options import RecipeOptions

Run = Callable[..., Any]
SHORT = ("--preprocess", "unit", "--recipe", "fast", "--steps", 3, "--size", "16x24")
SHORT += ("--precision", "float32")  # whatever the machine is fastest with


def pictures(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.suffix != ".html"}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def recipe_of(folder: Path) -> dict[str, Any]:
    (request,) = manifest(folder)["requests"].values()
    recipe: dict[str, Any] = request["recipe"]
    return recipe


def test_pictures_manifest_and_page(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    ended = run_cli("render", model_file, "conv2:1", "logit:2", *SHORT, "--out", "pictures")
    assert ended.code == 0, ended.err
    folder = tmp_path / "pictures"
    # One line with the time and the best picture stays.
    first, last = ended.out.splitlines()
    assert re.fullmatch(r"made 2 pictures, [\d.]+ s, best \S+ \(score [-\d.e+]+\)", first)
    assert last == f"open {Path('pictures/index.html')}"
    assert ended.notes == ""
    assert (folder / "index.html").stat().st_size > 0
    for entry in manifest(folder)["pictures"]:
        data = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        with Image.open(folder / entry["file"]) as image:
            assert image.size == (24, 16)


def test_second_run_renders_nothing_and_says_so(run_cli: Run, model_file: Path) -> None:
    arguments = ("render", model_file, "conv2:1", "conv2:3", *SHORT, "--out", "pictures")
    run_cli(*arguments)
    before = pictures(Path("pictures"))
    again = run_cli(*arguments)
    assert again.out.startswith("nothing to do: 2 pictures are complete\nopen ")
    assert pictures(Path("pictures")) == before
    more = run_cli(*arguments, "--seed", 1)
    assert more.out.startswith("made 2 pictures, ")
    assert before.items() <= {**pictures(Path("pictures")), **before}.items()


def test_default_folder_has_the_name_of_the_model(run_cli: Run, model_file: Path) -> None:
    run_cli("render", model_file, "conv2:1", *SHORT)
    assert Path("out/small/manifest.json").is_file()


def test_json(run_cli: Run, model_file: Path) -> None:
    arguments = ("render", model_file, "conv2:0-2", *SHORT, "--out", "pictures", "--json")
    data = json.loads(run_cli(*arguments).out)
    assert (data["made"], data["kept"]) == (3, 0)
    assert data["folder"] == "pictures"
    assert Path(data["page"]).is_file()
    assert [p["target"] for p in data["pictures"]] == ["conv2:0", "conv2:1", "conv2:2"]
    recorded = {p["file"]: p for p in manifest(Path("pictures"))["pictures"]}
    for picture in data["pictures"]:
        assert picture["sha256"] == recorded[picture["file"]]["sha256"]
        assert picture["score"] == recorded[picture["file"]]["score"]
    again = json.loads(run_cli(*arguments).out)
    assert (again["made"], again["kept"]) == (0, 3)
    assert again["pictures"] == data["pictures"]


def test_options_reach_the_recipe_and_the_request(run_cli: Run, model_file: Path) -> None:
    options = ("--param", "pixel", "--seed", 5, "--batch", 4, "--snapshots", "3,0,2")
    ended = run_cli("render", model_file, "conv2:1", *SHORT, *options, "--out", "p", "--json")
    assert ended.code == 0, ended.err
    recipe = recipe_of(Path("p"))
    assert recipe["parameterization"]["kind"] == "pixel"
    assert (recipe["steps"], recipe["size"]) == (3, [16, 24])
    (request,) = manifest(Path("p"))["requests"].values()
    assert (request["seed"], request["batch"]) == (5, 4)
    assert request["snapshots"] == [0, 2, 3]
    steps = sorted(p["step"] for p in manifest(Path("p"))["pictures"])
    assert steps == [0, 2, 3]


def test_recipe_file_keeps_its_own_settings(run_cli: Run, model_file: Path) -> None:
    from kerasviz.optvis.recipes import recipe

    own = recipe("fast").replace(name="own", steps=2, size=(16, 16), learning_rate=0.02)
    Path("own.json").write_text(json.dumps(own.to_json()))
    options = ("--preprocess", "unit", "--recipe", "own.json", "--param", "fourier")
    assert run_cli("render", model_file, "conv2:1", *options, "--out", "p").code == 0
    assert recipe_of(Path("p")) == json.loads(Path("own.json").read_text())


def test_negative_has_the_opposite_objective(run_cli: Run, model_file: Path) -> None:
    run_cli("render", model_file, "conv2:1", *SHORT, "--out", "plain")
    run_cli("render", model_file, "conv2:1", "--negative", *SHORT, "--out", "negative")
    run_cli("render", model_file, "--out", "same", *SHORT, "--", "-conv2:1")
    (plain,) = manifest(Path("plain"))["pictures"]
    (negative,) = manifest(Path("negative"))["pictures"]
    assert negative["target"] == "-conv2:1"
    assert plain["score"] > -negative["score"]  # the unit's own value, pushed up and down
    assert pictures(Path("same")) == pictures(Path("negative"))


def test_diversity_renders_pictures_together(run_cli: Run, model_file: Path) -> None:
    options = (*SHORT, "--diversity", 3, "--out", "p", "--json")
    data = json.loads(run_cli("render", model_file, "conv2:1", *options).out)
    assert data["made"] == 3
    assert len({p["sha256"] for p in data["pictures"]}) == 3
    (request,) = manifest(Path("p"))["requests"].values()
    assert request["rows"] == 3
    assert [t["kind"] for t in request["objective"]] == ["channel", "diversity"]


@pytest.mark.parametrize(("name", "kind"), [("jpg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_formats(run_cli: Run, model_file: Path, name: str, kind: str) -> None:
    options = (*SHORT, "--format", name, "--out", "p", "--json")
    (picture,) = json.loads(run_cli("render", model_file, "conv2:1", *options).out)["pictures"]
    with Image.open(Path("p") / picture["file"]) as image:
        assert image.format == kind


def test_transparent_pictures_are_made_and_made_again(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("render", model_file, "conv2:1", *SHORT, "--alpha", "--out", "pictures")
    assert ended.code == 0, ended.err
    with Image.open("pictures/conv2-1.png") as image:
        assert image.mode == "RGBA" and image.size == (24, 16)
    assert recipe_of(Path("pictures"))["parameterization"]["kind"] == "alpha"
    page = Path("pictures/index.html").read_text()
    assert 'class="pixels transparent"' in page and "--alpha" in page
    again = run_cli("render", "--again", "pictures/conv2-1.png", "--out", "again")
    assert again.code == 0, again.err
    assert Path("again/conv2-1.png").read_bytes() == Path("pictures/conv2-1.png").read_bytes()
    assert run_cli("verify", "pictures").out.startswith("1 file: 1 same")
    jpeg = run_cli("render", model_file, "conv2:1", *SHORT, "--alpha", "--format", "jpg")
    assert jpeg.code == 0, jpeg.err
    clash = run_cli(
        "render", model_file, "conv2:1", "--preprocess", "unit", "--alpha", "--recipe", "maco"
    )
    assert clash.code != 0 and clash.err.count("\n") <= 1 and "alpha: pictures of" in clash.err


def test_a_photo_is_dreamed_of_and_painted(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("cat.png", "waves.png"):
        Image.fromarray(draw.integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(name)
    common = ("render", model_file, "--preprocess", "unit", "--precision", "float32")
    small = ("--size", "32x48", "--steps", 4, "--from", "cat.png", "--out", "pictures")
    ended = run_cli(*common, "conv2", *small, "--recipe", "deepdream")
    assert ended.code == 0, ended.err
    ended = run_cli(*common, "style", *small, "--style", "waves.png")
    assert ended.code == 0, ended.err
    made = {name for name in pictures(tmp_path / "pictures") if name.endswith(".png")}
    assert made == {"conv2-from-cat.png", "style-from-cat-style-waves.png"}
    without = run_cli(*common, "conv2", "--recipe", "deepdream")
    assert without.code != 0 and "give --from PHOTO" in without.err


def test_flat_picture_is_warned_of(
    run_cli: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kerasviz.rendering.fill.FLAT", 10.0)  # then every picture is flat
    ended = run_cli("render", model_file, "conv2:1", *SHORT, "--out", "p")
    assert ended.code == 0
    assert len(ended.notes.splitlines()) == 1
    assert ended.err.startswith("kerasviz: warning: flat grey")
    assert "conv2-1.png" in ended.err


def test_the_recipe_for_transformers_is_named_where_tokens_are_asked_for(capsys: Any) -> None:
    net = tokens(1)

    def said(target: str, recipe: str) -> str:
        settings = RecipeOptions(recipe, size=(12, 20), steps=1)
        requests = requests_for(net, [target], settings, PictureOptions())
        render._say_tokens(net, recipe, requests)
        return str(capsys.readouterr().err)

    assert said("block:3", "fast").startswith("kerasviz: block has tokens of a transformer; --rec")
    assert (
        not said("block:3", "vit") and not said("logit:1", "fast") and not said("patches:1", "fast")
    )


def test_mean_and_order_reach_the_input_description(run_cli: Run, model_file: Path) -> None:
    options = ("--mean", "104,117,123", "--channel-order", "bgr", "--steps", 1, "--size", 16)
    ended = run_cli("render", model_file, "conv2:1", *options, "--out", "p")
    assert ended.code == 0, ended.err
    spec = manifest(Path("p"))["network"]["input"]
    assert (spec["scale"], spec["mean"]) == (255.0, [104.0, 117.0, 123.0])
    assert (spec["std"], spec["channel_order"]) == ([1.0], "bgr")


def test_a_picture_is_rendered_again_from_its_file(
    run_cli: Run, model_file: Path, tmp_path: Path
) -> None:
    options = (*SHORT, "--diversity", 2, "--snapshots", "0,1", "--batch", 4, "--seed", 5)
    assert run_cli("render", model_file, "conv2:1", *options, "--out", "first").code == 0
    file = Path("first/conv2-1-seed5-1.png")
    kept = run_cli("render", "--again", file)
    assert kept.out.startswith("nothing to do: 2 pictures are complete\n"), kept.err
    made = run_cli("render", "--again", file, "--out", "second")
    assert made.code == 0, made.err
    first, second = (pictures(tmp_path / name) for name in ("first", "second"))
    assert {k: v for k, v in first.items() if k.endswith(".png")} == {
        k: v for k, v in second.items() if k.endswith(".png")
    }
    assert run_cli("verify", "second").code == 0
    # A file alone is enough where the model is named, and its name is kept.
    (tmp_path / "found").mkdir()
    alone = Path("found/own name.png")
    alone.write_bytes(file.read_bytes())
    ended = run_cli("render", "--again", alone)
    assert "the model 'small' that 'found/own name.png' was made with is not there" in ended.err
    ended = run_cli("render", model_file, "--again", alone, "--out", "third", "--json")
    assert ended.code == 0, ended.err
    assert "own name.png" in [p["file"] for p in json.loads(ended.out)["pictures"]]
    assert Path("third/own name.png").read_bytes() == file.read_bytes()


def test_what_cannot_be_rendered_again_is_said_in_one_line(
    run_cli: Run, model_file: Path, other_model_file: Path
) -> None:
    run_cli("render", model_file, "conv2:1", *SHORT, "--out", "pictures")
    file = "pictures/conv2-1.png"
    Image.new("RGB", (3, 3)).save("plain.png")
    Path("text.png").write_text("no picture")
    wrong: dict[str, tuple[object, ...]] = {
        "does not record an optimization": ("--again", "plain.png"),
        "'text.png' cannot be read as a picture": ("--again", "text.png"),
        "no file 'missing.png'": ("--again", "missing.png"),
        "was made with another model": (other_model_file, "--again", file),
        "leave out --steps": ("--again", file, "--steps", 3),
        "leave out the TARGETs": (model_file, "conv2:1", "--again", file),
        "Missing argument 'MODEL'": (),
        "Missing argument 'TARGET...'": (model_file,),
    }
    for message, arguments in wrong.items():
        ended = run_cli("render", *arguments)
        assert ended.code == 2, ended.err
        assert message in ended.err.splitlines()[-1]


def test_help_has_the_grammar_of_targets(run_cli: Run) -> None:
    shown = run_cli("render", "--help").out
    for line in GRAMMAR.splitlines():
        assert line in shown


# -- interruption ----------------------------------------------------------------------------


def test_interrupted_run_keeps_finished_batches_and_goes_on(
    run_cli: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the second batch; the rerun ends with the bytes of a run that was let alone."""
    from kerasviz.rendering import run

    arguments = ("render", model_file, "conv2:*", *SHORT, "--batch", 2, "--snapshots", "0,2")
    run_cli(*arguments, "--out", "whole")

    original = run.render_batches

    def interrupted(net: Any, plans: Any, progress: Any, state_of: Any) -> Any:
        def report(r: Any) -> None:
            if r.done >= 2:
                raise KeyboardInterrupt
            progress(r)

        return original(net, plans, report, state_of)

    with monkeypatch.context() as patch:
        patch.setattr(run, "render_batches", interrupted)
        ended = run_cli(*arguments, "--out", "parts")
    assert ended.code == 130
    assert ended.out == ""
    line = "2 finished pictures are kept in parts, the same command continues from there"
    assert ended.err.splitlines() == [f"kerasviz: stopped; {line}"]
    kept = pictures(Path("parts"))
    recorded = [p["file"] for p in manifest(Path("parts"))["pictures"]]
    assert sorted(kept) == sorted([*recorded, "manifest.json"])
    assert len(recorded) == 2 * 3
    assert "conv2:1" in Path("parts/index.html").read_text()

    again = run_cli(*arguments, "--out", "parts")
    assert again.out.startswith("made 3 pictures, 2 are complete")
    whole, parts = pictures(Path("whole")), pictures(Path("parts"))
    assert whole.keys() == parts.keys()
    for name in whole:
        if name != "manifest.json":  # its order is that of the work
            assert whole[name] == parts[name], name
    assert manifest(Path("whole")) == manifest(Path("parts"))


def test_pictures_are_what_the_library_renders(run_cli: Run, model_file: Path) -> None:
    import kerasviz
    from kerasviz.io.images import to_image
    from kerasviz.network.input_spec import preset

    run_cli("render", model_file, "conv2:1", *SHORT, "--seed", 2, "--out", "p")
    net = kerasviz.load(model_file, input_spec=preset("unit"))
    options = {"steps": 3, "size": (16, 24), "precision": "float32"}
    made = kerasviz.render(net, "conv2:1", recipe="fast", seed=2, **options)
    with Image.open("p/conv2-1-seed2.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(to_image(made.images[0])))


def test_facets_follow_their_target(run_cli: Run, model_file: Path) -> None:
    write_themes(Path("themes"), {"blue": (60, 60, 200), "red": (200, 60, 60)}, count=3)
    asked = ("render", model_file, "logit:2", *SHORT, "--out", "p", "--facets", "themes")
    ended = run_cli(*asked, "--facet-weight", 3)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("made 3 pictures, ") and lines[1].startswith("logit:2: score ")
    assert [line.split(":")[0:2] for line in lines[2:4]] == [
        ["logit", f"2, facet {name}"] for name in ("blue", "red")
    ]
    data = json.loads(run_cli(*asked, "--facet-weight", 3, "--json").out)
    assert [report["facet"] for report in data["facets"]] == ["", "blue", "red"]
    assert data["made"] == 0 and data["facets"][1]["logits"].keys() == {"blue", "red"}
    for words, line in [
        (("--facets", "nowhere"), "expected a folder of folders"),
        (("--facets", "themes", "--precision", "bfloat16"), "float32 only"),
        (("--facets", "themes", "--facet-weight", "nan"), "expected a number"),
    ]:
        ended = run_cli("render", model_file, "logit:2", *SHORT, "--out", "q", *words)
        assert ended.code == 2 and line in ended.err and ended.err.count("\n") == 1, ended.err


def test_photos_from_the_command_line(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("cat.png", "dog.png"):
        Image.fromarray(draw.integers(0, 256, (30, 40, 3)).astype(np.uint8)).save(name)
    photos = ("--from", "cat.png", "--from", "dog.png", "--out", "pictures")
    small = ("--preprocess", "unit", "--steps", 2, "--size", "16x24", "--precision", "float32")
    ended = run_cli("render", model_file, "conv2:1", "caricature:conv1", *small, *photos)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("made 4 pictures, ")
    again = run_cli("render", model_file, "conv2:1", "caricature:conv1", *small, *photos)
    assert again.out.startswith("nothing to do: 4 pictures are complete\n")
    page = (tmp_path / "pictures" / "index.html").read_text()
    assert "kerasviz render --again conv2-1-from-cat.png" in page
    last = run_cli("render", "--again", "pictures/conv2-1-from-dog.png", "--out", "again")
    assert last.code == 0 and Path("again/conv2-1-from-dog.mask.png").is_file(), last.err
    bad = run_cli("render", model_file, "conv2:1", "--from", "none.png", *small)
    assert bad.code == 2 and bad.err.count("\n") == 1 and "none.png" in bad.err
    bare = run_cli("render", model_file, "caricature:conv1", *small)
    assert bare.code == 2 and "--from PHOTO" in bare.err


def test_maco_has_an_opacity_and_the_spectrum_of_a_folder(
    run_cli: Run, model_file: Path, tmp_path: Path
) -> None:
    draw = np.random.default_rng(0)
    for name, count, side in (("photos", 3, 40), ("small", 1, 9)):
        (tmp_path / name).mkdir()
        for number in range(count):
            photo = draw.integers(0, 255, (side, side + 4, 3), dtype=np.uint8)
            Image.fromarray(photo).save(tmp_path / name / f"{number}.png")
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken/a.jpg").write_text("no picture")
    maco = ("--preprocess", "unit", "--recipe", "maco", "--size", 33, "--steps", 4)
    maco += ("--precision", "float32")
    ended = run_cli("render", model_file, "conv2:1", *maco, "--spectrum", "photos", "--out", "own")
    assert ended.code == 0, ended.err
    assert run_cli("render", model_file, "conv2:1", *maco, "--out", "usual").code == 0
    own, usual = (Image.open(tmp_path / name / "conv2-1.png") for name in ("own", "usual"))
    assert own.mode == usual.mode == "RGBA" and own.size == (33, 33) and own != usual
    measured = recipe_of(tmp_path / "own")["parameterization"]["spectrum"]
    assert measured["name"] == "photos (3 photos)" and recipe_of(tmp_path / "own")["views"] == 4
    assert recipe_of(tmp_path / "own")["transform"]["steps"][0]["size"] == [128, 128]
    assert run_cli("verify", "own").code == 0
    again = run_cli("render", "--again", "own/conv2-1.png", "--out", "again")
    assert again.code == 0, again.err
    assert pictures(tmp_path / "again")["conv2-1.png"] == pictures(tmp_path / "own")["conv2-1.png"]
    wrong: dict[str, tuple[object, ...]] = {
        "no photos in 'empty': expected PNG or JPEG": ("--spectrum", "empty"),
        "no photos at 'none': expected a folder": ("--spectrum", "none"),
        "'broken/a.jpg' cannot be read as a picture": ("--spectrum", "broken"),
        "all photos have less than 33 pixels a side": ("--spectrum", "small"),
        "give --recipe maco": ("--spectrum", "photos", "--recipe", "fast"),
        "leave out the tile": ("--tile", 11),
    }
    for message, arguments in wrong.items():
        ended = run_cli("render", model_file, "conv2:1", *maco, *arguments)
        assert ended.code == 2 and message in ended.err.splitlines()[-1], ended.err
