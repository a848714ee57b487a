from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support import tiny

import kerasviz
from kerasviz.rendering.fill import fill_folder
from kerasviz.rendering.latent_reports import LATENTS, LatentReport, recorded_latents
from kerasviz.rendering.store import Store

NET = tiny.network()
ROW: dict[str, Any] = {"size": (17, 23), "steps": 4, "progress": False}
ENCODER = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
BIAS = np.array([5, -1e9, 0, 0, 0, 0], np.float32)


@pytest.fixture
def sae(tmp_path: Path) -> Path:
    """Latent 0 is on nearly everywhere, latent 1 nowhere."""
    arrays = {"W_enc": ENCODER, "b_enc": BIAS, "b_dec": np.zeros(9, np.float32)}
    save_file(arrays, tmp_path / "sae_weights.safetensors")
    (tmp_path / "cfg.json").write_text(json.dumps({"architecture": "standard"}))
    return tmp_path / "sae_weights.safetensors"


def test_a_report_is_about_the_picture_and_all_latents(sae: Path) -> None:
    made = kerasviz.render(NET, [f"joined@{sae}#latent=0,1", "joined:2"], **ROW)
    on, off = made.latents()
    for report, picture in ((on, made[0]), (off, made[1])):
        a = NET.activations(picture.image[None], ["joined"])["joined"].numpy().reshape(-1, 9)
        z = a.astype(np.float64) @ ENCODER + BIAS
        best = z[np.argmax(a @ ENCODER[:, report.latent])]
        assert report.state.rank == 1 + (best > best[report.latent]).sum()
        assert report.state.share == pytest.approx((z[:, report.latent] > 0).mean())
        assert report.state.code == pytest.approx(max(0, best[report.latent]), rel=1e-4)
    assert on.state.on and "is on at" in str(on) and "code" in str(on)
    assert not off.state.on and off.state.rank == 6 and "is off at all positions" in str(off)


def test_reports_are_recorded_in_the_folder(sae: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = kerasviz.render(NET, f"joined@{sae}#latent=0,1", out=out, **ROW)
    requests = [picture.request for picture in made]
    store = Store(out, NET)
    reports = recorded_latents(store, requests)
    assert [(r.latent, r.state.on) for r in reports] == [(0, True), (1, False)]
    assert [LatentReport.from_json(r.to_json()) for r in reports] == reports
    written = (out / LATENTS).read_bytes()
    assert [*json.loads(written)] == sorted(entry.file for entry in store.finished(requests))
    sae.unlink()  # what is recorded stays
    fill_folder(store, requests, lambda store: {})
    assert (out / LATENTS).read_bytes() == written
    plain = tmp_path / "plain"
    kerasviz.render(NET, "joined:1", out=plain, **ROW)
    assert not (plain / LATENTS).exists()


def test_negated_latents_and_files_that_are_gone_have_no_report(sae: Path) -> None:
    made = kerasviz.render(NET, [f"-joined@{sae}#latent=0", f"joined@{sae}#latent=2"], **ROW)
    assert [report.latent for report in made.latents()] == [2]
    sae.unlink()
    assert made.latents() == []
