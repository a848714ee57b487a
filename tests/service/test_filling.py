"""The settings of pictures that pages request themselves."""

from __future__ import annotations

from pathlib import Path

from support import sounds, tiny, tokens, words

from kerasviz.optvis.recipes import RECIPES
from kerasviz.service.filling import LARGE_STEPS, ROUGH_SIDE, ROUGH_STEPS, STEPS, filling_of


def test_rough_pictures_are_small_where_the_network_takes_small_images() -> None:
    found = filling_of(tiny.network())
    assert found["rough"] == {"recipe": "vivid", "steps": ROUGH_STEPS, "size": ROUGH_SIDE}
    assert found["good"] == {"recipe": "vivid", "steps": RECIPES["vivid"].steps}


def test_networks_of_one_size_get_pictures_of_that_and_tokens_their_recipe() -> None:
    net = tokens.network()
    found = filling_of(net)
    assert found["good"]["recipe"] == "vit"
    small = net.fitting_size((64, 64)) == (64, 64)
    assert ("size" in found["rough"]) == small
    assert found["rough"]["steps"] == (ROUGH_STEPS if small else LARGE_STEPS)


def test_other_media_have_their_recipe_and_steps_that_take_seconds(tmp_path: Path) -> None:
    for net in (sounds.listener(), words.load(words.bag(tmp_path))):
        found = filling_of(net)
        usual = {"sound": "sound", "tokens": "words"}[net.medium]
        assert found["rough"] == {"recipe": usual, "steps": STEPS[net.medium]}
        assert found["good"] == {"recipe": usual, "steps": RECIPES[usual].steps}
