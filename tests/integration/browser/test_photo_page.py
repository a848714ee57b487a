"""The sliders of a picture that starts from a photo, in a page that is opened as a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.tiny import network

import kerasviz

Open = Callable[..., Any]
SIZE = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("accented")
    coarse = np.random.default_rng(0).integers(60, 200, (6, 6, 3)).astype(np.uint8)
    photo = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    recipe = kerasviz.RECIPES["accentuation"].replace(likeness=0.0, views=1)
    options: dict[str, Any] = {"steps": 6, "size": SIZE, "precision": "float32", "progress": False}
    kerasviz.render(
        network(),
        "joined:1",
        from_=photo,
        recipe=recipe,
        snapshots=[0, 3],
        out=path,
        learning_rate=0.5,
        **options,
    )
    return path


def pixels(shown: Any) -> Any:
    """The picture as it is shown, in its own size."""
    image = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), np.float64)


def of_file(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def test_steps_and_masks_are_chosen_by_sliders(folder: Path, open_page: Open) -> None:
    watched = open_page((folder / "index.html").as_uri())
    page = watched.page
    shown, form = page.locator("figure.card > .picture svg"), page.locator("form.accent")
    step, share = form.locator("[name=step]"), form.locator("[name=mask]")
    stem = "joined-1-from-photo_0"
    start, middle, made = (
        of_file(folder / f"{stem}{end}.png") for end in (".step00000", ".step00003", "")
    )
    assert form.is_visible() and not page.locator("figure.card > .picture img").is_visible()

    def nearest() -> str:
        found = {"photo": start, "middle": middle, "made": made}
        return min(found, key=lambda name: float(np.abs(found[name] - pixels(shown)).mean()))

    assert nearest() == "made" and form.locator("output").all_inner_texts() == ["6", "0 %"]
    step.fill("1")
    assert nearest() == "middle" and form.locator("output").first.inner_text() == "3"
    step.fill("0")
    assert nearest() == "photo"
    step.fill("2")
    share.fill("100")
    assert nearest() == "photo" and form.locator("output").last.inner_text() == "100 %"
    share.fill("60")
    mask = of_file(folder / f"{stem}.mask.png")[..., 0] / 255
    seen, most = pixels(shown), (mask > 0.6)[..., None]
    away = [
        np.abs(seen - np.where(most, *pair))[np.abs(mask - 0.6) > 0.05].mean()
        for pair in ((made, start), (start, made))
    ]
    assert away[0] < 0.5 * away[1]
    assert all(address.startswith("file://") for address in watched.addresses)
