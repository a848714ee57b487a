from __future__ import annotations

import numpy as np
from support.signals import matcher
from support.tiny import network

from kerasviz.rendering.media.image import IMAGES
from kerasviz.rendering.media.media import medium_of
from kerasviz.rendering.media.signal import SignalMedium


def test_each_network_has_its_medium():
    assert medium_of(network()) is IMAGES
    assert isinstance(medium_of(matcher(np.ones((3, 1)), (9,))), SignalMedium)
    assert IMAGES.companions(np.ones((2, 2, 3))) == {} and IMAGES.suffixes == ()
