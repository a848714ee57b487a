from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.tiny import network

from kerasviz import objectives
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.latents import latent_state, read_latents
from kerasviz.optvis.objectives.targets import parse_target

WIDTH, LATENTS = 9, 13
DRAW = np.random.default_rng(0)
W_ENC = DRAW.normal(size=(WIDTH, LATENTS)).astype(np.float32)
W_DEC = DRAW.normal(size=(LATENTS, WIDTH)).astype(np.float32)
B_ENC, B_DEC, THRESHOLD, R_MAG, B_MAG = (
    DRAW.normal(size=n).astype(np.float32) for n in (LATENTS, WIDTH, LATENTS, LATENTS, LATENTS)
)
INPUTS = DRAW.normal(size=(300, WIDTH)).astype(np.float32)


def saelens(folder: Path, arrays: dict[str, Any] | None = None, **config: Any) -> Path:
    path = folder / "sae_weights.safetensors"
    usual = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC}
    save_file(usual | (arrays or {}), path)
    (folder / "cfg.json").write_text(json.dumps({"d_in": WIDTH, "d_sae": LATENTS, **config}))
    return path


def sparsify(folder: Path, **config: Any) -> Path:
    path = folder / "sae.safetensors"
    arrays = {
        "encoder.weight": np.ascontiguousarray(W_ENC.T),
        "encoder.bias": B_ENC,
        "W_dec": W_DEC,
        "b_dec": B_DEC,
    }
    save_file(arrays, path)
    (folder / "cfg.json").write_text(json.dumps({"k": 3, **config}))
    return path


def before_gate(x, beta, normalize="none"):
    """z [P, K] in float64, with the deviation of torch (of N - 1)."""
    x = x.astype(np.float64)
    if normalize == "layer_norm":
        x = (x - x.mean(1, keepdims=True)) / (x.std(1, ddof=1, keepdims=True) + 1e-5)
    if normalize == "constant_norm_rescale":
        x = x * np.sqrt(WIDTH) / np.linalg.norm(x, axis=1, keepdims=True)
    return (x - beta * B_DEC) @ W_ENC + B_ENC


@pytest.mark.parametrize("normalize", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("beta", [False, True])
def test_latents_are_those_of_their_formula(tmp_path: Path, beta: bool, normalize: str) -> None:
    path = saelens(tmp_path, apply_b_dec_to_input=beta, normalize_activations=normalize)
    found = read_latents(path, [12, 4])
    assert [latent.source.row for latent in found] == [12, 4]
    for latent in found:
        row = latent.source.row
        np.testing.assert_array_equal(latent.vector, W_ENC[:, row])
        along = before_gate(INPUTS, 0, normalize)[:, row] - B_ENC[row]  # norm(x) . vector
        wanted = before_gate(INPUTS, beta, normalize)[:, row]
        np.testing.assert_allclose(along + latent.bias, wanted, rtol=1e-5, atol=1e-5)


def test_sparsify_subtracts_its_decoder_bias_unless_it_transcodes(tmp_path: Path) -> None:
    (latent,) = read_latents(sparsify(tmp_path), [5])
    np.testing.assert_array_equal(latent.vector, W_ENC[:, 5])
    assert latent.bias == pytest.approx(B_ENC[5] - B_DEC @ W_ENC[:, 5], rel=1e-5)
    (other,) = read_latents(sparsify(tmp_path, transcode=True), [5])
    assert other.bias == pytest.approx(B_ENC[5])


def test_targets_and_python_read_the_same(tmp_path: Path) -> None:
    path, net = saelens(tmp_path, apply_b_dec_to_input=True), network()
    first, second = parse_target(f"joined@{path}#latent=3,7", net)
    assert first.text == f"joined@{path}#latent=3" and parse_target(first.text, net) == [first]
    assert second.objective == objectives.latent("joined", path, 7)
    assert second.objective.terms[0].unit == 7
    with pytest.raises(UsageError, match="reads 9 numbers, relu1 has 6 channels"):
        parse_target(f"relu1@{path}#latent=3", net)
    with pytest.raises(UsageError, match="latents 0 to 12"):
        parse_target(f"joined@{path}#latent=13", net)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"normalize_activations": "expected_average_only_in"}, "fold it into the weights"),
        ({"architecture": "transcoder"}, "transcoder with relu is not known"),
        ({"activation_fn_str": "tanh"}, "standard with tanh is not known"),
        ({"architecture": "gated"}, "has no b_gate"),
    ],
)
def test_unknown_configurations_are_one_line(tmp_path: Path, config: Any, line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        read_latents(saelens(tmp_path, **config), [0])
    assert "\n" not in str(refused.value)


def test_what_is_no_autoencoder_is_one_line(tmp_path: Path) -> None:
    path = saelens(tmp_path)
    (tmp_path / "cfg.json").write_text("{")
    with pytest.raises(UsageError, match="no readable configuration"):
        read_latents(path, [0])
    (tmp_path / "cfg.json").unlink()
    with pytest.raises(UsageError, match=r"cfg.json is not beside it"):
        read_latents(path, [0])
    save_file({"weight": W_ENC}, path)
    with pytest.raises(UsageError, match=r"no sparse autoencoder.*weight"):
        read_latents(path, [0])
    with pytest.raises(UsageError, match="not finite"):
        read_latents(saelens(tmp_path, {"W_enc": np.full_like(W_ENC, np.nan)}), [0])


def gates() -> dict[str, tuple[dict[str, Any], dict[str, Any], Any]]:
    z = before_gate(INPUTS, True)
    order = np.sort(z, axis=1)
    size = (INPUTS - B_DEC) @ (W_ENC * np.exp(R_MAG)) + B_MAG
    gated = (INPUTS - B_DEC) @ W_ENC + B_ENC
    by_norm = z * np.linalg.norm(W_DEC, axis=1)
    least = np.sort(by_norm, axis=1)[:, -2, None]
    return {
        "relu": ({}, {}, np.maximum(z, 0)),
        "jumprelu": (
            {"architecture": "jumprelu"},
            {"threshold": THRESHOLD},
            np.where(z > THRESHOLD, np.maximum(z, 0), 0),
        ),
        "topk": (
            {"architecture": "topk", "k": 2},
            {},
            np.where(z >= order[:, -2, None], np.maximum(z, 0), 0),
        ),
        "topk of an older file": (
            {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}},
            {},
            np.where(z >= order[:, -2, None], np.maximum(z, 0), 0),
        ),
        "topk by norm": (
            {"architecture": "topk", "k": 2, "rescale_acts_by_decoder_norm": True},
            {},
            np.where(by_norm >= least, np.maximum(by_norm, 0), 0),
        ),
        "gated": (
            {"architecture": "gated"},
            {"b_gate": B_ENC, "r_mag": R_MAG, "b_mag": B_MAG},
            np.where(gated > 0, np.maximum(size, 0), 0),
        ),
    }


@pytest.mark.parametrize("gate", gates())
def test_a_latent_is_on_where_its_own_gate_says_so(tmp_path: Path, gate: str) -> None:
    config, arrays, codes = gates()[gate]
    path = saelens(tmp_path, arrays, apply_b_dec_to_input=True, **config)
    z = before_gate(INPUTS, True)
    for number in range(LATENTS):
        state = latent_state(path, number, INPUTS)
        best = int(z[:, number].argmax())
        assert state.code == pytest.approx(codes[best, number], rel=1e-4, abs=1e-5)
        assert state.rank == 1 + int((z[best] > z[best, number]).sum())
        assert state.share == pytest.approx((codes[:, number] > 0).mean())
        assert state.latents == LATENTS and state.on == (codes[:, number] > 0).any()
