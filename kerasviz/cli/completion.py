"""Complete models, taps, recipes and figures in the shell, without importing TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from kerasviz.io.files import cache_folder, write_atomically

if TYPE_CHECKING:
    import click

    from kerasviz.network.network import Network

#: Names of the presets in ``optvis/recipes.py``, whose import takes seconds.
RECIPE_NAMES = (
    *("article", "lucid", "fast", "vivid", "vit", "maco", "accentuation", "deepdream"),
    *("signal", "words", "sound", "sound-accentuation"),  # of other media
)
#: The beginnings of targets that name no tap.
CLASSES = ("logit:", "prob:")


def complete_models(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem]:
    """Offer the names of the zoo, and files."""
    from kerasviz.zoo.model_card import cards

    files = CompletionItem(text, type="file")  # first: shells begin a new list there
    return [files, *_beginning_with(text, cards())]


def complete_taps(ctx: click.Context, _: click.Parameter, text: str) -> list[CompletionItem]:
    """Offer the modules and taps of the model that was named, if it was loaded before."""
    model = ctx.params.get("model")
    names = [] if model is None else _remembered(model)
    return _beginning_with(text, [*names, *CLASSES])


def complete_recipes(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem]:
    """Offer the presets, and files of recipes."""
    return [CompletionItem(text, type="file"), *_beginning_with(text, RECIPE_NAMES)]


def complete_figures(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem]:
    """Offer the names of the figures of all articles."""
    from kerasviz.figures.catalogue.articles import FIGURES

    return _beginning_with(text, FIGURES)


def _beginning_with(text: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(text)]


def remember_taps(net: Network) -> None:
    """Keep the names of a network's modules and taps in the user's cache, for completion."""
    path = _file(net.identity.sha256)
    if not path.exists():
        names = list(dict.fromkeys((*net.main_taps, *net.map.names(), *net.taps)))
        with suppress(OSError):  # a cache that cannot be written is no reason to fail
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(names).encode())


def _remembered(model: str) -> list[str]:
    """Return the names of a file or of a network of the zoo, empty if it was not loaded yet."""
    from kerasviz.io.download import sha256_of
    from kerasviz.zoo.model_card import cards

    if Path(model).exists():
        sha256 = sha256_of(Path(model))
    else:
        sha256 = cards()[model].sha256 if model in cards() else ""
    path = _file(sha256)
    return list(json.loads(path.read_text())) if sha256 and path.is_file() else []


def _file(sha256: str) -> Path:
    return cache_folder() / "taps" / f"{sha256}.json"
