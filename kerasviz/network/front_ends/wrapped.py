"""Put a front end before a network, so that it takes sounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard, card_named, card_names, card_of
from kerasviz.network.front_ends.program import FrontEndProgram
from kerasviz.network.front_ends.streaming import StreamCard, StreamingProgram
from kerasviz.network.network import Network
from kerasviz.network.sound_input import SOUND_SPEC


def with_front_end(net: Network, front_end: str | Path | Mapping[str, Any]) -> Network:
    """Return a network that takes sounds, by a front end before it.

    Args:
        net: A network of spectrograms, or a recurrent one of pieces of sound.
        front_end: The name of a card, a JSON file of one, or its settings.

    Raises:
        UsageError: For an unknown card, and a network that takes no spectrograms of it.
    """
    if net.front_end is not None:
        raise UsageError(f"{net.name} has a front end; leave out the second one")
    card = card_of(front_end)
    usual: int | None = None
    axes: str | None = None
    program: FrontEndProgram | StreamingProgram
    if isinstance(card, FrontEndCard):
        program = FrontEndProgram(net.program, card)
        usual, axes = program.usual_samples, "batch,time"
    else:
        program = StreamingProgram(net.program, card)
    return replace(
        net,
        program=program,
        front_end=card,
        input_spec=SOUND_SPEC,
        trained_size=None if usual is None else (1, usual),
        origins={**net.origins, "input": "the front end"},
        axes=axes,
        rate=card.rate,
        data={name: array for name, array in net.data.items() if name in program.inputs},
        image=None,
    )


def as_recorded(net: Network, recorded: Mapping[str, Any]) -> Network:
    """Return a network whose input is read as a record of it says."""
    front_end = recorded.get("front_end")
    if front_end is None:
        return net.with_axes(recorded.get("axes"), recorded.get("rate"))
    if net.front_end is None:
        return with_front_end(net, front_end)
    return net


def reading_of(net: Network) -> dict[str, Any]:
    """Return the settings by which a network's input is read: a front end, or axes and a rate."""
    if net.front_end is not None:
        return {"front_end": text_of_card(net.front_end)}
    return {"axes": net.axes, "rate": net.rate}


def text_of_card(card: FrontEndCard | StreamCard) -> str:
    """Return the name of a card, or its settings as JSON, as an option takes them.

    >>> text_of_card(card_named("yamnet"))
    'yamnet'
    """
    known = (name for name in card_names() if card_named(name) == card)
    return next(known, json.dumps(card.to_json(), sort_keys=True))
