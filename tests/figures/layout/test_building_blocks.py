"""Figures about one photo show the numbers of the network, on maps and on rows of tokens."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from support.analysed import of_keras, tokens_of_keras, tokens_of_onnx

import kerasviz
from kerasviz.figures.catalogue.building_blocks import (
    ACTIVATION_GRID,
    BUILDING_BLOCKS,
    CHANNEL_ATTRIBUTION,
    GRIDS_OF_LAYERS,
    NEURON_GROUPS,
    SEMANTIC_DICTIONARY,
    SPATIAL_ATTRIBUTION,
)
from kerasviz.figures.layout.article_outline import article_outline
from kerasviz.figures.layout.build import choose, choose_all
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import GradientTile, OptimizedTile
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.photos import read_photo

FAST = recipe("fast").replace(steps=2, size=(16, 16))
NETS = {
    "keras": lambda: of_keras(side=16),
    "tokens of keras": tokens_of_keras,
    "tokens of onnx": tokens_of_onnx,
}


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    pixels = np.random.default_rng(5).integers(0, 256, (16, 16, 3), np.uint8)
    path = tmp_path_factory.mktemp("photos") / "noise.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module", params=list(NETS))
def options(request, photo):
    net = NETS[request.param]()
    return FigureOptions(net.focused(list(net.taps)), FAST, photos=(photo,))


def values(options, tap):
    image = read_photo(options.photos[0], (16, 16), 3)
    found = options.net.activations(image[None], [tap, "logits"])
    return found[tap].numpy()[0], found["logits"].numpy()[0], image


def on_map(found):
    """Rows of 17 tokens have a special one first."""
    return found if found.ndim == 3 else found[1:].reshape(4, 4, -1)


def test_a_dictionary_has_the_largest_activations_of_its_positions(options):
    layout = choose(SEMANTIC_DICTIONARY, options)
    assert 1 <= len(layout.blocks) <= 3
    for block in layout.blocks:
        mark, *units = block.places
        tap = block.layers[0]
        found = on_map(values(options, tap)[0])
        assert isinstance(mark, GradientTile)
        y, x, height, width = mark.numbers
        assert (height, width) == found.shape[:2]
        shown = [float(tile.label) for tile in units]
        np.testing.assert_allclose(shown, np.sort(found[y, x])[::-1][:5], rtol=0.01, atol=1e-6)
        by_number = [found[y, x, tile.unit] for tile in units]
        np.testing.assert_allclose(shown, by_number, rtol=0.01, atol=1e-6)
    assert any("Photo: noise, as the network sees it" in note for note in layout.notes)


def test_a_grid_has_the_vector_of_every_position(options):
    layout = choose(ACTIVATION_GRID, options)
    photo, grid = layout.blocks
    assert isinstance(photo.places[0], GradientTile)
    found = on_map(values(options, grid.layers[0])[0])
    height, width = (min(14, n) for n in found.shape[:2])
    assert (len(grid.places), grid.columns) == (height * width, width)
    assert all(tile.share == 1 for tile in grid.optimized)
    if found.shape[:2] == (height, width):
        for k, tile in enumerate(grid.optimized):
            vector = found[divmod(k, width)]
            wanted = vector / (np.linalg.norm(vector) or 1)
            np.testing.assert_allclose(tile.request.objective.terms[0].vector, wanted, atol=1e-3)
    else:
        assert any("largest activations of several positions" in note for note in layout.notes)


def test_icons_of_layers_are_as_large_as_their_vectors_are_long(options):
    layout = choose(GRIDS_OF_LAYERS, options)
    _, *grids = layout.blocks
    assert len(grids) > 1
    for grid in grids:
        sides = np.array([tile.share for tile in grid.optimized])
        assert sides.max() == 1 and len(set(sides)) > 3
        found = on_map(values(options, grid.layers[0])[0])
        if found.shape[0] * found.shape[1] == len(sides):
            norms = np.linalg.norm(found, axis=-1).ravel()
            np.testing.assert_allclose(sides, norms / norms.max(), atol=1e-3)


def test_positions_add_up_to_the_logits(options):
    layout = choose(SPATIAL_ATTRIBUTION, options)
    assert len(layout.blocks) == 2
    _, logits, _ = values(options, "logits")
    best = np.argsort(-logits)[:2]
    for block, number in zip(layout.blocks, best, strict=True):
        assert str(number) in block.title
        *_, last = block.places
        assert isinstance(last, GradientTile) and last.kind == "overlay"
        # Behind the last layer these networks are linear, so all of the logit is from it.
        special = 0.0
        if "tokens" in options.net.taps:
            special = float(last.label) - np.sum(last.numbers)
        total = np.sum(last.numbers) + special
        assert total == pytest.approx(float(logits[number]), rel=0.02, abs=0.01)
        assert float(last.label) == pytest.approx(float(logits[number]), rel=0.02, abs=0.01)


def test_units_for_and_against_a_class(options):
    layout = choose(CHANNEL_ATTRIBUTION, options)
    _, logits, _ = values(options, "logits")
    titles = [block.title for block in layout.blocks]
    assert titles[0] == f"For {options.net.classes.describe(int(logits.argmax()))}"
    for block in layout.blocks:
        shares = [float(tile.label) for tile in block.optimized]
        sign = 1 if block.title.startswith("For") else -1
        assert all(sign * share > 0 for share in shares)
        assert shares == sorted(shares, key=lambda n: -abs(n))


def test_groups_have_a_place_and_a_direction_each(options):
    layout = choose(NEURON_GROUPS, options)
    for places, icons in zip(layout.blocks[::2], layout.blocks[1::2], strict=True):
        assert len(places.places) == len(icons.optimized) > 1
        found = on_map(values(options, icons.layers[0])[0])
        total = np.zeros(found.shape)
        for tint, icon in zip(places.places, icons.optimized, strict=True):
            strength = np.array(tint.numbers[1])
            assert strength.max() == pytest.approx(1) and strength.min() >= 0
            vector = np.array(icon.request.objective.terms[0].vector)
            # The strength of a group is in no tile: fit it.
            total += strength[..., None] * vector * (found * strength[..., None] @ vector).mean()
        cosine = (total * found).sum() / np.linalg.norm(total) / np.linalg.norm(found)
        assert cosine > 0.5


def test_without_photos_it_is_about_one_of_the_package():
    layout = choose(ACTIVATION_GRID, FigureOptions(of_keras(side=16), FAST, quick=True))
    assert any("Photo: cat, from scikit-image" in note for note in layout.notes)


def test_a_network_of_names_only_cannot_be_asked():
    layouts, failed = choose_all(
        [*BUILDING_BLOCKS.values()], FigureOptions(article_outline(), FAST)
    )
    assert not layouts and set(failed) == set(BUILDING_BLOCKS)
    assert failed["neuron-groups"].endswith("is about a photo; count it with --model NAME")


def test_a_network_without_classes_has_dictionaries_and_grids(photo):
    layers = keras.layers
    maps = keras.Sequential(
        [layers.Input((16, 16, 3)), layers.Conv2D(4, 3, activation="relu", name="first")]
    )
    net = kerasviz.load(maps, preprocess="unit")
    shown = FigureOptions(net, FAST, photos=(photo, photo))
    layouts, failed = choose_all([SEMANTIC_DICTIONARY, SPATIAL_ATTRIBUTION, NEURON_GROUPS], shown)
    assert [layout.figure.slug for layout in layouts] == ["semantic-dictionary"]
    assert "the first of 2 photos" in " ".join(layouts[0].notes)
    assert set(failed) == {"spatial-attribution", "neuron-groups"}
    assert all("no class logits" in reason for reason in failed.values())


def test_quick_grids_have_fewer_cells(photo):
    quick = FigureOptions(of_keras(side=16), FAST, photos=(photo,), quick=True)
    whole = FigureOptions(of_keras(side=16), FAST, photos=(photo,))
    few, many = (len(choose(ACTIVATION_GRID, o).blocks[1].places) for o in (quick, whole))
    assert few < many
    assert all(isinstance(t, OptimizedTile) for t in choose(ACTIVATION_GRID, quick).blocks[1].tiles)
