"""Summarize the trust numbers of pictures, each with its baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kerasviz.io.digits import rounded

Record = dict[str, Any]


def finite(value: float | None) -> float | None:
    """Return a number with six digits, ``None`` for none and one that is not finite."""
    return None if value is None or not np.isfinite(value) else rounded(value)


def summary_of(records: Mapping[str, Record]) -> Record:
    """Return the means of the numbers of pictures, each with its baseline.

    >>> place = {"transfer": {"judge": "b", "place": 1, "own_place": 1, "classes": 1000}}
    >>> summary_of({"a.png": place})["transfer"]["top1"], summary_of({"a.png": place})["pictures"]
    (1.0, 1)
    """
    summary: Record = {"pictures": len(records)}
    natural = [r["natural"] for r in records.values() if "natural" in r]
    ratios = [n for n in natural if n["ratio"] is not None]
    if ratios:
        summary["natural"] = {
            "pictures": len(ratios),
            "above_all": _share(n["percentile"] == 100 for n in ratios),
            "median_ratio": finite(float(np.median([n["ratio"] for n in ratios]))),
            "average_photo": finite(float(np.median([n["average_ratio"] for n in ratios]))),
        }
    agreement = [r["agreement"] for r in records.values() if "agreement" in r]
    if agreement:
        summary["agreement"] = {
            name: _mean(record.get(name) for record in agreement)
            for name in ("cosine", "other_targets", "photos")
        }
    transfer = [r["transfer"] for r in records.values() if "transfer" in r]
    if transfer:
        classes = transfer[0]["classes"]
        summary["transfer"] = {
            "judge": transfer[0]["judge"],
            "pictures": len(transfer),
            "top1": _share(t["place"] == 1 for t in transfer),
            "top5": _share(t["place"] <= 5 for t in transfer),
            "own_top1": _share(t["own_place"] == 1 for t in transfer),
            "chance_top1": rounded(1 / classes),
            "chance_top5": rounded(min(1, 5 / classes)),
        }
    choices = [r["choices"] for r in records.values() if "choices" in r]
    if choices:
        summary["choices"] = {
            "judge": choices[0]["judge"],
            "pictures": len(choices),
            "probability": _mean(c["probability"] for c in choices),
            "photos": _mean(c["photos"] for c in choices),
            "chance": 0.5,
        }
    inputs = [r["inputs"] for r in records.values() if "inputs" in r]
    if inputs:
        names = ("share", "photos", "unrelated", "chance")
        summary["inputs"] = {name: _mean(number[name] for number in inputs) for name in names}
    layers: dict[str, list[float | None]] = {}
    for record in records.values():
        for name, layer in record.get("paths", {}).get("layers", {}).items():
            layers.setdefault(name, []).append(layer["value"])
    if layers:
        summary["paths"] = {name: _mean(values) for name, values in layers.items()}
    return summary


def _share(flags: Iterable[bool]) -> float:
    return float(np.mean([bool(flag) for flag in flags]))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return rounded(float(np.mean(known))) if known else None
