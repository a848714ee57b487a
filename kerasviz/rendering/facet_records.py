"""Read what the probes of facets said of pictures, from a file beside the pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: The record in a folder of pictures: by file of a picture.
FACETS = "facets.json"


def read_facets(folder: Path) -> dict[str, Any]:
    """Return the records of a folder by file, none where there is no readable record."""
    try:
        return dict(json.loads((folder / FACETS).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # none yet, or a damaged one: it is written again
        return {}


def facet_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the logits of a record as names and texts.

    >>> facet_rows({"logits": {"grass": 1.2345}})
    [('probe grass', '1.23')]
    """
    return [(f"probe {name}", f"{logit:.3g}") for name, logit in record["logits"].items()]


def facet_words(name: str, weight: float | None = None) -> str:
    """Return what the text of a picture says of the facet that it is steered towards.

    The weight is named where there are pictures of several weights.

    >>> facet_words("grass"), facet_words("grass", 0.1)
    (', facet grass', ', facet grass at weight 0.1')
    """
    return f", facet {name}" + ("" if weight is None else f" at weight {weight:g}")


def without_facet(text: str, name: str, weight: float) -> str:
    """Return the text of a picture's target without its facet.

    >>> without_facet("a:1, facet grass at weight 2, from cat.jpg", "grass", 2.0)
    'a:1, from cat.jpg'
    """
    return text.replace(facet_words(name, weight), "").replace(facet_words(name), "")


def names_weight(text: str, name: str, weight: float) -> bool:
    """Return whether the text of a picture names the weight of its facet."""
    return facet_words(name, weight) in text


def unsteered(text: str, objective: list[dict[str, Any]]) -> str:
    """Return the text of a picture's target without its facet; the objective is plain data.

    >>> unsteered("a:1, facet grass", [{"kind": "facet", "weight": 5, "probe": {"name": "grass"}}])
    'a:1'
    """
    for term in objective:
        if term["kind"] == "facet":
            text = without_facet(text, term["probe"]["name"], term["weight"])
    return text
