"""Find the medium of a network."""

from __future__ import annotations

import numpy as np

from kerasviz.io.tokenizers import default_tokenizer
from kerasviz.network.network import Network
from kerasviz.network.signal_input import SignalInput
from kerasviz.network.sound_input import SoundInput
from kerasviz.network.token_input import TokenInput
from kerasviz.rendering.media.image import IMAGES
from kerasviz.rendering.media.medium import Medium
from kerasviz.rendering.media.signal import SignalMedium
from kerasviz.rendering.media.sound import SoundMedium
from kerasviz.rendering.media.tokens import TokenMedium
from kerasviz.types import Size


def medium_of(net: Network) -> Medium:
    """Return how what a network takes is shown."""
    if not net.takes_images:
        return IMAGES
    found = net.image_input
    if isinstance(found, SoundInput):
        return SoundMedium(found.samples_per_second)
    if isinstance(found, SignalInput):
        return SignalMedium(found, net.require_input_spec())
    if isinstance(found, TokenInput):
        return TokenMedium(default_tokenizer(found.vocabulary))
    return IMAGES


def picture_size(net: Network, size: Size) -> Size:
    """Return (height, width) of the files of pictures that are optimized in a size."""
    medium = medium_of(net)
    if medium is IMAGES:
        return size
    middle = 0.0 if net.medium == "tokens" else 0.5
    width, height = medium.pil(np.full((*size, net.channels), middle, np.float32)).size
    return height, width
