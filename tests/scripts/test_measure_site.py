"""scripts/measure_site.py: how long a place of a page was blank, from frames of it."""

import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "measure_site.py"
BLANK, WHITE = (255, 0, 255), (255, 255, 255)


@pytest.fixture(scope="module")
def measure_site():
    spec = importlib.util.spec_from_file_location("measure_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def frame(scrolled, top=None, high=40):
    """What a window of 64 x 128 shows, with a place of the page that is blank."""
    pixels = np.full((128, 64, 3), WHITE, np.uint8)
    if top is not None:
        pixels[max(0, top - scrolled) : max(0, top + high - scrolled)] = BLANK
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60, subsampling=2)
    return buffer.getvalue()


def test_a_place_is_blank_from_when_it_is_seen_until_it_is_drawn(measure_site):
    film = measure_site.Film()
    film.add(frame(0), 1.0, 0)
    film.add(frame(0, 20), 1.1, 0)
    film.add(frame(10, 20), 1.2, 10)  # it moves as the page is scrolled
    film.add(frame(10), 1.5, 10)
    film.end(9.0)
    assert film.longest == pytest.approx(0.4)
    assert (film.wrong, len(film.frames)) == (2, 4)


def test_what_leaves_the_window_is_blank_no_longer(measure_site):
    film = measure_site.Film()
    for k, scrolled in enumerate((0, 30, 60, 90, 120)):
        film.add(frame(scrolled, 20), k / 10, scrolled)
    film.end(9.0)
    assert 0.1 <= film.longest <= 0.25


def test_each_place_counts_by_itself(measure_site):
    film = measure_site.Film()
    for k in range(20):  # another place is blank each time
        film.add(frame(200 * k, 200 * k + 40), k / 10, 200 * k)
    film.end(1.9)
    assert film.wrong == 20
    assert film.longest == pytest.approx(0.1)


def test_what_is_blank_to_the_end_counts(measure_site):
    film = measure_site.Film()
    film.add(frame(0, 20), 1.0, 0)
    film.end(3.0)
    assert film.longest == pytest.approx(2.0)
