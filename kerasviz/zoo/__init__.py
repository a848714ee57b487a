"""Provide networks by name, with their cards, labels and files."""

from kerasviz.zoo.cache import add, cached, fetch
from kerasviz.zoo.labels import imagenet_labels, labels_of
from kerasviz.zoo.model_card import Card, ModelFile, card, card_for_checksum, cards

__all__ = [
    "Card",
    "ModelFile",
    "add",
    "cached",
    "card",
    "card_for_checksum",
    "cards",
    "fetch",
    "imagenet_labels",
    "labels_of",
]
