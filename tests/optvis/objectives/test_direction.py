from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import kerasviz
from kerasviz import objectives
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.term import Objective

ROWS = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)


def test_words_of_a_file_are_read_as_in_targets(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", nmf=ROWS)
    one = objectives.direction("joined", f"{tmp_path}/v.npz:nmf[3]", cosine=2)
    (term,) = one.terms
    np.testing.assert_array_equal(np.float32(term.vector), ROWS[3])
    assert term.cosine == 2 and term.norm == pytest.approx(np.linalg.norm(ROWS[3]), rel=1e-6)
    several = objectives.directions("joined", tmp_path / "v.npz")
    assert [o.terms[0].source.row for o in several] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="4 rows; name one"):
        objectives.direction("joined", tmp_path / "v.npz")
    with pytest.raises(UsageError, match=r"expected FILE.npy"):
        objectives.direction("joined", "mixed4a")


def test_a_record_keeps_the_vector_and_names_the_file_without_its_folder(tmp_path: Path) -> None:
    save_file({"dec": ROWS}, tmp_path / "v.safetensors")
    objective = objectives.direction("joined", f"{tmp_path}/v.safetensors:dec[1]")
    (data,) = json.loads(json.dumps(objective.to_json()))
    assert data["source"]["file"] == "v.safetensors" and str(tmp_path) not in str(data)
    assert data["source"]["key"] == "dec" and data["source"]["row"] == 1
    assert len(data["source"]["sha256"]) == 64
    again = Objective.from_json([data])
    assert again == objective and again.to_json() == objective.to_json()
    np.testing.assert_array_equal(np.float32(again.terms[0].vector), ROWS[1])
    assert "source" not in objective.identity()[0]
    data["source"]["path"] = "/etc/v.npy"
    assert Objective.from_json([data]).terms[0].source.path == ""


def test_a_vector_is_what_it_was(tmp_path: Path) -> None:
    assert objectives.direction("joined", [1, 2]).to_json() == [
        {"kind": "direction", "tap": "joined", "vector": (1.0, 2.0), "weight": 1.0}
    ]
    whole = objectives.direction("joined", np.ones((2, 3, 9)))
    assert whole.terms[0].shape == (2, 3, 9) and len(whole.terms[0].vector) == 54
    assert Objective.from_json(json.loads(json.dumps(whole.to_json()))) == whole


@pytest.mark.parametrize("power", [-1, float("nan"), float("inf")])
def test_powers_are_numbers_from_0(power: float) -> None:
    with pytest.raises(UsageError, match="the power is a number from 0 on"):
        objectives.direction("joined", [1.0], cosine=power)


def test_the_public_names() -> None:
    for name in ("direction", "directions", "latent", "random_direction"):
        assert name in objectives.__all__ and hasattr(kerasviz.objectives, name)
