"""The page's modules that compute: addresses, sums of terms, and the flow of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasviz.network.input_spec import preset
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.zoo.load import load

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.running_service import running, small_network

from kerasviz.service.settings import ServiceSettings

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Call]:
    """Call a function of a module in the browser: ``call("terms.js", "textOf", terms)``."""
    setting = ServiceSettings(tmp_path_factory.mktemp("data"), workers=0)
    with running(setting) as address:
        page = browser.new_page()
        page.goto(address)

        def call(module: str, name: str, given: Any) -> Any:
            words = "async ([module, name, given]) => (await import(module))[name](given)"
            return page.evaluate(words, [f"/page/{module}", name, given])

        yield call
        page.close()


def layer(name: str, *inputs: str, main: bool = False) -> dict[str, Any]:
    return {"name": name, "inputs": list(inputs), "main": main, "units": 4}


def flow(call: Call, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """The blocks of a graph by main layer: branches as (from, layers)."""
    return {
        block["layer"]["name"]: [
            (branch["from"], [one["name"] for one in branch["layers"]])
            for branch in block["branches"]
        ]
        for block in call("graph.js", "blocksOf", layers)
    }


def test_branches_lead_from_one_main_layer_to_the_next(call: Call) -> None:
    mixed = [
        layer("stem", main=True),
        *(layer("1x1", "stem"), layer("3x3_reduce", "stem"), layer("3x3", "3x3_reduce")),
        *(layer("pool", "stem"), layer("pool_proj", "pool")),
        layer("mixed", "1x1", "3x3", "pool_proj", main=True),
        *(layer("expand", "mixed"), layer("project", "expand")),
        layer("sum", "mixed", "project", main=True),
        layer("logits", "sum"),
    ]
    assert flow(call, mixed) == {
        "stem": [(None, [])],
        "mixed": [(None, ["1x1"]), (None, ["3x3_reduce", "3x3"]), (None, ["pool", "pool_proj"])],
        "sum": [(None, []), (None, ["expand", "project"])],
        "logits": [(None, [])],
    }


def test_main_layers_stay_where_ways_lead_past_them(call: Call) -> None:
    """As in networks whose late layers take early ones too."""
    skipping = [
        layer("first", main=True),
        layer("down", "first", main=True),
        layer("up", "down", main=True),
        layer("joined", "first", "up"),
        layer("last", "joined", main=True),
    ]
    assert flow(call, skipping) == {
        "first": [(None, [])],
        "down": [(None, [])],
        "up": [(None, [])],
        "last": [("first", ["joined"])],
    }


def test_without_main_layers_the_flow_leads_where_all_ways_lead(call: Call) -> None:
    layers = [
        layer("first"),
        layer("left", "first"),
        layer("right", "first"),
        layer("joined", "left", "right"),
        layer("last", "joined"),
    ]
    assert flow(call, layers) == {
        "first": [(None, [])],
        "joined": [(None, ["left"]), (None, ["right"])],
        "last": [(None, [])],
    }


@pytest.mark.parametrize("seed", range(3))
def test_every_layer_is_in_the_flow_once(call: Call, seed: int) -> None:
    draw = np.random.default_rng(seed)
    layers = [layer("0", main=True)]
    for k in range(1, 40):
        count = int(draw.integers(1, 4))
        inputs = {str(max(0, k - int(back))) for back in draw.integers(1, 6, count)}
        layers.append(layer(str(k), *sorted(inputs), main=bool(draw.random() < 0.2)))
    found = []
    for name, branches in flow(call, layers).items():
        found += [name, *(one for _, names in branches for one in names)]
    assert sorted(found, key=int) == [str(k) for k in range(40)]


def test_a_block_is_laid_out_in_rows_and_columns_without_crossing(call: Call) -> None:
    """As in a transformer: two residual edges, and three branches inside of the first."""
    inside = [
        *(layer("norm1", "start"), layer("q", "norm1"), layer("v", "norm1")),
        *(layer("mix", "v", "q"), layer("add", "start", "mix")),
        *(layer("norm2", "add"), layer("mlp", "norm2")),
    ]
    layers = [layer("start", main=True), *inside, layer("end", "add", "mlp", main=True)]
    for one in layers:
        one["op"] = "Add" if one["name"] in ("add", "end") else "Conv"
    block = call("graph.js", "blocksOf", layers)[1]
    graph = call("block_graph.js", "graphOf", block | {"previous": "start"})
    # Without the name of the block before, what it starts from is outside like any other.
    assert [node["name"] for node in graph["nodes"] if node.get("outside")] == [None, "start"]
    nodes = {node["name"]: node for node in graph["nodes"]}
    names = [node["name"] for node in graph["nodes"]]
    for edge in graph["edges"]:
        source, target = names[edge["from"]], names[edge["to"]]
        assert nodes[source]["row"] < nodes[target]["row"], (source, target)
        between = [
            n["name"]
            for n in graph["nodes"]
            if n.get("layer")
            and n["column"] == edge["via"]
            and nodes[source]["row"] < n["row"] < nodes[target]["row"]
        ]
        assert between == [], (source, target)
    skips = [(names[e["from"]], names[e["to"]]) for e in graph["edges"] if e["skip"]]
    assert ("add", "end") in skips and ("start", "add") in skips
    places = [(n["column"], n["row"]) for n in graph["nodes"] if n.get("layer")]
    assert len(set(places)) == len(places) == 8


def test_alike_blocks_are_runs_and_names_are_short(call: Call) -> None:
    layers = [layer("model.stem", main=True)]
    for k in range(4):
        at = layers[-1]["name"]
        layers += [layer(f"model.layer.{k}.conv", at)]
        layers += [layer(f"model.layer.{k}", at, f"model.layer.{k}.conv", main=True)]
    layers += [layer("model.layer.4", layers[-1]["name"], main=True)]  # nothing inside
    runs = call("graph.js", "runsOf", call("graph.js", "blocksOf", layers))
    assert [len(run) for run in runs] == [1, 4, 1]
    names = ["net.stem", "net.stages.0.layers.0", "net.stages.1.layers.0", "net.stages.1.layers.1"]
    short = call("graph.js", "shortNames", names)
    assert short == [
        "stem",
        "stages.0.layers.0",
        "stages.1.layers.0",
        "stages.1.layers.1",
    ]
    names = ["net/front/concat", "net/front/concat_1", "net/concat", "net/relu"]
    assert call("graph.js", "shortNames", names) == [
        "front/concat",
        "concat_1",
        "net/concat",
        "relu",
    ]


def test_addresses_lead_back_to_their_places(call: Call) -> None:
    names = ("mixed/4a", "a b", "ä&b=c", "50%", "x?y#z", "a+b")
    places = [{"view": "networks"}, {"view": "jobs"}, {"view": "job", "id": "3f/ #"}]
    for name in names:
        places += [
            {"view": "network", "network": name},
            {"view": "layer", "network": name, "layer": name},
            {"view": "unit", "network": "n", "layer": name, "unit": 476},
            {"view": "compose", "network": "n", "target": f"{name}:1 + 0.5*{name}:2"},
            {"view": "compose", "network": "n", "target": f"{name}:1", "balance": "1"},
            {"view": "compose", "network": "n", "alpha": "1", "param": "pixel", "from": name},
        ]
    for place in places:
        assert call("address.js", "placeOf", call("address.js", "hashOf", place)) == place


def test_sums_mean_what_the_command_line_takes_them_for(call: Call, tmp_path: Path) -> None:
    net = load(str(small_network(tmp_path / "small.onnx")), input_spec=preset("unit"))
    draw = np.random.default_rng(7)
    names = {"unit": "{}:{}", "random": "{}:random-{}", "layer": "{}", "class": "logit:{1}"}
    for _ in range(25):
        terms = []
        for _ in range(int(draw.integers(1, 5))):
            kind = str(draw.choice(list(names)))
            terms.append(
                {
                    "kind": kind,
                    "layer": "" if kind == "class" else str(draw.choice(["first", "mixed/output"])),
                    "value": "" if kind == "layer" else str(draw.integers(5)),
                    "weight": int(draw.choice([-20, -13, -10, -1, 1, 5, 10, 17])) / 10,
                }
            )
        text = call("terms.js", "textOf", terms)
        wanted: list[Objective] = []
        for term in terms:
            one = parse_target(names[term["kind"]].format(term["layer"], term["value"]), net)[0]
            wanted.append(one.objective * term["weight"])
        assert parse_target(text, net)[0].objective == sum(wanted[1:], wanted[0])
        assert call("terms.js", "termsOf", text) == terms
    np.savez(tmp_path / "v.1.npz", nmf=np.eye(3, 8))
    texts = {
        "2*first@v.1.npz:nmf[2] - mixed/output:1": ("v.1.npz:nmf", "2", ""),
        "-first@v.1.npz[0]#cosine=2 + first:1": ("v.1.npz", "0", "#cosine=2"),
    }
    for text, found in texts.items():
        first, *_ = terms = call("terms.js", "termsOf", text)
        assert (first["array"], first["value"], first["option"]) == found
        assert call("terms.js", "textOf", terms) == text
        (target,) = parse_target(text, net, find=lambda words: tmp_path / words.path)
        assert target.text == text
    text = "first:1 - 0.5*first@sae.safetensors#latent=7"
    _, latent = terms = call("terms.js", "termsOf", text)
    assert (latent["kind"], latent["array"], latent["value"]) == ("latent", "sae.safetensors", "7")
    assert call("terms.js", "textOf", terms) == text
    for other in (
        "first@v.npz#latent=3,4",
        "first@v.npz[0-3]",
        "first@a/v.npz[0]",
        "penalty:tv",
        "first:0-3",
        "first:1@center",
        "prob:1 - first:2",
    ):
        assert call("terms.js", "termsOf", other) is None
    assert call("terms.js", "textOf", [{**terms[0], "weight": 0}]) == ""
