"""Facets, spectra, latents and trust in the page of the service, with real small renders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from kerasviz.network.input_spec import preset

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from safetensors.numpy import save_file
from support.facet_fixtures import write_themes
from support.running_service import running, small_network
from support.shown import shown_width

from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

Visit = Callable[..., Any]
#: Milliseconds that anything may take: a worker that starts has to import TensorFlow.
PATIENCE = 120_000
COLOURS = {"red": (200, 60, 60), "blue": (60, 60, 200)}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """A service of a network and a judge, which is the same network, with a worker."""
    model = small_network(tmp_path_factory.mktemp("network") / "small.onnx")
    judge = shutil.copy(model, model.with_name("judge.onnx"))
    reading = ModelSource(input_spec=preset("unit"))
    setting = ServiceSettings(
        tmp_path_factory.mktemp("data"),
        (str(model), str(judge)),
        reading=reading,
        allow_upload=True,
    )
    with running(setting) as address:
        yield address


@pytest.fixture
def watch(open_page: Visit, address: str) -> Visit:
    """Open the composer with a target, which renders quickly, and watch what goes wrong."""

    def watch(target: str) -> Any:
        watched = open_page(f"{address}/#/small/compose?target={quote(target)}")
        page = watched.page
        page.set_default_timeout(PATIENCE)
        page.get_by_label("Size").fill("16")
        page.get_by_label("Steps").fill("3")
        page.get_by_label("Steps").press("Tab")
        return watched

    return watch


@pytest.fixture
def compose(watch: Visit) -> Visit:
    """Open the composer with a target, and return its page."""
    return lambda target: watch(target).page


def render(page: Any) -> Any:
    """Render, and return the body of the request."""
    with page.expect_request(lambda one: one.method == "POST") as asked:
        page.get_by_role("button", name="Render the sum").click()
    return asked.value.post_data_json


def test_facets_of_photos_are_named_rendered_and_kept(compose: Visit, tmp_path: Path) -> None:
    themes = write_themes(tmp_path / "themes", COLOURS, count=3)
    page = compose("wide:1")
    page.locator("summary", has_text="Facets").click()
    page.get_by_role("button", name="Add a facet").click()
    page.get_by_role("button", name="Render the sum").click()
    line = page.locator(".composer [role=alert]:visible").first
    assert "Give each facet a name" in line.inner_text()
    page.get_by_role("button", name="Remove facet 1").click()
    page.locator("#facet-folders-folder").set_input_files(themes)
    page.wait_for_function("() => document.querySelectorAll('.facets li').length === 2")
    names = page.locator(".facets input[aria-label^=Name]")
    assert sorted(field.input_value() for field in names.all()) == ["blue", "red"]
    assert page.locator(".facets .thumbnails img").count() == 6
    asked = render(page)
    assert {name: len(photos) for name, photos in asked["facets"].items()} == {"blue": 3, "red": 3}
    pictures = page.locator(".facet-pictures li")
    pictures.nth(2).wait_for()
    words = pictures.all_inner_texts()
    assert words[0].startswith("not steered") and len(words) == 3
    assert all("red" in text and "blue" in text for text in words)
    page.reload()
    page.locator(".facet-pictures li").nth(2).wait_for()  # the job is found again
    assert sorted(field.input_value() for field in names.all()) == ["blue", "red"]
    assert render(page)["facets"] == asked["facets"]


def test_photos_lend_their_spectrum_and_all_is_there_after_a_reload(
    compose: Visit, tmp_path: Path
) -> None:
    themes = write_themes(tmp_path / "themes", COLOURS, count=2)
    page = compose("wide:2")
    page.locator("summary", has_text="The spectrum of your own photos").click()
    page.locator("#spectrum-photos").set_input_files(sorted((themes / "red").iterdir()))
    page.locator(".start [role=status]", has_text="2 photos").wait_for()
    assert page.get_by_label("Recipe").input_value() == "maco", "chosen with them"
    page.locator("#start-file").set_input_files(themes / "blue" / "0.png")
    page.locator("#start-file + label", has_text="Another photo").wait_for()
    page.locator("#style-file").set_input_files(themes / "blue" / "1.png")
    page.locator("#style-file + label", has_text="Another style").wait_for()
    page.locator("#target").fill("wide:2")
    page.get_by_label("Transparent").check()
    page.get_by_label("What is optimized").select_option("maco")
    page.reload()
    page.locator("#style-file + label", has_text="Another style").wait_for()
    for chosen in ("#start-file", "#style-file"):
        image = page.locator(f".start:has({chosen}) > img")
        assert shown_width(image) == 26
    assert page.get_by_label("Transparent").is_checked()
    assert page.get_by_label("What is optimized").input_value() == "maco"
    page.get_by_role("button", name="Start from noise").click()
    page.get_by_label("Transparent").uncheck()
    asked = render(page)
    assert len(asked["spectrum"]) == 2 and (asked["recipe"], asked["param"]) == ("maco", "maco")
    assert "from" not in asked and "style" not in asked
    page.locator(".slot img[src^='/pictures/']").wait_for()


def test_an_autoencoder_is_brought_and_its_latent_is_on(compose: Visit, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    arrays = {
        "W_enc": np.abs(draw.normal(size=(8, 20))),
        "W_dec": draw.normal(size=(20, 8)),
        "b_enc": np.zeros(20),
        "b_dec": np.zeros(8),
    }
    save_file({k: v.astype(np.float32) for k, v in arrays.items()}, tmp_path / "sae.safetensors")
    (tmp_path / "cfg.json").write_text(json.dumps({"architecture": "topk", "k": 20}))
    page = compose("first:1")
    page.locator("#directions-file").set_input_files(tmp_path / "sae.safetensors")
    row = page.locator(".directions li")
    row.get_by_text("Add its cfg.json").wait_for()
    row.locator("input").set_input_files(tmp_path / "cfg.json")
    row.get_by_text("sparse autoencoder of 20 latents, gate topk").wait_for()
    term = page.locator(".terms li").first
    term.get_by_label("Kind of term").select_option("latent")
    term.get_by_label("Number of the latent").fill("7")
    assert page.locator("#target").input_value() == "first@sae.safetensors#latent=7"
    assert render(page)["targets"] == ["first@sae.safetensors#latent=7"]
    line = page.locator(".latents li")
    line.wait_for()
    assert line.inner_text().startswith("Latent 7 is on at ")
    assert "of 20 before the gate" in line.inner_text()


def test_pictures_are_compared_with_photos_and_a_judge(watch: Visit, tmp_path: Path) -> None:
    themes = write_themes(tmp_path / "themes", COLOURS, count=3)
    watched = watch("logit:1")
    page = watched.page
    render(page)
    trust = page.locator("section.trust")
    trust.get_by_role("button", name="Compare", exact=True).click()
    line = trust.locator("[role=alert]:visible")
    line.wait_for()
    assert "give photos, a judge, or a second picture" in line.inner_text()
    assert "status of 422" in watched.problems.pop()  # the browser tells of the refusal too
    trust.locator("#trust-photos-folder").set_input_files(themes)
    trust.locator("[role=status]", has_text="6 photos").wait_for()
    trust.get_by_label("A second network").select_option("judge")
    trust.get_by_role("button", name="Compare", exact=True).click()
    numbers = trust.locator(".trusted li")
    numbers.wait_for()
    names = numbers.locator("dt").all_inner_texts()
    assert names[0] == "against photos" and "seen by judge" in names
    page.goto(page.url.split("#")[0] + "#/jobs")
    job = page.locator(".jobs li", has_text="How far to trust 1 picture")
    job.get_by_role("link").click()
    page.locator(".trusted li dt", has_text="seen by judge").wait_for()
    page.goto(page.url.split("#")[0] + "#/small/unit?layer=logits&unit=1")
    page.locator(".trusted li dt", has_text="seen by judge").wait_for()
