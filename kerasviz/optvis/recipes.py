"""The presets: recipes by name, and what each is for."""

from __future__ import annotations

import json
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Fourier, Maco, Pixel, Signal, Waveform
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.tokens.search import TokenSearch
from kerasviz.optvis.transforms.axis_transform import SIGNAL_STEPS, AxisTransform
from kerasviz.optvis.transforms.presets import LUCID_STEPS, VIT_STEPS, VIVID_STEPS
from kerasviz.optvis.transforms.sound_transform import SOUND_STEPS, SoundTransform
from kerasviz.optvis.transforms.steps import Jitter, Pad
from kerasviz.optvis.transforms.transform import FoldedTransform, SequentialTransform
from kerasviz.optvis.transforms.views import Noise, ShrinkingCrop

#: The presets by name, for ``render(..., recipe="fast")`` and ``--recipe fast``.
RECIPES: dict[str, Recipe] = {
    # The article's "unless otherwise noted" (footnote on the default settings): 2560 steps.
    "article": Recipe("article", steps=2560),
    # The reference library's defaults (lucid, ``render_vis``): redirected ReLUs instead of
    # pre-activation taps, one transform for the whole batch, 513 updates for "512".
    "lucid": Recipe(
        "lucid",
        steps=513,
        transform=SequentialTransform(LUCID_STEPS),
        pre_activation=False,
        redirect_steps=17,
    ),
    # The best pictures in 128 steps. Of five variants (smaller transforms, twice the learning rate,
    # both) none had a better transfer score (scripts/quality.py) than the article's settings.
    "fast": Recipe("fast", steps=128),
    # In less time than fast: classes come out whole rather than as parts, and larger. Measured with
    # all that was tried in docs/pages/concepts/vivid.md.
    "vivid": Recipe(
        "vivid",
        steps=160,
        transform=FoldedTransform(VIVID_STEPS, scaled_from=128),
        rivals=0.3,
    ),
    # For transformers: no outlier patches, no specks, units that start, means over patches' tokens.
    # Measured with all that was tried in docs/pages/howto/transformers.md.
    "vit": Recipe(
        "vit",
        steps=120,  # as long as 128 without the mirror image, noise and limit of the transform
        parameterization=Fourier(decay_power=1.2),
        transform=FoldedTransform(VIT_STEPS, scaled_from=128),
        pre_activation="any",
        special_tokens=False,
    ),
    # Natural images by fixed magnitudes and crops that shrink (Fel et al. 2023; the constants of
    # xplique, but for 256 steps, 32 views, 512 pixels and windows from 0.5 to 0.05 there).
    # Takes three times as long as fast; measured in docs/pages/concepts/maco.md.
    "maco": Recipe(
        "maco",
        steps=128,
        size=(256, 256),
        learning_rate=1.0,
        optimizer="nadam",
        parameterization=Maco(contrast=1.2),
        transform=FoldedTransform((ShrinkingCrop(0.8, 0.35, centre_sd=0.35), Noise(0.04))),
        rivals=0.5,
        views=4,
        opacity=True,
    ),
    # What raises a score in a photo, and where (Hamblin et al. 2024): crops of the photo of all
    # sizes, and a likeness in an early layer that pulls half as hard as the score.
    "accentuation": Recipe(
        "accentuation",
        steps=100,
        size=(320, 320),
        transform=FoldedTransform((ShrinkingCrop(0.5, 0.5, 0.25, 0.3), Noise(0.02))),
        views=4,
        opacity=True,
        likeness=0.5,  # with the authors' 1 units change a cat by a few spots only
    ),
    # DeepDream of a photo (Mordvintsev, Olah, Tyka 2015): its 4 octaves of 10 steps, jitter of 32
    # pixels (less in small octaves here), and steps of 1.5 of 255, 0.024 before the sigmoid.
    "deepdream": Recipe(
        "deepdream",
        steps=40,
        size=(320, 320),
        learning_rate=0.024,
        optimizer="normalized-gradient",
        parameterization=Pixel(decorrelate=False),
        transform=FoldedTransform((Pad(16, mode="reflect"), Jitter(32)), scaled_from=320),
        pre_activation=False,
        octaves=4,
    ),
    # Signals of any axes: time series, volumes, videos, tables. Measured in
    # docs/pages/howto/signals.md.
    "signal": Recipe(
        "signal",
        steps=256,
        parameterization=Signal(),
        transform=AxisTransform(SIGNAL_STEPS),
    ),
    # Tokens that raise a score (Thompson et al. 2024): 12 of them, 300 steps of 256 sequences.
    "words": Recipe(
        "words",
        steps=300,
        size=(1, 12),
        transform=FoldedTransform(()),
        pre_activation=False,
        search=TokenSearch(),
    ),
    # For networks that take sounds: waves of fixed loudness, by frequency. Measured in
    # docs/pages/howto/sound.md.
    "sound": Recipe(
        "sound",
        steps=512,
        parameterization=Waveform(decay_power=0.5, sparsity=2.0),
        transform=SoundTransform(SOUND_STEPS),
    ),
    # From a recording: what raises a score in it, as accentuation does with a photo.
    "sound-accentuation": Recipe(
        "sound-accentuation",
        steps=100,
        parameterization=Waveform(),
        transform=SoundTransform(SOUND_STEPS),
        likeness=0.5,
    ),
}

#: What each preset is for, in a sentence for people who choose one.
RECIPE_SUMMARIES: dict[str, str] = {
    "article": "As in the article: the most steps, for pictures to be compared with its figures.",
    "lucid": "The defaults of the library lucid: other transforms, for pictures as its users know.",
    "fast": "The article's settings in few steps: what most units need to be recognized.",
    "vivid": "As quick as fast, with crops and rivals: one whole thing rather than its texture.",
    "vit": "For transformers: crops, more contrast, units before their GELU, patches alone.",
    "maco": "The spectrum stays that of photos, only phases change: natural, and transparent.",
    "accentuation": "From a photo: what raises the score in it, and where the score depends on it.",
    "deepdream": "From a photo: dreams a layer or unit into it, in sizes from small to large.",
    "signal": "For networks that take no images: signals, volumes, videos and tables.",
    "words": "For networks of tokens: a search for the sequences that raise a score.",
    "sound": "For networks that take sounds: a wave of fixed loudness, by its frequencies.",
    "sound-accentuation": "From a recording: what raises the score in it, as loud as it was.",
}
#: The recipe that ``fast``, the usual one, stands for in networks that take another medium.
OF_MEDIA = {"signal": "signal", "sound": "sound", "tokens": "words"}


def recipe(name_or_file: str | Path | Recipe) -> Recipe:
    """Return a preset by name, or the recipe in a JSON file.

    >>> recipe("fast").steps
    128
    """
    if isinstance(name_or_file, Recipe):
        return name_or_file
    if str(name_or_file) in RECIPES:
        return RECIPES[str(name_or_file)]
    path = Path(name_or_file)
    if path.suffix != ".json":
        raise UsageError(
            f"unknown recipe {str(name_or_file)!r}; choose from {', '.join(RECIPES)} or give a "
            ".json file"
        )
    if not path.is_file():
        raise UsageError(f"no recipe file {str(path)!r}")
    try:
        data = json.loads(path.read_text())
        if not isinstance(data, dict):
            raise TypeError("expected an object")
        return Recipe.from_json(data)
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"recipe file {str(path)!r} cannot be read: {error}") from error
