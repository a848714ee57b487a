"""Figures from a network to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support import tiny

from kerasviz.errors import UsageError
from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.make import activation_notes
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import run
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.store import Store

FAST = recipe("fast").replace(steps=16, size=(24, 40))


#: For the activations of diverse pictures.
SIX = recipe("fast").replace(steps=6, size=(24, 40))


def files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.*")}


def links(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = [piece.split('"')[0] for piece in text.split('src="')[1:] + text.split('href="')[1:]]
    own = [link.partition("#")[0] for link in found if not link.startswith(("https://", "data:"))]
    return [link for link in own if link]


def test_all_figures_are_made_with_pages_whose_links_lead_somewhere_and_only_once(
    tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, missing = [], run.missing_batches

    def counted(store: Store, requests: Any) -> Any:
        looked.append(store)
        return missing(store, requests)

    monkeypatch.setattr("kerasviz.figures.make.missing_batches", counted)
    monkeypatch.setattr(run, "missing_batches", counted)
    made = make_figures(tiny.network(), (), FAST, tmp_path, quick=True)
    assert len(looked) == 1  # the store was asked once
    names = [path.name for path in made.paths]
    assert names == [f"{slug}.{kind}" for slug in CATALOGUE for kind in ("png", "html")]
    assert made.made >= len(drawn) and made.kept == 0  # some are several pictures together
    assert all(Image.open(p).mode == "RGB" for p in made.paths if p.suffix == ".png")
    pages = [made.index, tmp_path / "pictures" / "index.html"]
    for page in [*pages, *(p for p in made.paths if p.suffix == ".html")]:
        assert links(page)
        for link in links(page):
            assert (page.parent / unquote(link)).is_file(), (page, link)
    before = files(tmp_path)
    drawn.clear()
    again = make_figures(tiny.network(), (), FAST, tmp_path, quick=True)
    assert (again.made, again.kept, drawn) == (0, made.made, [])
    assert files(tmp_path) == before  # nothing is written again
    assert again.paths == made.paths


def test_pictures_that_figures_share_are_rendered_once(tmp_path: Path, drawn: list[str]) -> None:
    make_figures(tiny.network(), ["hero", "appendix-overview", "objectives"], FAST, tmp_path)
    assert len(drawn) == len(set(drawn))


def test_figures_of_an_earlier_run_stay_on_the_page(tmp_path: Path, drawn: list[str]) -> None:
    make_figures(tiny.network(), ["objectives"], FAST, tmp_path)
    made = make_figures(tiny.network(), ["hero"], FAST, tmp_path)
    assert [p.name for p in made.paths] == ["hero.png", "hero.html"]
    assert {"hero.html", "objectives.html"} <= set(links(made.index))
    assert "appendix-overview.html" not in links(made.index)


def test_tiles_hold_the_picture_of_their_unit(tmp_path: Path, drawn: list[str]) -> None:
    make_figures(tiny.network(), ["optimization-progress"], FAST, tmp_path)
    figure = np.asarray(Image.open(tmp_path / "optimization-progress.png"), np.float32)
    for i, step in enumerate((0, 3, 6, 16)):
        name = "relu1-3.png" if step == 16 else f"relu1-3.step{step:05d}.png"
        picture = Image.open(tmp_path / "pictures" / name)
        wanted = np.asarray(picture.resize((280, 168), Image.Resampling.LANCZOS), np.float32)
        left = 2 * (24 + i * 180)
        assert np.abs(figure[48 : 48 + 168, left : left + 280] - wanted).max() == 0


def test_names_of_layers_and_networks_are_escaped(
    tmp_path: Path, drawn: list[str], network_of: Callable[..., Network]
) -> None:
    name = '<i>"x"&y</i>'
    net = network_of({name: 4}, name=name)
    for path in make_figures(net, (), FAST, tmp_path, quick=True).paths:
        if path.suffix == ".html":
            text = path.read_text(encoding="utf-8")
            assert "<i>" not in text and "&lt;i&gt;" in text


#: One of each way to make pictures.
SOME = ("hero", "naive-noise", "appendix-layer", "steepest-descent", "gradient-artifacts")


@pytest.mark.parametrize(("channels", "slugs"), [(1, ()), (2, SOME), (5, SOME)])
def test_images_of_any_number_of_channels(
    tmp_path: Path, drawn: list[str], channels: int, slugs: tuple[str, ...]
) -> None:
    made = make_figures(tiny.network(channels), slugs, FAST, tmp_path, quick=True)
    assert set(made.failed) <= {"color-decorrelation"}  # its colours are three
    assert len(made.paths) == 2 * (len(slugs or CATALOGUE) - len(made.failed))
    assert all(Image.open(p).mode == "RGB" for p in made.paths if p.suffix == ".png")


def test_an_interrupted_run_leaves_a_page_of_what_is_finished(
    tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.render_batches

    def interrupted(*arguments: object, **named: object) -> object:
        pictures = whole(*arguments, **named)  # type: ignore[arg-type]
        yield next(pictures)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "render_batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_figures(tiny.network(), SOME, FAST, tmp_path, quick=True)
    shown = links(tmp_path / "pictures" / "index.html")
    assert any(link.endswith(".png") for link in shown)
    monkeypatch.setattr(run, "render_batches", whole)
    assert make_figures(tiny.network(), SOME, FAST, tmp_path, quick=True).kept > 0


def test_an_unknown_figure_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no figure 'heroes'; near: hero"):
        make_figures(tiny.network(), ["heroes"], FAST, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_network_s_folder_is_left_alone(tmp_path: Path, drawn: list[str]) -> None:
    make_figures(tiny.network(), ["objectives"], FAST, tmp_path)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="another model"):
        make_figures(tiny.network(seed=1), ["objectives"], FAST, tmp_path)
    assert files(tmp_path) == before


def test_a_real_run_reports_progress_and_starts_from_noise(tmp_path: Path) -> None:
    """No stand-in here: the figure of a progress is optimized."""
    reports: list[RenderProgress] = []
    net = tiny.network(input_spec=tiny.preset("unit"))
    made = make_figures(
        net, ["optimization-progress"], FAST, tmp_path, seed=3, progress=reports.append
    )
    assert made.made == 1 and reports[-1].step == 16
    noise = np.asarray(Image.open(tmp_path / "pictures" / "relu1-3-seed3.step00000.png"))
    final = np.asarray(Image.open(tmp_path / "pictures" / "relu1-3-seed3.png"))
    assert noise.std() < final.std() and not np.array_equal(noise, final)


def test_the_activations_are_those_of_the_pictures_in_the_files(tmp_path: Path) -> None:
    net = tiny.network(input_spec=tiny.preset("unit"))
    make_figures(net, ["diversity-5a9"], SIX, tmp_path)
    choice = choose(CATALOGUE["diversity-5a9"], FigureOptions(net, SIX))
    store = Store(tmp_path / "pictures", net)
    (note,) = activation_notes(store, choice)
    assert note in (tmp_path / "diversity-5a9.html").read_text()

    simple, *facets = [
        float(word.strip(",.")) for word in note.split() if word[0].isdigit() or word[0] == "-"
    ]
    found = []
    for cell in choice.optimized:
        entries = store.find(cell.request)
        file = next(e.file for e in entries if e.row == cell.row)
        image = np.asarray(Image.open(store.folder / file), np.float32)[None] / 255
        term = cell.request.objective.terms[0]
        assert term.unit is not None
        before = net.taps[term.tap].pre_activation if cell.request.recipe.pre_activation else None
        tap = before or term.tap
        activation = net.activations(tf.constant(image), [tap])[tap]
        found.append(float(np.mean(activation[..., term.unit])))
    assert len(facets) == 4 and len(set(facets)) > 1
    # Files have 8 bits a channel, words three digits.
    assert [simple, *facets] == pytest.approx(found, rel=0.02, abs=0.01)


def test_figures_without_facets_have_no_such_words(tmp_path: Path, drawn: list[str]) -> None:
    net = tiny.network()
    make_figures(net, ["objectives"], SIX, tmp_path)
    choice = choose(CATALOGUE["objectives"], FigureOptions(net, SIX))
    assert activation_notes(Store(tmp_path / "pictures", net), choice) == []
