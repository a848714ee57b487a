"""Which modules are the main layers."""

from __future__ import annotations

from support.flows import Written, written

from kerasviz.network.blocks import choose_layers, find_blocks, find_joints


def layers(program: Written) -> dict[str, str]:
    tree = program.tree()
    return choose_layers(tree, tree.flow)


def block(number: int, source: str, path: str, size: str) -> str:
    around = f"{path.partition('.')[0]}, {path}"
    return f"""
    a{number} = Conv({source}) {size} in {around}, {path}.conv1
    b{number} = Relu(a{number}) in {around}, {path}.relu
    c{number} = Conv(b{number}) in {around}, {path}.conv2
    d{number} = Add(c{number}, {source}) in {around}
    """


def residual() -> Written:
    text = "stem = Conv(image) 8x8x4 in conv1\nrelu = Relu(stem) in relu\n"
    text += block(0, "relu", "layer1.0", "8x8x4") + block(1, "d0", "layer1.1", "8x8x4")
    text += "down = Conv(d1) 4x4x8 in layer2, layer2.downsample\n"
    text += block(2, "down", "layer2.0", "4x4x8") + block(3, "d2", "layer2.1", "4x4x8")
    return written(text + "logits = Gemm(d3) 10 in fc")


def test_blocks_in_which_ways_join_and_the_stem_behind_its_activation() -> None:
    assert layers(residual()) == {
        "relu": "relu",
        "layer1.0": "d0",
        "layer1.1": "d1",
        "layer2.0": "d2",
        "layer2.1": "d3",
    }


def test_members_of_a_list_of_blocks_without_a_join_count_too() -> None:
    """As the blocks of MobileNet that change the resolution."""
    text = """
    a = Conv(image) 8x8x4 in features, features.0
    b = Conv(a) 4x4x8 in features, features.1, features.1.0
    c = Conv(b) 4x4x8 in features, features.1, features.1.1
    d = Conv(c) 4x4x8 in features, features.2, features.2.0
    e = Conv(d) 4x4x8 in features, features.2, features.2.1
    f = Add(e, c) in features, features.2
    g = MaxPool(f) 2x2x8 in features, features.3
    h = Conv(g) 2x2x9 in features, features.4
    i = Conv(h) 2x2x9 in features, features.4
    """
    assert list(layers(written(text))) == ["features.0", "features.1", "features.2", "features.4"]


def test_stages_of_blocks_are_opened() -> None:
    text, source = "x = Conv(image) 8x8x4 in stem\n", "x"
    for stage in range(2):
        for k in range(4):
            n, path = 4 * stage + k, f"stages.{stage}.blocks.{k}"
            around = f"stages.{stage}, {path}"
            text += f"a{n} = Conv({source}) 8x8x{4 + stage} in {around}, {path}.conv\n"
            text += f"b{n} = Conv(a{n}) in {around}, {path}.pw\n"
            text += f"c{n} = Add(b{n}, {source}) in {around}\n"
            source = f"c{n}"
        text += f"s{stage} = Concat({source}, x) 8x8x{9 + stage} in stages.{stage}\n"
        source = f"s{stage}"
    found = list(layers(written(text)))
    assert found[0] == "stem"
    assert [n for n in found if "blocks" in n] == found[1:]
    assert len(found) == 9


def test_what_lies_beside_blocks_in_their_container_is_left_out() -> None:
    """As the convolutions around the blocks of CSP stages."""
    text = "x = Conv(image) 8x8x4 in stem\ny = Conv(x) in net, net.stages, net.stages.0.down\n"
    source = "y"
    for k in range(2):
        path = f"net.stages.{k}.blocks.0"
        text += f"a{k} = Conv({source}) 8x8x{k + 4} in net, net.stages, {path}, {path}.conv\n"
        text += f"b{k} = Conv(a{k}) in net, net.stages, {path}, {path}.pw\n"
        text += f"c{k} = Add(b{k}, {source}) in net, net.stages, {path}\n"
        source = f"c{k}"
    text += f"z = Conv({source}) 8x8x9 in net, net.stages, net.stages.1.last\n"
    text += "h = Conv(z) 8x8x7 in net, net.head"
    assert list(layers(written(text))) == [
        *("stem", "net.stages.0.blocks.0", "net.stages.1.blocks.0", "net.head")
    ]


def test_a_longer_list_of_plain_convolutions_does_not_open_a_block() -> None:
    """As in one-shot aggregation, whose blocks join what their convolutions see."""
    text, source = "x = Conv(image) 8x8x4 in stem\n", "x"
    for k in range(2):
        path, parts = f"stages.{k}.blocks.0", [source]
        for i in range(3):
            text += (
                f"a{k}{i} = Conv({parts[-1]}) 8x8x4 in {path}, {path}.mid.{i}, {path}.mid.{i}.dw\n"
            )
            text += f"b{k}{i} = Conv(a{k}{i}) in {path}, {path}.mid.{i}, {path}.mid.{i}.pw\n"
            parts.append(f"b{k}{i}")
        text += f"c{k} = Concat({', '.join(parts)}) 8x8x{16 + k} in {path}\n"
        text += f"d{k} = Conv(c{k}) 8x8x{4 + k} in {path}, {path}.out\n"
        source = f"d{k}"
    assert list(layers(written(text))) == ["stem", "stages.0.blocks.0", "stages.1.blocks.0"]


def test_modules_with_several_outputs_are_opened() -> None:
    """As those of HRNet, which return one tensor for each resolution."""
    text = """
    x = Conv(image) 8x8x4 in stem
    y = Conv(x) 4x4x8 in down
    a = Conv(x) 8x8x4 in stage2.0, stage2.0.branches.0
    b = Conv(a) 8x8x4 in stage2.0, stage2.0.branches.0
    c = Add(b, x) in stage2.0, stage2.0.branches.0
    d = Conv(y) 4x4x8 in stage2.0, stage2.0.branches.1
    e = Conv(d) 4x4x8 in stage2.0, stage2.0.branches.1
    f = Add(e, y) in stage2.0, stage2.0.branches.1
    g = Conv(c) 4x4x8 in head1
    h = Add(f, g) in head1
    i = Conv(f) 8x8x4 in head2
    j = Add(i, c) in head2
    """
    assert [n for n in layers(written(text)) if n.startswith("stage")] == [
        "stage2.0.branches.0",
        "stage2.0.branches.1",
    ]


def test_a_chain_of_convolutions_is_shown_behind_its_activations() -> None:
    text, source = "", "image"
    for k in range(3):
        text += f"c{k} = Conv({source}) 8x8x{k + 4} in features, features.{3 * k}\n"
        text += f"n{k} = BatchNormalization(c{k}) in features, features.{3 * k + 1}\n"
        text += f"r{k} = Relu(n{k}) in features, features.{3 * k + 2}\n"
        source = f"r{k}"
    assert layers(written(text)) == {"features.2": "r0", "features.5": "r1", "features.8": "r2"}


def test_activations_without_a_module_belong_to_the_convolution_before_them() -> None:
    text = """
    c = Conv(image) 8x8x4 in conv1
    r = Relu(c)
    d = Conv(r) 4x4x8 in conv2
    s = Relu(d)
    """
    assert layers(written(text)) == {"conv1": "r", "conv2": "s"}


def test_without_names_sums_concatenations_and_changes_of_resolution_count() -> None:
    text = """
    c = Conv(image) 8x8x4
    r = Relu(c)
    d = Conv(r) 4x4x8
    e = Conv(d) 4x4x8
    f = Add(d, e)
    g = Relu(f)
    h = Conv(g) 4x4x4
    i = Conv(g) 4x4x4
    j = Concat(h, i) 4x4x8
    k = Gemm(j) 10
    """
    assert layers(written(text)) == {"r": "r", "g": "g", "j": "j"}


def test_scores_of_attention_are_no_layers() -> None:
    text = """
    x = Conv(image) 16x8
    q = MatMul(x) 16x8
    k = MatMul(x) 16x8
    m = MatMul(q, k) 16x16
    b = Add(m, mask)
    s = Softmax(b)
    v = MatMul(s, x) 16x8
    y = Add(v, x)
    w = Gemm(y) 16x8
    z = Add(w, y)
    """
    program = written(text)
    assert find_joints(program.flow()) == {"y": "y", "z": "z"}


def test_a_module_that_holds_most_of_the_network_is_opened() -> None:
    text = """
    a = Conv(image) 8x8x4 in unet, unet.inc
    b = Conv(a) 4x4x8 in unet, unet.down
    c = Conv(b) 8x8x4 in unet, unet.up
    d = Concat(c, a) 8x8x8 in unet
    e = Conv(d) 8x8x4 in unet, unet.out
    """
    assert list(layers(written(text))) == ["unet.inc", "unet.down", "unet.up", "unet.out"]


def test_vectors_are_no_layers() -> None:
    program = written("a = Gemm(image) 10 in fc1\nb = Relu(a) in act\nc = Gemm(b) 5 in fc2")
    tree = program.tree()
    assert find_blocks(tree, tree.flow) == {}
    assert choose_layers(tree, tree.flow) == {}
