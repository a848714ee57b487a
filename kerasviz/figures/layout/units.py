"""The units of a layer, and the class, that a figure shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.figure import Figure, Unit
from kerasviz.network.network import Network
from kerasviz.zoo import Card, cards

#: The network whose unit numbers the article gives.
ARTICLE_NETWORK = "inceptionv1"
#: The class to show: one of ImageNet that is easy to recognise, and its number among 1000.
CLASS_LABEL, CLASS_OF_1000 = "flamingo", 130


@dataclass(frozen=True)
class Units:
    """Hold units of a layer; ``sources`` are ``article``, ``card``, ``rule`` or ``seeds``.

    Seeds are those of random directions.
    """

    units: tuple[Unit, ...]
    sources: frozenset[str]


def evenly_spaced(count: int, channels: int, turn: int = 0) -> list[int]:
    """Spread ``count`` units over the channels, or return all channels if there are fewer.

    Unit i is floor((i + f) channels / count), where f is 1/2, 1/6 or 5/6 in turn: a unit of a
    residual stream shows nearly the same in every layer, so neighbouring layers show other units.

    >>> evenly_spaced(4, 64), evenly_spaced(4, 64, turn=1), evenly_spaced(6, 3)
    ([8, 24, 40, 56], [2, 18, 34, 50], [0, 1, 2])
    """
    count = min(count, channels)
    sixths = (3, 1, 5)[turn % 3]
    return [(6 * i + sixths) * channels // (6 * count) for i in range(count)]


def card_of(net: Network) -> Card | None:
    """Return the card of a zoo network, if the network is the very file of the card."""
    card = cards().get(net.name)
    return card if card is not None and card.sha256 in ("", net.identity.sha256) else None


def pick_units(figure: Figure, layer: str, tap: str, count: int, net: Network) -> Units:
    """Pick ``count`` units of a tap that stands for a layer of the article.

    The model card's come first (its table ``figures`` has lists of units by tap or layer, of all
    figures or in a table with the figure's slug); else, for the article's own network, the
    article's; and where these are too few, units evenly spaced over the channels. A layer with
    fewer channels gives fewer units. Random directions have seeds instead, the same for every
    network.
    """
    if figure.seeds:
        return Units(tuple(Unit(seed) for seed in range(count)), frozenset({"seeds"}))
    card, channels = card_of(net), net.taps[tap].channels or 0
    given, source = _listed(card, figure.slug, (tap, layer)), "card"
    if not given and card is not None and card.name == ARTICLE_NETWORK:
        given, source = list(figure.units.get(layer, ())), "article"
    known = [unit for unit in given if unit.number < channels][:count]
    missing = min(count, channels) - len(known)
    if not missing:
        return Units(tuple(known), frozenset({source}))
    taken = {unit.number for unit in known}
    turn = [place.layer for place in figure.places].index(layer)
    spaced = [u for u in evenly_spaced(count, channels, turn) if u not in taken]
    spaced += [u for u in range(channels) if u not in taken and u not in spaced]
    filled = known + [Unit(u) for u in spaced[:missing]]
    return Units(tuple(filled), frozenset({source, "rule"} if known else {"rule"}))


def _listed(card: Card | None, slug: str, names: Sequence[str]) -> list[Unit]:
    """Return the units that a card lists for a layer, for this figure or for all."""
    if card is None:
        return []
    own = card.figures.get(slug)
    for table in (own if isinstance(own, Mapping) else {}, card.figures):
        for name in names:
            if isinstance(table.get(name), list | tuple):
                return [Unit(int(number)) for number in table[name]]
    return []


def pick_class(net: Network) -> tuple[int | None, str]:
    """Return the class to show and a note that says why; ``None`` without classes."""
    try:
        count = net.class_count
    except UsageError:
        return None, "Classes: this network has no class logits, so their columns are left out."
    card = card_of(net)
    named = card.figures.get("class") if card is not None else None
    if named is not None:
        k, why = net.class_index(str(named)), "named in the model card"
    else:
        why = "our choice; the article does not name its class"
        try:
            k = net.class_index(CLASS_LABEL)
        except UsageError:  # no labels, or other classes
            k = CLASS_OF_1000 if count == 1000 else 0
    return k, f"Class: {net.classes.describe(k)}, {why}."
