"""Objectives of style transfer: the content of one photo in the style of another."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.optvis.objectives.term import Objective, Term

#: What the content counts beside the style of one layer. The reference library's 100 beside five
#: layers is 2.8 in units of the losses of GoogLeNet's layers; with 2 the style shows earlier.
CONTENT_WEIGHT = 2.0
#: The depths, as shares of the main layers, at which style and content are compared.
STYLE_DEPTHS = (0.1, 0.2, 0.4, 0.5, 0.6)
CONTENT_DEPTH = 0.25


def content(tap: str) -> Objective:
    """Keep the content of a photo: the activations of a layer, position by position.

    It is -mean |A - P| / mean |P| over positions and channels, with A of the picture and P of the
    photo.

    Args:
        tap: The name of a layer.

    Example:
        >>> content("mixed3b").terms[0].kind
        'content'

    Reference:
        Gatys et al., "Image Style Transfer Using Convolutional Neural Networks" (2016); the
        absolute values are those of lucid's notebook ``style_transfer_2d``.
    """
    return Objective((Term("content", tap),))


def style(tap: str) -> Objective:
    """Take the style of a photo: which channels of a layer are active together, wherever that is.

    It is -mean |G - S| / mean |S| with the Gram matrices G of the picture and S of a random crop of
    the style photo; G = A'A / (positions) of activations A [positions, C].

    Args:
        tap: The name of a layer.

    Example:
        >>> style("mixed4a").terms[0].kind
        'style'

    Reference:
        As :func:`content`.
    """
    return Objective((Term("style", tap),))


def style_transfer(maps: Sequence[str]) -> Objective:
    """Paint the content of one photo in the style of another.

    Args:
        maps: The main layers of a network that are maps, in their order. The style is that of the
            layers after 10, 20, 40, 50 and 60 % of them, the content that after 25 %.

    Example:
        >>> [term.tap for term in style_transfer(["a", "b", "c", "d", "e"]).terms]
        ['a', 'b', 'c', 'b']

    Reference:
        As :func:`content`, whose layers of GoogLeNet these shares are like.
    """
    last = len(maps) - 1
    taps = dict.fromkeys(maps[round(depth * last)] for depth in STYLE_DEPTHS)
    kept = CONTENT_WEIGHT * content(maps[round(CONTENT_DEPTH * last)])
    return sum((style(tap) for tap in taps), Objective(())) + kept
