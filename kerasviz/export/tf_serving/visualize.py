"""Optimize pictures inside a graph, one for each row of (tap, unit, seed, steps)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from kerasviz.export.tf_serving.settings import ExportSettings, ServedTap, served_taps
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.special_tokens import left_out
from kerasviz.optvis.objectives.structure import taps_in
from kerasviz.optvis.optimization.loop import Loop
from kerasviz.types import Tensor

#: (tap [B], unit [B], seed [B], steps [B]) to (images [B, H, W, C], scores [B], steps taken [B]).
Pictures = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def pictures(net: Network, setting: ExportSettings) -> Pictures:
    """Return the function that makes pictures, to be traced with the whole optimization.

    Its int32 inputs are a tap's number, a unit of it, the seed of the initial noise, and the number
    of steps, which is clipped to the allowed range. Rows are sorted by tap and computed in groups
    of a fixed size. The last group repeats its last row, so that a row's picture depends on nothing
    else. A row without a valid unit, or without finite numbers, has a black picture, the score 0
    and no steps; it does not affect other rows.
    """
    net = net.focused(setting.taps)
    taps = served_taps(net, setting)
    runs = [_in_groups(net, tap, setting) for tap in taps]
    counts = tf.constant([tap.units for tap in taps])
    size = (*setting.recipe.size, net.channels)

    def compute(tap: Tensor, unit: Tensor, seed: Tensor, steps: Tensor) -> Any:
        valid = (tap >= 0) & (tap < len(taps)) & (unit >= 0) & (seed >= 0) & (seed < 2**31 - 1)
        valid &= unit < tf.gather(counts, tf.clip_by_value(tap, 0, len(taps) - 1))
        steps = tf.clip_by_value(steps, 1, setting.most)
        places, parts = [], []
        for index, run in enumerate(runs):
            rows = tf.where(valid & tf.equal(tap, index))
            columns = [tf.gather_nd(column, rows) for column in (unit, seed, steps)]
            places.append(rows)
            parts.append(run(*columns))
        rows, count = tf.concat(places, 0), tf.shape(tap, out_type=tf.int64)[0]
        images, scores = (tf.concat(part, 0) for part in zip(*parts, strict=True))
        images = tf.scatter_nd(rows, images, tf.stack([count, *size]))
        scores = tf.scatter_nd(rows, scores, [count])
        good = valid & tf.math.is_finite(scores)
        images = tf.where(good[:, None, None, None], images, tf.zeros_like(images))
        return images, tf.where(good, scores, 0.0), tf.where(good, steps, 0)

    return compute


def _in_groups(net: Network, tap: ServedTap, setting: ExportSettings) -> Callable[..., Any]:
    """Return a function from (units [n], seeds [n], steps [n]) of a tap to (images, scores)."""
    run, group = _group(net, tap, setting), setting.group
    spec = (
        tf.TensorSpec([group, *setting.recipe.size, net.channels], tf.float32),
        tf.TensorSpec([group], tf.float32),
    )

    def compute(*columns: Tensor) -> Any:
        count = tf.shape(columns[0])[0]
        groups = -(-count // group)
        place = tf.minimum(tf.range(groups * group), count - 1)  # repeats the last row
        padded = tuple(tf.reshape(tf.gather(c, place), [groups, group]) for c in columns)
        found = tf.map_fn(
            lambda rows: run(*rows), padded, fn_output_signature=spec, parallel_iterations=1
        )
        flat = [tf.reshape(part, [groups * group, *part.shape[2:]]) for part in found]
        return tuple(part[:count] for part in flat)

    return compute


def _group(net: Network, tap: ServedTap, setting: ExportSettings) -> Callable[..., Any]:
    """Return a run for a group of fixed size, in which each row stops at its own steps."""
    special = left_out(net, tap.recipe.special_tokens, taps_in(tap.structure))
    loop = Loop(net, tap.structure, tap.recipe, special)
    numbers, first = tf.range(setting.group), tap.recipe.redirect_steps
    phases = [(loop.one_step(loop.redirected_kernels), 0, first)] if first else []
    phases.append((loop.one_step(loop.kernels), first, setting.most))

    def run(units: Tensor, seeds: Tensor, steps: Tensor) -> Any:
        units, seeds, steps = (tf.ensure_shape(t, [setting.group]) for t in (units, seeds, steps))
        data = {"vector0": tf.one_hot(units, tap.units)}
        state = loop.start(seeds)
        for one_step, begin, end in phases:
            step = partial(one_step, data=data, seeds=seeds, groups=numbers)
            last = tf.minimum(tf.reduce_max(steps), end)
            state = _until(partial(_next, step), state, steps, begin, last)
        images = loop.image(state[0], numbers)
        return images, tf.map_fn(score, (images, data["vector0"]), fn_output_signature=tf.float32)

    def score(row: tuple[Tensor, Tensor]) -> Tensor:
        # One by one, since the last bit of a mean depends on the row's position in its group.
        image, vector = row
        return loop.score(image[None], {"vector0": vector[None]}, numbers[:1])[0]

    return run


def _next(step: Callable[..., Any], state: Any, number: Tensor) -> Any:
    return step(state, step=number)[0]


def _until(
    step: Callable[[Any, Tensor], Any], state: Any, steps: Tensor, begin: int, end: Tensor
) -> Any:
    """Run the steps from ``begin`` to ``end``; rows that have finished keep their state."""

    def body(i: Tensor, state: Any) -> Any:
        active = i < steps

        def kept(old: Tensor, new: Tensor) -> Tensor:
            return tf.where(tf.reshape(active, [-1] + [1] * (new.shape.rank - 1)), new, old)

        return i + 1, tf.nest.map_structure(kept, state, step(state, i))

    _, state = tf.while_loop(
        lambda i, _: i < end, body, (tf.constant(begin), state), parallel_iterations=1
    )
    return state
