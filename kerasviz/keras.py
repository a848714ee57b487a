"""Watch units while a Keras model is trained: a callback for ``fit``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.importers.keras.file import program_of
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.run import LoopProgress
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe as find_recipe
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.film_strip import film_strip
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import make_requests
from kerasviz.rendering.sizes import unless_named
from kerasviz.types import Array
from kerasviz.zoo.load import load

#: Steps of a picture after each epoch; it begins where the one before has ended.
STEPS = 32
#: The sides of the pictures in pixels, unless the network takes another size only.
SIDE = 96
#: The epochs of a film strip, at most.
COLUMNS = 50
#: The film strip in ``log_dir``, and the folder of TensorBoard's events beside those of training.
STRIP = "pictures.png"
RUN = "pictures"


class PicturesCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Make pictures of units after each epoch, as a film strip and for TensorBoard.

    Each picture begins with the one of the epoch before, so that a few steps are enough and a
    change is one of the network; in the first epochs also since it has taken few steps. An epoch
    costs as much as training on ``steps`` images for each unit (MobileNetV2 of 96 x 96 pixels on
    two cores: four units take the time of six batches of 32), and the first one a compilation (the
    time of 35 batches). A network that cannot be shown, since its weights are no numbers any more
    for example, costs a warning and not the training.

    Args:
        taps: The units, such as ``"conv2:7"``; anything that ``kerasviz.render`` takes as text.
        every: The number of epochs from one picture to the next.
        log_dir: The folder of ``pictures.png`` and of TensorBoard's events; ``None`` for neither.
        steps: The number of steps after each epoch.
        size: A number or (height, width) in pixels; by default 96, or the network's own size.
        recipe: The other settings, or the name of a recipe.
        seed: The seed of the noise that the first pictures start from.
        reading: What :func:`kerasviz.load` takes, such as ``preprocess="unit"``: the numbers that
            the model is trained on.

    Attributes:
        images: The pictures of the units by epoch, from 1.
        seconds: The time that the pictures took, by epoch.

    Example:
        >>> edges = keras.layers.Conv2D(4, 3, name="edges")
        >>> model = keras.Sequential([keras.Input((16, 16, 3)), edges, keras.layers.Flatten()])
        >>> model.compile("adam", "mse")
        >>> pictures = PicturesCallback(["edges:0-1"], steps=4, preprocess="unit")
        >>> x, y = np.zeros((8, 16, 16, 3)), np.zeros((8, 784))
        >>> history = model.fit(x, y, epochs=2, callbacks=[pictures], verbose=0)
        >>> [image.size for image in pictures.images[2]]
        [(16, 16), (16, 16)]
    """

    def __init__(
        self,
        taps: str | Sequence[str],
        every: int = 1,
        log_dir: str | Path | None = None,
        *,
        steps: int = STEPS,
        size: int | tuple[int, int] | None = None,
        recipe: str | Recipe = "fast",
        seed: int = 0,
        **reading: Any,
    ):
        super().__init__()
        self.taps = [taps] if isinstance(taps, str) else list(taps)
        if not self.taps or every < 1:
            raise UsageError(f"expected one unit or more and every >= 1; given {taps!r}, {every}")
        self.every, self.seed, self.reading = every, seed, reading
        self.log_dir = None if log_dir is None else Path(log_dir)
        sides = {} if size is None else {"size": (size, size) if isinstance(size, int) else size}
        self.recipe = find_recipe(recipe).replace(steps=steps, patience=0, cutoff=None, **sides)
        self._is_sized = size is not None
        self.images: dict[int, list[Image.Image]] = {}
        self.seconds: dict[int, float] = {}
        self.names: list[str] = []
        self._net: Network | None = None
        self._batches: list[Batch] = []
        self._ends: list[tuple[Array, ...]] = []  # the parameters of the last pictures, by batch
        self._writer: Any = None

    # -- of Keras ----------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin with noise; raise :class:`UsageError` at once for an unknown unit."""
        self.images, self.seconds, self._ends, self._net = {}, {}, [], None
        if getattr(self.model, "inputs", None):
            self._prepare()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Make the pictures of an epoch, which Keras counts from 0."""
        if (epoch + 1) % self.every:
            return
        begin = time.perf_counter()
        try:
            self.images[epoch + 1] = self._rendered()
        except KerasvizError as error:
            warnings.warn(f"no pictures of epoch {epoch + 1}: {error}", stacklevel=2)
            return
        if self.log_dir is not None:
            self._write(epoch + 1, self.log_dir)
        self.seconds[epoch + 1] = time.perf_counter() - begin

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Close the events of TensorBoard."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _implements_train_batch_hooks(self) -> bool:  # Keras 2 asks for these three
        return False

    def _implements_test_batch_hooks(self) -> bool:
        return False

    def _implements_predict_batch_hooks(self) -> bool:
        return False

    # -- pictures ----------------------------------------------------------------------------------

    @property
    def strip(self) -> Image.Image:
        """The film strip: one row a unit, one column an epoch; of many epochs an even choice."""
        if not self.images:
            raise UsageError("there are no pictures yet; pass the callback to fit")
        epochs = list(self.images)
        places = np.linspace(0, len(epochs) - 1, min(len(epochs), COLUMNS)).round().astype(int)
        shown = [epochs[place] for place in places]
        rows = list(zip(*(self.images[epoch] for epoch in shown), strict=True))
        return film_strip(rows, self.names, [*map(str, shown)])

    def _prepare(self) -> None:
        """Read the model once, as a network that computes with its weights of the moment.

        So the loop is compiled once, and not in each epoch.
        """
        net = load(self.model, **self.reading)
        program = program_of(self.model, follows=True)
        self._net = replace(net, program=program, live=None)
        self._batches = self._batches_of(self._net)

    def _batches_of(self, net: Network) -> list[Batch]:
        """Return the batches of the units, in the order of the targets."""
        targets = parse_targets(self.taps, net)
        recipe = self.recipe
        if not self._is_sized:
            own = unless_named(recipe, net)
            recipe = own if own.size != recipe.size else recipe.replace(size=(SIDE, SIDE))
        self.names = [target.text for target in targets]
        return make_batches(net, make_requests(net, targets, recipe, seed=self.seed))

    def _rendered(self) -> list[Image.Image]:
        """Return the pictures of the present weights, and keep where they have ended."""
        if self._net is None:
            self._prepare()
        assert self._net is not None
        images: dict[str, Image.Image] = {}
        ends: list[tuple[Array, ...]] = []
        for number, batch in enumerate(self._batches):
            last: list[LoopProgress] = []
            start = _started(self._ends[number]) if self._ends else None
            for picture in render_batch(self._net, batch, last.append, start):
                images[picture.request.text] = picture.to_pil()
            checkpoint = last[-1].checkpoint
            assert checkpoint is not None
            ends.append(checkpoint().state)
        self._ends = ends
        return [images[name] for name in self.names]

    def _write(self, epoch: int, folder: Path) -> None:
        """Write the film strip, and the pictures of an epoch as events of TensorBoard."""
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(make_folder(folder) / RUN))
        with self._writer.as_default(step=epoch):
            for name, image in zip(self.names, self.images[epoch], strict=True):
                _summarize(name, image)
        self._writer.flush()
        write_atomically(folder / STRIP, encode(self.strip, "png"))


def _started(state: tuple[Array, ...]) -> Checkpoint:
    """Return the state before the first step of a run that begins with the images of another."""
    params = state[: len(state) // 3]  # followed by the two moments of the optimizer
    zeros = tuple(np.zeros_like(part) for part in params)
    rows = len(params[0])
    return Checkpoint(0, (*params, *zeros, *zeros), np.zeros((0, rows), np.float32), {})


def _summarize(name: str, image: Image.Image) -> None:
    """Write a picture as ``tf.summary.image`` does, which only TensorBoard's package has."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "images"
    sides = [str(side).encode() for side in image.size]
    tf.summary.write(name, tf.constant([*sides, encode(image, "png")]), metadata=metadata)
