"""Write the files beside a served graph for people and clients: taps, labels, the model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kerasviz.export.tf_serving.settings import ExportSettings, served_taps
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.picture import network_provenance
from kerasviz.zoo.model_card import card_for_checksum


def write_assets(net: Network, setting: ExportSettings, folder: Path) -> None:
    """Write ``taps.json``, ``recipe.json``, ``model.json`` and, for a classifier, ``labels.txt``.

    If the model has an asset of that name, it is kept, and ours starts with ``kerasviz-``.
    """
    folder.mkdir(exist_ok=True)
    files = {
        "taps.json": _json(_taps(net, setting)),
        "recipe.json": _json(setting.served_recipe.to_json()),
        "model.json": _json(_model(net)),
    }
    if net.labels:
        files["labels.txt"] = "".join(f"{label}\n" for label in net.labels)
    for name, text in files.items():
        path = folder / name
        if path.exists():
            path = folder / f"kerasviz-{name}"
        path.write_text(text, encoding="utf-8")


def _taps(net: Network, setting: ExportSettings) -> dict[str, Any]:
    """Return what a client needs to ask for pictures."""
    return {
        "network": net.name,
        "taps": [tap.to_json(net) for tap in served_taps(net, setting)],
        "steps_max": setting.most,
        "group": setting.group,
        "size": list(setting.recipe.size),
        "image_size": list(setting.image_size),
    }


def _model(net: Network) -> dict[str, Any]:
    card = card_for_checksum(net.identity.sha256)
    known = None
    if card is not None:
        known = {
            "name": card.name,
            "title": card.title,
            "description": card.description,
            "licence": card.licence,
            "sources": list(card.sources),
        }
    return {"network": network_provenance(net), "card": known, "environment": environment()}


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
