"""The maps of real networks: the shared structures of PyTorch's exporters."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import pytest

import kerasviz
from kerasviz.network.map_rows import map_rows
from kerasviz.network.network import Network


@pytest.fixture(scope="module")
def maps(models_folder: Path) -> Path:
    """The folder of the shared structures, beside that of the shared models."""
    folder = models_folder.parent / "maps"
    if not folder.is_dir():
        pytest.skip("no folder of structures beside the shared models")
    return folder


def numbered(pattern: str, *counts: int) -> list[str]:
    """The names of several lists: ``stages.{}.{}`` with the counts of each list."""
    if pattern.count("{}") == 1:
        return [pattern.format(k) for k in range(counts[0])]
    return [pattern.format(i, k) for i, count in enumerate(counts) for k in range(count)]


#: What the authors of the networks call their blocks.
BLOCKS = {
    "ast.legacy": numbered("model.audio_spectrogram_transformer.layers.{}", 3),
    "bert.legacy": numbered("model.bert.encoder.layer.{}", 3),
    "clip.dynamo": [
        *numbered("model.vision_model.encoder.layers.{}", 4),
        *numbered("model.text_model.encoder.layers.{}", 3),
    ],
    "convnextv2.legacy": numbered("model.convnextv2.encoder.stages.{}.layers.{}", 1, 1, 3, 1),
    "dinov2.dynamo": numbered("model.encoder.layer.{}", 5),
    "gpt2.dynamo": numbered("model.transformer.h.{}", 3),
    "vit.legacy": numbered("model.vit.layers.{}", 6),
    "wav2vec2.dynamo": [
        *numbered("model.wav2vec2.feature_extractor.conv_layers.{}", 7),
        *numbered("model.wav2vec2.encoder.layers.{}", 3),
    ],
    "whisper_encoder.dynamo": numbered("model.layers.{}", 3),
    "timm_coatnet_nano_rw_224.dynamo": numbered("stages.{}.blocks.{}", 3, 4, 6, 3),
    "timm_edgenext_xx_small.legacy": numbered("stages.{}.blocks.{}", 2, 2, 6, 2),
    "timm_efficientformer_l1.legacy": numbered("stages.{}.blocks.{}", 3, 2, 6, 5),
    "timm_ghostnet_050.dynamo": numbered("blocks.{}.{}", 1, 1, 1, 1, 1, 1, 5, 1, 4),
    "timm_hrnet_w18_small.legacy": [
        "layer1.0",
        *(f"stage{s}.0.branches.{b}.{k}" for s in (2, 3, 4) for b in range(s) for k in range(2)),
    ],
    "timm_repvgg_a0.legacy": numbered("stages.{}.{}", 2, 4, 14, 1),
    "tv_inception_v3.dynamo": [
        *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d"),
        *("Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"),
    ],
    "tv_mobilenet_v3_small.dynamo": numbered("features.{}", 13),
    "tv_resnext50_32x4d.dynamo": [
        f"layer{i}.{k}" for i, count in enumerate((3, 4, 6, 3), 1) for k in range(count)
    ],
    "tv_shufflenet_v2_x0_5.legacy": [
        f"stage{i}.{k}" for i, count in enumerate((4, 8, 4), 2) for k in range(count)
    ],
    "tv_squeezenet1_0.legacy": [f"features.{k}" for k in (3, 4, 5, 7, 8, 9, 10, 12)],
    "tv_vgg11_bn.legacy": [f"features.{k}" for k in (2, 6, 10, 13, 17, 20, 24, 27)],
}
#: What else may be a main layer: before, between and after the blocks of one tower.
BESIDE = re.compile(
    r"stem|embed|norm|conv|act|relu|proj|head|final|incre|downsamp|features\.1$|blocks\.9|classifier",
    re.IGNORECASE,
)


def load(name: str, maps: Path, folder: Path) -> Network:
    """Load a shared structure; those of full size are compressed."""
    path = maps / f"{name}.onnx"
    if not path.exists():
        path = folder / path.name
        path.write_bytes(lzma.decompress((maps / f"{name}.onnx.xz").read_bytes()))
    return kerasviz.load(path)


@pytest.mark.parametrize("name", BLOCKS)
def test_main_layers_are_the_blocks_of_the_authors(name: str, maps: Path, tmp_path: Path) -> None:
    net = load(name, maps, tmp_path)
    blocks = [layer for layer in net.main_taps if layer in BLOCKS[name]]
    assert blocks == BLOCKS[name]
    others = [layer for layer in net.main_taps if layer not in blocks]
    assert all(BESIDE.search(layer) for layer in others), others
    assert len(map_rows(net)) < 60
    taps = [net.taps[layer].name for layer in net.main_taps]
    assert len(set(taps)) == len(taps)
    assert all((net.taps[layer].channels or 0) > 1 for layer in blocks)


def test_a_copy_of_a_network_has_its_main_layers(maps: Path, tmp_path: Path) -> None:
    net = load("gpt2.dynamo", maps, tmp_path)
    assert len(net.main_taps) > 1
    assert net.renamed("another").main_taps == net.main_taps
