"""Compare searches for tokens on a file, at equal numbers of sequences that the network computes.

    python scripts/compare_searches.py gpt2.onnx h.1.mlp.act:7 h.2.mlp.act:3 --steps 100

For each target it prints the largest value of 10,000 random sequences, of a greedy swap (HotFlip)
and of the other methods, all but the first with as many sequences as the evolutionary search.
Every value is computed again from its ids: by this package alone, which must give the same number,
and by onnxruntime.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

import kerasviz
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.targets import Target, parse_targets
from kerasviz.optvis.recipes import RECIPES
from kerasviz.optvis.tokens.find import TokenResult, find_tokens, scorer_of
from kerasviz.optvis.tokens.relaxation import relax
from kerasviz.optvis.tokens.scorer import Row, TokenScorer
from kerasviz.optvis.tokens.search import SEARCHES, TokenSearch

RANDOM = 10_000
#: Sequences that are computed together. A file of a fixed number has its graph as often as needed.
ROWS = 16


def row_of(net: Network, target: Target, length: int) -> tuple[TokenScorer, Row]:
    """Return the scorer of a target and its tensors."""
    structure = structure_of(target.objective, net, False)
    data = pack_objectives(structure, [target.objective], net, False, (1, length))
    scorer = scorer_of(net, structure, RECIPES["words"].replace(search=TokenSearch(rows=ROWS)))
    return scorer, {name: tf.constant(array) for name, array in data.items()}


def searches(budget: int, length: int) -> Mapping[str, tuple[TokenSearch, int]]:
    """Return searches with the steps in which each computes a number of sequences."""
    greedy, gcg, random = (SEARCHES[name] for name in ("greedy", "gcg", "random"))
    return {
        "greedy swap": (greedy, -(-budget // (2 * greedy.population))),
        "gcg": (gcg, -(-budget // (gcg.children + 1))),
        "random": (random, -(-budget // random.children)),
    }


def computed_by_onnxruntime(path: Path, net: Network, tap: str, ids: Any) -> Any:
    """Return a tap of one sequence as onnxruntime computes it."""
    model = onnx.load(path)
    if tap not in {output.name for output in model.graph.output}:
        model.graph.output.extend([onnx.ValueInfoProto(name=tap)])
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    port = net.image_input.port
    count = port.shape[0] or 1
    images = np.repeat(np.asarray(ids, np.float32)[None, None, :, None], count, axis=0)
    feeds = {name: np.asarray(feed) for name, feed in net.feeds(tf.constant(images)).items()}
    return session.run([tap], feeds)[0][:1]


def check(net: Network, path: Path, target: Target, result: TokenResult) -> tuple[bool, float]:
    """Return whether all values come back exactly, and the difference of onnxruntime's."""
    (term,) = target.objective.terms
    name, exact, gap = net.taps[term.tap].name, True, 0.0
    for each in result.front:
        images = np.asarray(each.ids, np.float32)[None, None, :, None]
        units = net.activations(images, [name])[name]
        value = float(
            tf.reduce_mean(units, axis=list(range(1, units.shape.rank - 1)))[0, term.unit]
        )
        exact &= value == each.value
    theirs = computed_by_onnxruntime(path, net, name, result.best.ids)
    theirs = theirs.reshape(-1, theirs.shape[-1]).mean(0)[term.unit]
    gap = abs(theirs - result.best.value) / max(abs(result.best.value), 1e-9)
    return exact, float(gap)


def compare(net: Network, path: Path, target: Target, length: int, steps: int, seed: int) -> bool:
    """Print what each method finds; return whether the first one finds most."""
    scorer, row = row_of(net, target, length)
    first = find_tokens(scorer, row, SEARCHES["epo"], (steps, length), seed)
    head = "with fluency" if scorer.head else "no language head"
    print(f"\n{target.text}: {length} tokens of {scorer.vocabulary} ({head})")
    results = {"epo": first}
    for name, (search, needed) in searches(first.evaluated, length).items():
        results[name] = find_tokens(scorer, row, search, (needed, length), seed)
    draw = np.random.default_rng(seed).integers(0, scorer.vocabulary, (RANDOM, length))
    most = float(scorer.evaluate(draw.astype(np.int32), row)[0].max())
    for name, result in results.items():
        exact, gap = check(net, path, target, result)
        print(
            f"  {name:12} {result.best.value:10.5f}  {result.evaluated:7d} sequences, values again "
            f"{'exactly' if exact else 'NOT exactly'}, onnxruntime's apart by {gap:.1e}"
        )
    print(f"  {'10,000 drawn':12} {most:10.5f}")
    soft = relax(scorer, row, (200, length), seed, np.ones(scorer.vocabulary, bool))
    print(f"  {'relaxation':12} {soft.soft:10.5f}  soft, and {soft.snapped:.5f} as tokens")
    others = [results[name].best.value for name in ("greedy swap", "random")]
    return first.best.value > max(most, *others)


def main() -> None:
    """Compare the searches for each target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--tokens", type=int, default=12)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    net = kerasviz.load(options.model)
    length = net.fixed_size[1] or options.tokens
    targets = parse_targets(options.targets, net)
    won = [
        compare(net, options.model, target, length, options.steps, options.seed)
        for target in targets
    ]
    print(f"\nthe evolutionary search finds most for {sum(won)} of {len(won)} targets")


if __name__ == "__main__":
    main()
