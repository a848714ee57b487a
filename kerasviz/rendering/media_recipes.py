"""Recipes for what a network takes: the usual one of its medium, and the lengths of its axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kerasviz.errors import UsageError, finite_number
from kerasviz.network.axes import positions_in
from kerasviz.network.network import Network
from kerasviz.network.signal_input import SignalInput
from kerasviz.network.size import lengths_of
from kerasviz.network.sound_input import SoundInput
from kerasviz.network.token_input import TokenInput
from kerasviz.optvis.parameterizations import Signal, Waveform
from kerasviz.optvis.recipe import Recipe, media_of_recipe
from kerasviz.optvis.recipes import OF_MEDIA, RECIPES
from kerasviz.optvis.transforms.axis_steps import SPACES
from kerasviz.optvis.transforms.axis_transform import AxisTransform
from kerasviz.optvis.transforms.sound_transform import SoundTransform
from kerasviz.rendering.recipe_options import RecipeOptions

#: The recipe that stands for that of the medium.
USUAL = "fast"
#: The length of a free axis: moments without a rate, seconds with one, and places in space.
MOMENTS = 1024
SECONDS = 4
#: The seconds of a sound of any length, and the longest that are made.
SOUND_SECONDS = 2
LONGEST = 600
MOST_MOMENTS = 8192
PLACES = 32


def options_of_medium(options: RecipeOptions, net: Network, usual: str = USUAL) -> RecipeOptions:
    """Return options in which the usual recipe stands for that of the network's medium.

    Raises :class:`UsageError` for a recipe of another medium.
    """
    if net.medium == "image" or options.recipe != usual:
        check_medium(replace(options, spectrum=None).chosen(), net)  # photos are read later
        return options
    return replace(options, recipe=OF_MEDIA[net.medium])


def check_medium(recipe: Recipe, net: Network) -> None:
    """Raise :class:`UsageError` for a recipe that makes none of what a network takes."""
    media = media_of_recipe(recipe)
    if net.medium in media:
        return
    fitting = [name for name, r in RECIPES.items() if net.medium in media_of_recipe(r)]
    made = "sequences of tokens" if media[0] == "tokens" else f"{media[0]}s"
    raise UsageError(
        f"recipe {recipe.name}: makes {made}, and {net.name} takes {net.image_input.noun}s; "
        f"choose {', '.join(fitting)}"
    )


def of_medium(recipe: Recipe, net: Network) -> Recipe:
    """Return the recipe of a network's medium in place of one for images, with its changes."""
    if net.medium == "image" or net.medium in media_of_recipe(recipe):
        return recipe
    if recipe.name != USUAL:
        check_medium(recipe, net)
    base, usual = RECIPES[USUAL], RECIPES[OF_MEDIA[net.medium]]
    kept = ("steps", "precision", "patience", "cutoff", "size")
    changes = {n: getattr(recipe, n) for n in kept if getattr(recipe, n) != getattr(base, n)}
    return usual.replace(**changes)


def sized(recipe: Recipe, net: Network, size: Any = None) -> Recipe:
    """Return a recipe in the size of the signals that a network takes.

    ``size`` has the lengths of the axes of positions, one number for all that are free.
    """
    signal = net.image_input
    if isinstance(signal, TokenInput):
        return recipe.replace(size=(1, _token_count(signal, size, net)))
    assert isinstance(signal, SignalInput)
    lengths = _given_lengths(signal, size, net) if size is not None else _usual_lengths(signal, net)
    return recipe.replace(size=signal.size_of(lengths))


def _token_count(ids: TokenInput, size: Any, net: Network) -> int:
    """Return the number of tokens: the only one that a network takes, else the given or usual."""
    given = None if size is None else lengths_of(size)[-1]
    (fixed,) = ids.lengths
    if given is not None and fixed not in (None, given):
        raise UsageError(f"{net.name} takes sequences of {fixed} tokens only, not {given}")
    return fixed or given or RECIPES[OF_MEDIA["tokens"]].size[1]


def size_of_seconds(seconds: float, net: Network) -> tuple[int, ...]:
    """Return the length of a signal of time of some seconds.

    Raises :class:`UsageError` for networks of other inputs, and for lengths that are none.
    """
    finite_number("seconds", seconds, "2.5")
    signal = net.image_input
    if not isinstance(signal, SignalInput) or not signal.rate or len(signal.positions) != 1:
        raise UsageError(
            f"seconds: {net.name} takes {signal.noun}s whose rate is not known; give --rate HZ (in "
            "Python: rate=), or --size"
        )
    samples = round(seconds * signal.rate)
    if not 1 <= samples <= LONGEST * signal.rate:
        raise UsageError(f"seconds {seconds:g}: expected above 0 and at most {LONGEST}")
    return (samples,)


def _usual_lengths(signal: SignalInput, net: Network) -> tuple[int, ...]:
    if isinstance(signal, SoundInput):
        usual = net.trained_size[1] if net.trained_size else SOUND_SECONDS * (signal.rate or 0)
        return (signal.lengths[0] or usual,)
    moments = min(MOST_MOMENTS, SECONDS * signal.rate) if signal.rate else MOMENTS
    pairs = zip(signal.positions, signal.lengths, strict=True)
    return tuple(n or (PLACES if axis in SPACES else moments) for axis, n in pairs)


def _given_lengths(signal: SignalInput, size: Any, net: Network) -> tuple[int, ...]:
    given = lengths_of(size)
    axes = ",".join(signal.positions) or "none"
    if len(given) == 1:
        given = (
            tuple(n or given[0] for n in signal.lengths)
            if None in signal.lengths
            else (given * len(signal.lengths))
        )
    if len(given) != len(signal.lengths):
        raise UsageError(
            f"size {size}: {net.name} takes signals with {len(signal.lengths)} axes of positions "
            f"({axes}); give as many numbers, or one"
        )
    for only, length in zip(signal.lengths, given, strict=True):
        if only not in (None, length) and isinstance(signal, SoundInput):
            takes, gives = (f"{n} samples ({n / (net.rate or 1):.4g} s)" for n in (only, length))
            raise UsageError(f"{net.name} takes sounds of {takes} only, not {gives}")
        if only not in (None, length):
            want = "x".join("any" if n is None else str(n) for n in signal.lengths)
            shown = "x".join(map(str, given))
            raise UsageError(f"{net.name} takes signals of {want} only, not {shown}")
    return given


def along_axes(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe whose parameterization and transform know the axes of a network's signals."""
    if net.medium == "sound":
        return _at_rate(recipe, net)
    signal = net.image_input if net.medium == "signal" else None
    if not isinstance(signal, SignalInput):
        return recipe
    lengths = signal.lengths_in(recipe.size) or (1,)
    axes = positions_in(signal.axes) or ("space",)
    changes: dict[str, Any] = {}
    if isinstance(recipe.parameterization, Signal):
        changes["parameterization"] = recipe.parameterization.along(lengths)
    if isinstance(recipe.transform, AxisTransform):
        changes["transform"] = recipe.transform.along(axes, lengths)
    return recipe.replace(**changes) if changes else recipe


def _at_rate(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe whose parameterization and transform know the rate of a network's sounds.

    Raises :class:`UsageError` for one of another rate.
    """
    changes: dict[str, Any] = {}
    assert net.rate is not None
    for name in ("parameterization", "transform"):
        part = getattr(recipe, name)
        if isinstance(part, Waveform | SoundTransform):
            if part.rate not in (0, net.rate):
                raise UsageError(
                    f"recipe {recipe.name}: sounds of {part.rate} Hz, and {net.name} takes "
                    f"{net.rate} Hz; leave the rate out of the recipe"
                )
            changes[name] = replace(part, rate=net.rate)
    return recipe.replace(**changes)
