"""Provide networks by name, with their cards, labels and files."""

from kerasviz.zoo.cache import add as add
from kerasviz.zoo.cache import cached as cached
from kerasviz.zoo.cache import fetch as fetch
from kerasviz.zoo.cache import remove as remove
from kerasviz.zoo.labels import labels_of as labels_of
from kerasviz.zoo.model_card import Card as Card
from kerasviz.zoo.model_card import card as card
from kerasviz.zoo.model_card import cards as cards
