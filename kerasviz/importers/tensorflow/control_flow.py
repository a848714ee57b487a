"""Run loops and branches of a TensorFlow graph again, with their bodies read like the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import tensorflow as tf

from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.network.program import Kernels
from kerasviz.types import Tensor

LOOPS = frozenset({"While", "StatelessWhile"})
BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})


@dataclass(frozen=True)
class LoopBody:
    """Hold a function of the graph's library, read as a graph.

    ``inputs`` and ``outputs`` are keys of ``graph``.
    """

    graph: FrozenGraph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, tensors: Sequence[Tensor], kernels: Kernels) -> list[Tensor]:
        """Compute the outputs from tensors for the inputs."""
        fed = dict(zip(self.inputs, tensors, strict=True))
        return self.graph.compute(fed, self.outputs, kernels)

    def restricted(self, inputs: Sequence[int], outputs: Sequence[int]) -> LoopBody:
        """Return the body with only some inputs and outputs, by their places."""
        return LoopBody(
            self.graph,
            tuple(self.inputs[index] for index in inputs),
            tuple(self.outputs[index] for index in outputs),
        )

    @property
    def broken(self) -> dict[int, str]:
        """The places of the outputs that cannot be computed, with the reasons."""
        sources = {index: self.graph.source(key) for index, key in enumerate(self.outputs)}
        broken = self.graph.broken
        return {index: broken[key] for index, key in sources.items() if key in broken}


@dataclass(frozen=True)
class WhileLoop:
    """Run ``body`` while ``condition`` holds.

    Both take all inputs of the node. The outputs of ``body`` replace the inputs at ``varying``,
    whose shapes over all rounds are ``shapes``, and are the outputs at ``positions`` of ``count``
    outputs of the node.
    """

    condition: LoopBody
    body: LoopBody
    varying: tuple[int, ...]
    shapes: tuple[tf.TensorShape, ...]
    positions: tuple[int, ...]
    count: int
    parallel_iterations: int

    def __call__(self, inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor | None]:
        """Return the outputs; ``None`` for the others, which are copies of inputs."""
        kernels = replace(kernels, compute_dtype=None)

        def all_inputs(varying: Sequence[Tensor]) -> list[Tensor]:
            tensors = list(inputs)
            for index, tensor in zip(self.varying, varying, strict=True):
                tensors[index] = tensor
            return tensors

        def holds(*varying: Tensor) -> Tensor:
            return _truth(self.condition.run(all_inputs(varying), kernels)[0])

        def step(*varying: Tensor) -> list[Tensor]:
            return self.body.run(all_inputs(varying), kernels)

        start = [inputs[index] for index in self.varying]
        try:
            results = self._run(holds, step, start, None)
        except ValueError:
            # The shapes of the first round are exact, but some loops change them.
            results = self._run(holds, step, start, self.shapes)
        return _placed(results, self.positions, self.count)

    def _run(
        self,
        holds: object,
        step: object,
        start: list[Tensor],
        shapes: Sequence[tf.TensorShape] | None,
    ) -> list[Tensor]:
        return list(
            tf.while_loop(
                holds,
                step,
                start,
                shape_invariants=None if shapes is None else list(shapes),
                parallel_iterations=self.parallel_iterations,
            )
        )


@dataclass(frozen=True)
class Branch:
    """Run one of the ``bodies``, which the first input chooses.

    The outputs of the bodies are those at ``positions`` of ``count`` outputs of the node.
    """

    bodies: tuple[LoopBody, ...]
    positions: tuple[int, ...]
    count: int

    def __call__(self, inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor | None]:
        """Return the outputs, ``None`` for those that cannot be computed."""
        kernels = replace(kernels, compute_dtype=None)
        chosen, *rest = inputs
        calls = [lambda body=body: body.run(rest, kernels) for body in self.bodies]
        results = tf.switch_case(chosen, calls, default=calls[-1])
        return _placed(results, self.positions, self.count)


@dataclass(frozen=True)
class Condition(Branch):
    """Run the first body where the first input is true, else the second."""

    def __call__(self, inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor | None]:
        """Return the outputs, ``None`` for those that cannot be computed."""
        as_index = tf.where(_truth(inputs[0]), 0, 1)
        return super().__call__([as_index, *inputs[1:]], kernels)


def _placed(results: Sequence[Tensor], positions: Sequence[int], count: int) -> list[Tensor | None]:
    by_position = dict(zip(positions, results, strict=True))
    return [by_position.get(index) for index in range(count)]


def _truth(tensor: Tensor) -> Tensor:
    """Return a boolean scalar for what TensorFlow takes for true: numbers not 0, text not empty."""
    if tensor.shape.rank != 0:
        return tf.size(tensor) > 0
    if tensor.dtype == tf.bool:
        return tensor
    return tf.strings.length(tensor) > 0 if tensor.dtype == tf.string else tensor != 0


def choice_of(op: str, chosen: Tensor, count: int) -> int:
    """Return which of ``count`` bodies an op runs for a constant first input."""
    if op in ("If", "StatelessIf"):
        return 0 if bool(_truth(chosen)) else 1
    index = int(chosen)
    return index if 0 <= index < count else count - 1
