"""The map of a network on a screen."""

from __future__ import annotations

from collections.abc import Mapping

from support.flows import written

from kerasviz.network.map_rows import MOST_ROWS, map_rows, shape_text
from kerasviz.network.network import Identity, Network


def network(text: str, kinds: Mapping[str, str] | None = None) -> Network:
    return Network(written(text, kinds), Identity("net", "net", "onnx", "0" * 64))  # type: ignore[arg-type]


def transformer(blocks: int, wide: int = 0) -> Network:
    """A transformer; block number ``wide`` is wider than the others."""
    text, source, kinds = "x = Conv(image) 16x8 in net, net.embed\n", "x", {"net": "Net"}
    for k in range(blocks):
        path = f"net.layer.{k}"
        width = 64 if k and k == wide else 32
        text += f"a{k} = MatMul({source}) 16x{width} in net, {path}, {path}.mlp, {path}.mlp.fc1\n"
        text += f"b{k} = MatMul(a{k}) 16x8 in net, {path}, {path}.mlp, {path}.mlp.fc2\n"
        text += f"c{k} = Add(b{k}, {source}) in net, {path}\n"
        source, kinds[path] = f"c{k}", "Block"
    return network(text, kinds)


def test_equal_siblings_are_one_row_with_what_is_inside() -> None:
    assert map_rows(transformer(12)) == [
        ("net", "Net", "16 x 8"),
        ("  embed", "", "16 x 8"),
        ("  layer.0-11", "Block", "16 x 8"),
        ("    mlp", "", "16 x 8"),
        ("      fc1", "", "16 x 32"),
        ("      fc2", "", "16 x 8"),
    ]


def test_a_sibling_that_differs_ends_the_row() -> None:
    labels = [label.strip() for label, _, _ in map_rows(transformer(5, wide=2))]
    assert [label for label in labels if "layer" in label] == ["layer.0-1", "layer.2", "layer.3-4"]


def test_the_inside_is_left_out_where_it_does_not_fit() -> None:
    text, source = "", "image"
    for k in range(MOST_ROWS - 10):
        path = f"stage{k % 7}.{k}"
        text += f"a{k} = Conv({source}) 8x8x{k + 4} in {path}, {path}.conv1\n"
        text += f"b{k} = Conv(a{k}) in {path}, {path}.conv2\n"
        text += f"c{k} = Add(b{k}, {source}) in {path}\n"
        source = f"c{k}"
    rows = map_rows(network(text))
    assert len(rows) == MOST_ROWS - 10
    assert not any("conv" in label for label, *_ in rows)


def test_too_many_main_layers_are_cut_in_the_middle() -> None:
    text, source = "", "image"
    for k in range(3 * MOST_ROWS):
        text += f"c{k} = Conv({source}) 8x8x{k % 5 + 4} in conv{'abc'[k % 3]}{k}\n"
        source = f"c{k}"
    rows = map_rows(network(text))
    assert len(rows) <= MOST_ROWS
    assert rows[0][0] == "conva0"
    assert rows[-1][0] == f"convc{3 * MOST_ROWS - 1}"
    (cut,) = [label for label, *_ in rows if "more" in label]
    assert cut == f"... {3 * MOST_ROWS - (len(rows) - 1)} more"


def test_modules_around_a_single_row_are_written_before_it() -> None:
    text = "a = Conv(image) 8x8x4 in net, net.body, net.body.conv\n"
    text += "b = Conv(a) 4x4x8 in net, net.body, net.body.head"
    assert [row[0] for row in map_rows(network(text))] == ["net.body", "  conv", "  head"]


def test_tokens_are_the_map_that_they_were_made_from() -> None:
    net = network(
        """
        patches = Conv(image) 4x4x8
        rows = Reshape(patches) 16x8
        tokens = Concat(rows, class) 17x8
        out = Gemm(tokens) 17x8
        flat = ReduceMean(out) 8
        """
    )
    shapes = {tap: shape_text(net, tap) for tap in net.taps}
    assert shapes == {
        "patches": "4x4 x 8",
        "rows": "4x4 x 8",
        "tokens": "4x4 + 1 x 8",
        "out": "4x4 + 1 x 8",
        "flat": "8",
    }
