"""The choice of a precision: by units, by what is there, by one measurement that is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import tiny

from kerasviz.cli.options import PRECISIONS as OFFERED
from kerasviz.optvis.environment import environment
from kerasviz.optvis.optimization import precision
from kerasviz.optvis.optimization.precision import CHOICES, choices_here, choose
from kerasviz.rendering.render import render

TAPS = ("relu1",)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A machine with the given units and times; counts the measurements."""
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    measured: list[str] = []

    def make(units: str, **seconds: float) -> list[str]:
        def times(kinds: Any, **_: float) -> dict[str, float]:
            measured.extend(kind for kind in kinds if kind not in measured[-1:])
            return {kind: seconds[kind] for kind in kinds}

        here = {**environment(), "fast units": units}
        monkeypatch.setattr(precision, "environment", lambda: here)
        monkeypatch.setattr(precision, "_pass", lambda *_: None)
        monkeypatch.setattr(precision, "_seconds", times)
        return measured

    return make


def test_without_fast_units_it_is_float32_and_nothing_is_measured(machine: Any) -> None:
    measured = machine("none")
    choice = choose(tiny.network(), TAPS)
    assert choice.precision == "float32"
    assert "no units" in choice.why
    assert measured == []


def test_a_narrow_type_is_taken_where_it_is_worth_it(machine: Any) -> None:
    measured = machine("avx512_bf16", float32=1.0, bfloat16=0.6)
    choice = choose(tiny.network(), TAPS)
    assert choice.precision == "bfloat16"
    assert "0.60 of float32's time" in choice.why
    assert measured == ["float32", "bfloat16"]


@pytest.mark.parametrize("share", [0.9, 1.0, 3.0])
def test_it_is_not_taken_for_a_little(machine: Any, share: float) -> None:
    machine("amx_bf16", float32=1.0, bfloat16=share)
    assert choose(tiny.network(), TAPS).precision == "float32"


def test_nothing_is_gained_where_a_pass_takes_no_time(machine: Any) -> None:
    measured = machine("amx_bf16", float32=0.001, bfloat16=0.0001)
    assert choose(tiny.network(), TAPS).precision == "float32"
    assert measured == ["float32"]


def test_a_gpu_of_an_older_kind_has_float16(machine: Any) -> None:
    machine("float16 (compute capability 7.5)", float32=1.0, float16=0.5)
    assert choose(tiny.network(), TAPS).precision == "float16"


def test_the_choice_is_kept_for_this_network_these_taps_and_this_machine(machine: Any) -> None:
    measured = machine("avx512_bf16", float32=1.0, bfloat16=0.6)
    first = choose(tiny.network(), TAPS)
    machine("avx512_bf16", float32=1.0, bfloat16=2.0)
    assert choose(tiny.network(), TAPS) == first
    assert len(measured) == 2
    assert choose(tiny.network(), ("joined",)).precision == "float32"
    assert choose(tiny.network(seed=1), TAPS).precision == "float32"
    assert [c["network"] for c in choices_here()] == ["tiny"] * 3


def test_pictures_that_are_there_keep_their_precision(machine: Any) -> None:
    measured = machine("avx512_bf16", float32=1.0, bfloat16=0.6)
    assert choose(tiny.network(), TAPS, ["float32"]).precision == "float32"
    assert measured == []
    assert choose(tiny.network(), TAPS, ["float32", "bfloat16"]).precision == "bfloat16"


@pytest.mark.parametrize("text", ["", "[]", "{broken"])
def test_a_damaged_cache_is_measured_again(machine: Any, text: str, tmp_path: Path) -> None:
    machine("avx512_bf16", float32=1.0, bfloat16=0.6)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "precision.json").write_text(text)
    assert choose(tiny.network(), TAPS).precision == "bfloat16"
    kept = json.loads((tmp_path / "cache" / "precision.json").read_text())
    assert len(kept) == 1


def test_the_measurement_runs_and_says_what_it_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path))
    here = {**environment(), "fast units": "avx512_bf16"}
    monkeypatch.setattr(precision, "environment", lambda: here)
    monkeypatch.setattr(precision, "QUICK", 0.0)
    choice = choose(tiny.network(), ("joined", "relu1"))
    assert choice.precision in ("float32", "bfloat16")
    assert "of float32's time" in choice.why


def test_render_takes_auto(machine: Any) -> None:
    machine("avx512_bf16", float32=1.0, bfloat16=0.6)
    made = render(tiny.network(), "relu1:2", recipe="fast", steps=1, size=32, precision="auto")
    assert made.provenance[0]["recipe"]["precision"] == "bfloat16"
    assert "fast units" in made.provenance[0]["environment"]


def test_the_command_line_offers_all_of_them() -> None:
    assert OFFERED == CHOICES
