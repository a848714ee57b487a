"""Open the folder that a network takes passages of, and find the examples of units in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.examples.passages.sources import PassageSource, Recordings, Texts
from kerasviz.io.tokenizers import (
    IdNumbers,
    Tokenizer,
    default_tokenizer,
    read_tokenizer,
    tokenizer_of,
)
from kerasviz.network.network import Network
from kerasviz.network.sound_input import SoundInput
from kerasviz.network.token_input import TokenInput
from kerasviz.rendering.media_recipes import SOUND_SECONDS
from kerasviz.rendering.token_options import tokenizer_file

#: The media of which passages are found.
MEDIA = ("sound", "tokens")
#: The length of passages of texts where the network takes any.
TOKENS = 64


def refuse_for_passages(net: Network, given: Mapping[str, bool]) -> None:
    """Raise :class:`UsageError` for the first option that was given and is about images."""
    for name, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{name}: {net.name} takes {net.image_input.noun}s, and this is for images; leave "
                "it out"
            )


def passages_of(
    net: Network, folder: object, tokenizer: str | os.PathLike[str] | None
) -> PassageSource:
    """Return the passages of a folder of recordings or texts, as long as a network takes them.

    Raises :class:`UsageError` for a folder without any, and without a tokenizer that reads text.
    """
    if not isinstance(folder, str | os.PathLike):
        raise UsageError(
            f"images {type(folder).__name__}: expected a folder of {net.image_input.noun}s"
        )
    path, source = Path(folder), net.image_input
    fixed = net.fixed_size[1]
    if isinstance(source, TokenInput):
        padding = None if fixed is None else source.padding
        return Texts(path, _tokenizer(net, source, tokenizer), fixed or TOKENS, padding)
    refuse_for_passages(net, {"tokenizer": tokenizer is not None})
    assert isinstance(source, SoundInput)
    rate = source.samples_per_second
    return Recordings(path, rate, fixed or SOUND_SECONDS * rate, net.channels)


def _tokenizer(net: Network, ids: TokenInput, given: str | os.PathLike[str] | None) -> Tokenizer:
    file = tokenizer_file(None if given is None else os.fspath(given), net)
    if file is not None:
        data = read_tokenizer(file)
        return tokenizer_of(data, Path(file).name, ids.vocabulary)
    found = default_tokenizer(ids.vocabulary)
    if isinstance(found, IdNumbers):
        raise UsageError(
            f"{net.name}: nothing says how text is split into its {ids.vocabulary} tokens; give "
            "--tokenizer tokenizer.json"
        )
    return found
