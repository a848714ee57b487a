from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kerasviz.rendering.trust_records import (
    TRUST,
    merged,
    read_trust,
    trust_rows,
    write_trust,
)

NATURAL = {"ratio": 2.5, "average_ratio": 0.2, "percentile": 99.0, "photos": 50}


def test_records_are_read_back_and_damaged_ones_are_none(tmp_path: Path) -> None:
    records = {"b.png": {"sha256": "2"}, "a.png": {"sha256": "1", "natural": NATURAL}}
    assert read_trust(tmp_path) == {}
    write_trust(tmp_path, records)
    assert read_trust(tmp_path) == records and [*read_trust(tmp_path)] == ["a.png", "b.png"]
    for text in ("{", "[]", '{"format": 2, "pictures": {}}'):
        (tmp_path / TRUST).write_text(text)
        assert read_trust(tmp_path) == {}


def test_numbers_of_changed_files_are_dropped() -> None:
    before = {"a.png": {"sha256": "1", "natural": NATURAL}, "b.png": {"sha256": "2"}}
    now = merged(before, {"a.png": {"sha256": "9", "transfer": {}}})
    assert now == {"a.png": {"sha256": "9", "transfer": {}}, "b.png": {"sha256": "2"}}


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"natural": NATURAL}, "2.5 times the strongest of 50 (an average photo 0.2), above 99 %"),
        ({"natural": {**NATURAL, "ratio": None}}, "above 99 % of 50; none excites it"),
        (
            {"natural": {**NATURAL, "percentile": None}},
            "none: all 50 give the same activation",
        ),
        (
            {"agreement": {"cosine": 0.9, "pictures": 3, "other_targets": 0.25, "photos": None}},
            "0.90 between 3 pictures (other targets 0.25)",
        ),
        (
            {"transfer": {"judge": "b", "place": 1, "first": "3 cat", "classes": 1000}},
            "place 1 of 1000 (chance 500.5)",
        ),
        (
            {"transfer": {"judge": "b", "place": 7, "first": "3 cat", "classes": 9}},
            "place 7 of 9, its first guess is 3 cat (chance 5)",
        ),
        (
            {
                "choices": {
                    "judge": "b",
                    "probability": 0.7125,
                    "right": 15,
                    "pairs": 20,
                    "photos": 0.9312,
                }
            },
            "0.71, right in 15 of 20 pairs (chance 0.5; by photos 0.93)",
        ),
        (
            {
                "inputs": {
                    "layer": "4b",
                    "units": 10,
                    "share": 0.6,
                    "photos": 0.72,
                    "unrelated": 0.31,
                    "chance": 0.05,
                }
            },
            "60% of the 10 largest in 4b are those of strong photos (strong photos among them 72%, "
            "other photos 31%, chance 5%)",
        ),
        (
            {"spectrum": {"slope": -0.5, "photos": -1.2, "spread": 0.1}},
            "-0.50 (photos -1.20 ± 0.10)",
        ),
    ],
)
def test_every_number_stands_with_its_baseline(record: dict[str, Any], text: str) -> None:
    ((_, written),) = trust_rows(record)
    assert written == text


def test_likeness_to_photos_is_a_range_and_a_list_of_layers() -> None:
    layers: dict[str, Any] = {
        "a": {"value": None, "spread": 2.0},
        "b": {"value": -0.1, "spread": 0.4},
        "c": {"value": 0.3, "spread": 0.2},
    }
    paths = {"kind": "of the class", "photos": 8, "layers": layers}
    assert trust_rows({"paths": paths}) == [
        (
            "like photos of the class",
            "-0.10 to 0.30 in 2 of 3 layers (such a photo 1 ± 0.4, another 0)",
        ),
        ("layer by layer", "b -0.10, c 0.30"),
    ]
    blind = {**paths, "layers": {"a": layers["a"]}}
    assert trust_rows({"paths": blind})[0][1].startswith("none: no layer tells these 8 photos")
