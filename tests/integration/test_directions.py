"""Pictures of directions that files have."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file
from support import tiny, tokens

import kerasviz
from kerasviz.rendering.store import Store
from reference import objectives as twin

NET = tiny.network()
VECTOR = np.random.default_rng(0).integers(-8, 9, 9).astype(np.float32)
ROW = {"size": (17, 23), "steps": 8, "recipe": "fast", "progress": False}


def image(target, net=NET, **words):
    return kerasviz.render(net, target, **{**ROW, **words}).images[0]


@pytest.mark.parametrize("unit", [2, 7])
def test_a_unit_vector_gives_the_picture_of_its_channel(tmp_path: Path, unit: int) -> None:
    np.save(tmp_path / "v.npy", np.eye(9)[unit])
    found = image(f"joined@{tmp_path}/v.npy")
    np.testing.assert_array_equal(found, image(f"joined:{unit}"))


def test_a_unit_vector_gives_the_picture_of_its_channel_of_tokens(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", v=np.eye(6))
    net, size = tokens.network(2), (13, 22)
    found = image(f"block@{tmp_path}/v.npz[4]", net, size=size)
    np.testing.assert_array_equal(found, image("block:4", net, size=size))


def test_the_length_of_a_vector_does_not_matter(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.stack([VECTOR, 3 * VECTOR]))
    one, three = kerasviz.render(NET, f"joined@{tmp_path}/v.npy", **ROW).images
    np.testing.assert_allclose(one, three, atol=1e-3)
    assert np.abs(one - 0.5).max() > 0.05


@pytest.mark.parametrize("power", ["", "#cosine=2"])
def test_every_format_gives_the_same_bytes(tmp_path: Path, power: str) -> None:
    np.save(tmp_path / "v.npy", VECTOR)
    np.savez(tmp_path / "v.npz", k=np.stack([-VECTOR, VECTOR.astype(np.float64)]))
    tensors = {
        name: np.stack([VECTOR, -VECTOR]).astype(dtype)
        for name, dtype in (("half", np.float16), ("brain", ml_dtypes.bfloat16), ("f", np.float32))
    }
    save_file(tensors, tmp_path / "v.safetensors")
    words = ["v.npy", "v.npz:k[1]", *(f"v.safetensors:{name}[0]" for name in tensors)]
    pictures = [image(f"joined@{tmp_path}/{w}{power}") for w in words]
    for other in pictures[1:]:
        np.testing.assert_array_equal(pictures[0], other)


def test_the_cosine_is_what_is_maximized(tmp_path: Path) -> None:
    vector = np.abs(VECTOR) + 1
    np.save(tmp_path / "v.npy", vector)
    plain, turned = (
        image(f"joined@{tmp_path}/v.npy{power}", steps=48, pre_activation=False)
        for power in ("", "#cosine=2")
    )
    activations = NET.activations(np.stack([plain, turned]), ["joined"])["joined"].numpy()
    lengths = [twin.direction(a, vector) for a in activations]
    scores = [twin.cosine(a, vector, 2) for a in activations]
    assert lengths[0] > 1.1 * lengths[1] and scores[1] > scores[0]


def test_a_vector_over_a_whole_layer_is_maximized(tmp_path: Path) -> None:
    size = (16, 24)
    shape = tuple(NET.activations(np.zeros((1, *size, 3), np.float32), ["joined"])["joined"].shape)
    vector = np.random.default_rng(1).normal(size=shape[1:]).astype(np.float32)
    np.save(tmp_path / "v.npy", vector)
    made = kerasviz.render(
        NET,
        f"joined@{tmp_path}/v.npy",
        **{**ROW, "size": size, "transform": (), "pre_activation": False},
    )
    a = NET.activations(made.images, ["joined"])["joined"].numpy()[0]
    assert made.scores[0] == pytest.approx(float((a * vector).sum()), rel=1e-3)
    assert made.losses[0, -1] < made.losses[0, 0] - 10
    usual = kerasviz.render(NET, f"joined@{tmp_path}/v.npy", **{**ROW, "size": size})
    assert np.isfinite(usual.losses).all()  # with the transforms of the recipe
    with pytest.raises(kerasviz.UsageError, match=r"joined has .* in images of 17x23"):
        image(f"joined@{tmp_path}/v.npy")


def test_a_picture_is_made_again_without_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", nmf=np.stack([VECTOR, -VECTOR]))
    out, target = tmp_path / "out", f"joined@{tmp_path}/v.npz:nmf[1]#cosine=2"
    made = kerasviz.render(NET, target, out=out, **ROW)
    (tmp_path / "v.npz").unlink()
    (entry,) = Store(out, NET).entries.values()
    assert entry.file == "joined@v-nmf-1-cosine-2.png"
    again = kerasviz.render_again(out / entry.file, NET, out=tmp_path / "again", progress=False)
    np.testing.assert_array_equal(again.images, made.images)
    assert (tmp_path / "again" / entry.file).read_bytes() == (out / entry.file).read_bytes()
    (request,) = json.loads((out / "manifest.json").read_text())["requests"].values()
    (term,) = request["objective"]
    assert term["source"]["file"] == "v.npz" and term["source"]["row"] == 1
    np.testing.assert_array_equal(np.float32(term["vector"]), -VECTOR)


def test_an_equal_vector_of_another_file_is_the_same_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", VECTOR)
    keys = {
        kerasviz.render(NET, f"joined@{tmp_path}/{name}.npy", **ROW).pictures[0].request.key(NET)
        for name in "ab"
    }
    assert len(keys) == 1


def test_a_latent_that_is_far_off_is_optimized(tmp_path: Path) -> None:
    encoder = np.random.default_rng(2).normal(size=(9, 5)).astype(np.float32)
    arrays = {
        "W_enc": encoder,
        "W_dec": np.ascontiguousarray(encoder.T),
        "b_enc": np.array([0, -1e9, 0, 0, 0], np.float32),
        "b_dec": np.ones(9, np.float32),
    }
    save_file(arrays, tmp_path / "sae_weights.safetensors")
    (tmp_path / "cfg.json").write_text(json.dumps({"apply_b_dec_to_input": True}))
    off = image(f"joined@{tmp_path}/sae_weights.safetensors#latent=1")
    np.save(tmp_path / "v.npy", encoder[:, 1])
    start = kerasviz.render(NET, "joined:0", **{**ROW, "snapshots": (0,)}).snapshots[0][0]
    assert np.abs(off - start).max() > 0.05
