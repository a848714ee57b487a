"""Latents of sparse autoencoders that were uploaded with their configuration."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from safetensors.numpy import save
from support.service_fixtures import state_of, work

from kerasviz.io.images import decode, image_array
from kerasviz.optvis.objectives.latents import latent_state
from kerasviz.service.jobs.picture_queue import Queue
from kerasviz.service.jobs.worker import RenderWorker

Served = Callable[..., TestClient]
ASK: dict[str, Any] = {"network": "small", "steps": 3, "size": 24}
CONFIG = {"architecture": "jumprelu", "d_in": 6, "d_sae": 9, "apply_b_dec_to_input": True}


def arrays() -> dict[str, Any]:
    """An autoencoder of relu, whose latent 4 never passes its gate."""
    draw = np.random.default_rng(0)
    numbers = {
        "W_enc": np.abs(draw.normal(size=(6, 9))),
        "W_dec": draw.normal(size=(9, 6)),
        "b_enc": np.zeros(9),
        "b_dec": draw.normal(size=6) / 100,
        "threshold": np.where(np.arange(9) == 4, 1e6, 1e-3),
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in numbers.items()}


def sent(client: TestClient, name: str, data: bytes, config: Any = CONFIG) -> Any:
    client.post("/api/directions", params={"name": name}, content=data)
    body = config if isinstance(config, bytes) else json.dumps(config).encode()
    return client.put(f"/api/directions/{name}/config", content=body)


def test_latents_of_uploaded_autoencoders_are_shown_and_said_to_be_on_or_off(
    served: Served,
) -> None:
    client = served(allow_upload=True)
    plain = client.post(
        "/api/directions", params={"name": "sae.safetensors"}, content=save(arrays())
    )
    assert (plain.json()["autoencoder"], plain.json()["latents"]) == (True, None)
    body = {**ASK, "targets": ["relu@sae.safetensors#latent=4,7"]}
    early = client.post("/api/renders", json=body)
    assert early.status_code == 422
    assert early.json()["error"].endswith("send it to /api/directions/sae.safetensors/config")
    about = sent(client, "sae.safetensors", save(arrays()))
    assert about.status_code == 200, about.text
    assert (about.json()["latents"], about.json()["gate"]) == (9, "jumprelu")
    assert client.get("/api/directions").json() == [about.json()]
    job = client.post("/api/renders", json=body).json()
    work(client)
    done = client.get(job["url"]).json()
    assert done["state"] == "done", done["error"]
    (off,), (on,) = (picture["latents"] for picture in done["pictures"])
    assert (off["latent"], off["on"], off["code"], off["share"]) == (4, False, 0, 0)
    assert (on["latent"], on["on"], on["latents"]) == (7, True, 9)
    state = state_of(client)
    file = state.setting.directions / "sae.safetensors" / "sae.safetensors"
    image = image_array(decode(client.get(done["pictures"][1]["url"]).content)[0])
    seen = state.networks.get("small").activations(image[None], ["relu"])["relu"]
    twin = latent_state(file, 7, np.asarray(seen).reshape(-1, 6))
    assert on["code"] == twin.code and on["rank"] == twin.rank and on["share"] == twin.share
    provenance = client.get(done["pictures"][1]["provenance"]).json()
    (term,) = provenance["objective"]
    assert (term["kind"], term["source"]["file"]) == ("latent", "sae.safetensors")
    assert str(state.setting.data) not in json.dumps(done) + json.dumps(provenance)
    wrong = client.post("/api/renders", json={**body, "targets": ["relu@sae.safetensors#latent=9"]})
    assert wrong.status_code == 422
    assert wrong.json()["error"] == "sae.safetensors#latent=9: it has the latents 0 to 8"
    # A worker that starts after the file was removed makes the picture, and says nothing of it.
    later = client.post("/api/renders", json={**body, "seed": 1}).json()
    client.delete("/api/directions/sae.safetensors")
    worker = RenderWorker(state.setting, Queue(state.database, "later"), state.networks)
    while worker.step():
        pass
    done = client.get(later["url"]).json()
    assert (done["state"], [one["latents"] for one in done["pictures"]]) == ("done", [[], []])


def test_an_npz_file_is_an_autoencoder_too(served: Served) -> None:
    client = served(allow_upload=True)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays())
    about = sent(client, "sae.npz", buffer.getvalue(), {**CONFIG, "architecture": "topk", "k": 2})
    assert (about.json()["latents"], about.json()["gate"]) == (9, "topk")
    job = client.post("/api/renders", json={**ASK, "targets": ["relu@sae.npz#latent=1"]})
    assert job.status_code == 202, job.text


def test_configurations_of_no_autoencoder_are_refused_in_a_line(
    served: Served, tmp_path: Path
) -> None:
    client = served(allow_upload=True)
    for config, line in (
        (b"{", "cfg.json: no readable configuration"),
        (b"[" * 50_000, "cfg.json: no readable configuration"),
        ([1], "cfg.json: no configuration of an autoencoder"),
        ({"architecture": "secret"}, "secret with relu is not known"),
        ({"k": "many", "architecture": "topk"}, "cfg.json: no configuration of an autoencoder"),
        ({"architecture": "gated"}, "it has no b_gate, b_mag, r_mag, which its latents need"),
        (b" " * 70_000, "at most 65536"),
    ):
        refused = sent(client, "sae.safetensors", save(arrays()), config)
        assert refused.status_code in (413, 422) and line in refused.json()["error"], refused.text
        assert "\n" not in refused.json()["error"] and str(tmp_path) not in refused.text
    short = {**arrays(), "threshold": np.ones(3, np.float32)}
    refused = sent(client, "short.safetensors", save(short))
    assert refused.json()["error"].endswith("W_enc and threshold do not fit together")
    assert client.put("/api/directions/no.npz/config", content=b"{}").status_code == 422
    assert not list((state_of(client).setting.quarantine).iterdir())
    assert {one["latents"] for one in client.get("/api/directions").json()} == {None}
    closed = served(data=tmp_path / "other")
    refused = closed.put("/api/directions/sae.npz/config", content=b"{}")
    assert refused.status_code == 403 and "--allow-upload" in refused.json()["error"]
