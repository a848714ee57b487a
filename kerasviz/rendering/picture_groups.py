"""Sort the pictures of a page by layer, and name the recipes that made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

#: Pictures up to which a page shows all at once.
FEW = 24
#: Settings of a recipe that its name states, at most.
STATED = 3
#: The longest value that is stated.
LONGEST = 24
#: The groups of pictures of no single layer.
CLASSES, SUMS, OTHERS = "Classes", "Sums", "Others"
#: Terms that steer a picture and are not what it shows.
_BESIDE = ("diversity", "alignment", "facet", "penalty", "l1", "total_variation", "blur")


class Grouped(Protocol):
    """Have the name of a group."""

    @property
    def group(self) -> str:
        """The group."""


T = TypeVar("T", bound=Grouped)


@dataclass(frozen=True)
class PictureGroup(Generic[T]):
    """Hold pictures of a layer; ``title`` is "" where all pictures are in one group."""

    title: str
    pictures: tuple[T, ...]


def group_of(terms: Iterable[Mapping[str, Any]]) -> str:
    """Return the group of a picture by the terms of its objective: the layer, if it is one.

    >>> group_of([{"kind": "channel", "tap": "conv", "unit": 1}, {"kind": "diversity"}])
    'conv'
    >>> group_of([{"kind": "channel", "tap": "conv"}, {"kind": "logit", "unit": 1}])
    'Sums'
    """
    own = [term for term in terms if term["kind"] not in _BESIDE]
    if len({(t["kind"], t.get("tap"), t.get("unit")) for t in own}) > 1:
        return SUMS
    if not own:
        return OTHERS
    return CLASSES if own[0]["kind"] in ("logit", "probability") else own[0].get("tap") or OTHERS


def in_groups(pictures: Sequence[T]) -> list[PictureGroup[T]]:
    """Sort pictures into groups in the order of their first ones; few pictures are one group."""
    groups: dict[str, list[T]] = {}
    for picture in pictures:
        groups.setdefault(picture.group, []).append(picture)
    if len(pictures) <= FEW or len(groups) == 1:
        return [PictureGroup("", tuple(pictures))]
    return [PictureGroup(name, tuple(found)) for name, found in groups.items()]


def recipe_words(settings: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[str]:
    """Name recipes by (name, rows of settings): the first of a name, then what others change.

    >>> rows = [[("name", "fast"), ("steps", steps)] for steps in ("128", "512", "128")]
    >>> recipe_words([("fast", rows[0]), ("fast", rows[1]), ("vivid", rows[2])])
    ['fast', 'fast, steps 512', 'vivid']
    """
    first: dict[str, dict[str, str]] = {}
    words = []
    for name, rows in settings:
        values = dict(rows)
        usual = first.setdefault(name, values)
        changed = [key for key in {**usual, **values} if values.get(key) != usual.get(key)]
        stated = [_setting(key, values.get(key, "none")) for key in changed[:STATED]]
        stated += ["…"] * (len(changed) > STATED)
        words.append(", ".join([name or "of its own", *stated]))
    count = Counter[str]()
    for k, text in enumerate(words):
        count[text] += 1
        if count[text] > 1:
            words[k] = f"{text} ({count[text]})"
    return words


def _setting(key: str, value: str) -> str:
    return f"{key} {value}" if len(value) <= LONGEST else f"another {key}"
