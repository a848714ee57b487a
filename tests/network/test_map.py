"""The map: modules, main layers and their names."""

from __future__ import annotations

from dataclasses import replace

from support import tiny
from support.flows import written

from kerasviz.network.map import map_of

TEXT = """
x = Conv(image) 16x8 in model, model.embed
a = MatMul(x) in model, model.encoder, model.encoder.layer.0, model.encoder.layer.0.mlp
b = Gemm(a) in model, model.encoder, model.encoder.layer.0, model.encoder.layer.0.out
c = Add(b, x) in model, model.encoder, model.encoder.layer.0
d = MatMul(c) in model, model.encoder, model.encoder.layer.1, model.encoder.layer.1.mlp
e = Gemm(d) in model, model.encoder, model.encoder.layer.1, model.encoder.layer.1.out
f = Add(e, c) in model, model.encoder, model.encoder.layer.1
"""


def test_modules_have_their_classes_taps_and_labels() -> None:
    kinds = {"model.encoder.layer.0": "Block", "model": "Net"}
    network = map_of(written(TEXT, kinds), {})
    assert list(network.main) == ["model.embed", "model.encoder.layer.0", "model.encoder.layer.1"]
    modules = {module.name: module for module in network.root.walk()}
    block = modules["model.encoder.layer.0"]
    assert (block.label, block.kind, block.tap, block.main) == ("layer.0", "Block", "c", True)
    assert [module.label for module in block.modules] == ["mlp", "out"]
    assert (modules["model"].kind, modules["model"].main) == ("Net", False)


def test_ends_of_paths_that_are_unique_are_names() -> None:
    network = map_of(written(TEXT), {})
    short = network.short_names()
    assert short["layer.0"] == "c"
    assert short["layer.1.mlp"] == "d"
    assert short["encoder.layer.1"] == "f"
    assert "mlp" not in short  # of two modules
    assert "0" not in short
    assert network.names()["model.encoder.layer.1"] == "f"


def test_paths_of_tensorflow_end_behind_slashes_too() -> None:
    network = map_of(written(TEXT.replace("model.encoder.layer.", "net/encoder/layer_")), {})
    assert network.short_names()["layer_0"] == "c"
    assert network.short_names()["encoder/layer_1"] == "f"
    assert "mlp" not in network.short_names()


def test_a_name_that_another_value_has_is_not_taken() -> None:
    program = written("c = Conv(image) 8x8x4 in conv1\nr = Relu(c)\nd = Conv(r) 4x4x8 in conv2")
    program.values = {
        name: replace(value, activation_input="c" if name == "r" else None)
        for name, value in program.values.items()
    }
    assert map_of(program, {}).main == {"conv1": "r", "conv2": "d"}
    assert map_of(program, {"conv1": "c"}).main == {"conv1.relu": "r", "conv2": "d"}
    taken = {"conv1": "c", "conv1.relu": "d"}
    assert map_of(program, taken).main == {"r": "r", "conv2": "d"}


def test_main_layers_that_are_known_are_kept_in_the_tree() -> None:
    names = {"first": "a", "model.encoder.layer.1": "f"}
    network = map_of(written(TEXT), names, ["first", "model.encoder.layer.1"])
    assert network.main == names
    main = [module for module in network.root.walk() if module.main]
    assert [(module.name, module.tap) for module in main] == [
        ("first", "a"),
        ("model.encoder.layer.1", "f"),
    ]


def test_a_network_has_the_names_of_its_map() -> None:
    net = tiny.network()
    assert net.main_taps == ("relu1", "joined")
    assert [module.name for module in net.map.root.walk() if module.main] == ["relu1", "joined"]


def test_values_are_shown_under_the_names_of_modules() -> None:
    program = written(TEXT)
    program.values = {
        name: replace(value, aliases=("net/b", "model.encoder.layer.0.out.Gemm", "other"))
        if name == "b"
        else value
        for name, value in program.values.items()
    }
    network = map_of(program, {})
    assert network.name_of("c") == "model.encoder.layer.0"
    assert network.name_of("a") == "model.encoder.layer.0.mlp"
    assert network.name_of("unknown") == "unknown"
    inside = map_of(written("a = Conv(image) 8x8x4 in m\nb = Mul(a) in m\nc = Conv(b) in n"), {})
    assert inside.name_of("a") == "a"
    assert inside.name_of("b") == "m"
