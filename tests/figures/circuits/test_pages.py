"""The page of a circuit says what it shows."""

from __future__ import annotations

import json

from kerasviz.figures.circuits.pages import write_pages

PARTNER = {"tap": "first", "unit": 3, "strength": 1.0, "share": 0.25, "total": 0.5}
LAYER = {"tap": "first", "level": -1, "scale": 1.0, "held": ["gate"], "curved": ["norm"]}


def test_groups_notes_and_missing_pictures(tmp_path):
    earlier = {**LAYER, "exciting": [{**PARTNER, "weights": [[0.5]]}], "inhibiting": []}
    later = {**LAYER, "level": 2, "held": [], "curved": [], "exciting": []}
    later["inhibiting"] = [{**PARTNER, "weights": [[-0.5, 0.0]]}]
    circuit = {"tap": "second", "unit": 1, "earlier": [earlier], "later": [later]}
    record = {
        "maker": "kerasviz circuits",
        "network": {"name": "net<1>", "sha256": "00"},
        "photo": "",
        "circuit": circuit,
        "pictures": {},
    }
    (tmp_path / "second-1.json").write_text(json.dumps(record))
    (tmp_path / "other.json").write_text('{"maker": "someone"}')
    pages = write_pages(tmp_path)
    assert list(pages) == ["second:1"]
    page = pages["second:1"].read_text()
    assert "net&lt;1&gt;" in page
    assert "held at the image: gate; not linear: norm" in page
    assert "The layer before" in page and "2 layers behind" in page
    assert "Excite it" in page and "Inhibit it" not in page
    assert "It inhibits" in page and "It excites" not in page
    assert page.count("no picture") == 2
    assert "25.0% of the layer" in page and "Weights, 1 x 2" in page
