"""Describe a network: a program with an input description, taps, classes and an identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, first_line
from kerasviz.network.class_heads import channels_before, find_class_head, find_logits
from kerasviz.network.classes import Classes
from kerasviz.network.identity import Identity as Identity
from kerasviz.network.image_rows import FAILURES, ImageRows, in_batches
from kerasviz.network.input_spec import PRESETS, InputSpec
from kerasviz.network.inputs import (
    OptimizedInput,
    checksums,
    held_arrays,
    held_feed,
    image_needed,
)
from kerasviz.network.live_weights import LiveWeights
from kerasviz.network.map import Map, map_of
from kerasviz.network.optimized_inputs import optimized_inputs
from kerasviz.network.program import PLAIN, Kernels, Port, Program, modality_of
from kerasviz.network.quiet_tensorflow import without_autograph
from kerasviz.network.size import SMALL, USUAL
from kerasviz.network.taps import Tap, TapTable
from kerasviz.network.token_input import Implied, TokenInput, implied_feed, implied_inputs
from kerasviz.types import Array, NotebookView, Tensor

if TYPE_CHECKING:
    from kerasviz.network.front_ends.card import FrontEndCard
    from kerasviz.network.front_ends.streaming import StreamCard


@dataclass(frozen=True, eq=False, repr=False)
class Network(NotebookView):
    """Hold a network whose units can be shown. It never changes; see :meth:`with_input_spec`.

    Args:
        program: The computation with named values.
        identity: The name, source, format and SHA-256.
        input_spec: How images in [0, 1] become the numbers that the network takes.
        labels: The names of the classes, empty if they are not known.
        aliases: Further names of taps.
        logits: The tap of the class logits, ``None`` to find it before the last softmax.
        main_taps: The layers to show first; unknown ones are left out. Without any, they are
            those of the map.
        data: Arrays that inputs beside the image are held at; see :meth:`with_data`.
        image: The input whose images are optimized, ``None`` for the first.
        trained_size: The (height, width) that the network was made for, ``None`` if unknown.
        origins: Where ``input``, ``labels`` and ``size`` are from, and what was ``left out``.
        live: The weights of the model in memory that it was loaded from. The network keeps those
            of that time, and warns when the model has others.
        axes: The axes of the input, as ``"batch,channel,time"``, ``None`` for the likely ones.
        rate: The rate of signals in Hz, ``None`` if unknown.
        front_end: What turns a sound into the spectrogram that the file takes; it is part of the
            ``program``, see :func:`kerasviz.network.front_ends.wrapped.with_front_end`.

    Example:
        >>> net = kerasviz.load("efficientnet-lite0")
        >>> values = net.activations(images, ["block3b", "prob"])
        >>> values["block3b"].shape[-1], values["prob"].shape
        (40, TensorShape([2, 1000]))
    """

    program: Program
    identity: Identity
    _: KW_ONLY
    input_spec: InputSpec | None = None
    labels: tuple[str, ...] = ()
    aliases: Mapping[str, str] | None = None
    logits: str | None = None
    main_taps: tuple[str, ...] = ()
    data: Mapping[str, Array] = field(default_factory=dict)
    image: str | None = None
    trained_size: tuple[int, int] | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    live: LiveWeights | None = None
    axes: str | None = None
    rate: int | None = None
    front_end: FrontEndCard | StreamCard | None = None
    taps: TapTable = field(init=False)
    map: Map = field(init=False)

    def __post_init__(self) -> None:
        values = self.program.values
        names = TapTable(values, self.aliases).names
        network_map = self._mapped(names)
        aliases = {**(self.aliases or {}), **network_map.names()}
        images = self._optimized
        likely = images[0].default_spec if images else None
        words = bool(images) and images[0].medium == "tokens"  # ids are what they are
        fields = {
            "input_spec": likely if words else self.input_spec or likely,
            "map": network_map,
            "taps": TapTable(values, aliases, network_map.short_names(), self.left_out),
            "main_taps": tuple(network_map.main),
        }
        for name, value in fields.items():  # as a frozen dataclass sets its own fields
            object.__setattr__(self, name, value)

    def _mapped(self, names: Mapping[str, str]) -> Map:
        """Return the map, with those of the main taps that the program has."""
        known = [name for name in self.main_taps if name in names]
        if len(known) < len(self.main_taps):
            found = map_of(self.program, names)
            if tuple(found.main) == self.main_taps:  # those of a network that this is a copy of
                return found
        return map_of(self.program, names, known)

    def with_input_spec(self, spec: InputSpec) -> Network:
        """Return this network with another input description."""
        origins = {**self.origins, "input": spec.source}
        known = spec == self.input_spec
        return self if known else replace(self, input_spec=spec, origins=origins)

    def with_axes(self, axes: str | None, rate: int | None) -> Network:
        """Return this network with its input read by other axes and at another rate."""
        known = (axes, rate) == (self.axes, self.rate)
        return self if known else replace(self, axes=axes, rate=rate)

    def with_channel_order(self, order: str) -> Network:
        """Return this network with its input description in another order of the colours."""
        return self.with_input_spec(replace(self.require_input_spec(), channel_order=order))

    def with_data(self, data: Mapping[str, Any]) -> Network:
        """Return this network with inputs beside the image that are held at arrays.

        Args:
            data: Arrays by the names of inputs, in the network's own layout and numbers, with one
                row for all pictures. One of the only image input is left out.

        Raises:
            UsageError: For names and shapes that the network does not have, and data for all of
                several images, of which one is optimized.

        Example:
            >>> net.with_data({"age": [[0.3]]}).activations(images, ["head"])   # doctest: +SKIP
        """
        images = [image.port.name for image in self._optimized]
        arrays = {n: a for n, a in {**self.data, **data}.items() if images != [n]}
        if len(images) > 1 and set(images) <= set(arrays):
            raise UsageError(
                f"{self.name}: data was given for all images ({', '.join(images)}); leave out the "
                "one that is optimized"
            )
        batch = self.image_input.batch if images else None
        held = held_arrays(self.program, arrays, self.name, batch)
        return replace(self, data=MappingProxyType(held), image=None)

    @cached_property
    def data_checksums(self) -> dict[str, str]:
        """The checksums of the held arrays by input."""
        return checksums(self.data)

    def renamed(self, name: str) -> Network:
        """Return this network under another name."""
        return replace(self, identity=replace(self.identity, name=name))

    def identified_like(self, recorded: Mapping[str, Any]) -> Network:
        """Return this network, identified by the SHA-256 of the kind that a record has."""
        identity = self.identity.like(recorded)
        return self if identity is self.identity else replace(self, identity=identity)

    def warn_of_training(self) -> None:
        """Warn, once, if the model in memory has other weights than when it was loaded."""
        if self.live is not None:
            self.live.warn(self.name)

    @property
    def name(self) -> str:
        """The network's short name."""
        return self.identity.name

    @property
    def left_out(self) -> Mapping[str, str]:
        """The values of the file that cannot be computed, by name, each with the reason."""
        reasons: Mapping[str, str] = getattr(self.program, "left_out", {})
        return reasons

    def __repr__(self) -> str:
        takes = f"input {self.image_port.shape}" if self.takes_images else "no image input"
        return f"<Network {self.name}: {len(self.taps)} taps, {takes}>"

    # -- the input ---------------------------------------------------------------------------

    @cached_property
    def _optimized(self) -> Sequence[OptimizedInput]:
        """The inputs that can be optimized, of one medium."""
        return optimized_inputs(self.program, self.axes, self.rate)

    @cached_property
    def _images(self) -> list[OptimizedInput]:
        """The inputs of images, or of another medium, that are not held: one is optimized."""
        if not self._optimized:
            ports = self.program.inputs.values()
            seen = ", ".join(f"{p.name} {list(p.shape or '?')} ({modality_of(p)})" for p in ports)
            raise ModelError(
                f"{self.name}: expected one input of images (rank 4) or signals, whose axes "
                f"--axes may name, as --axes batch,time,channel; inputs: {seen}"
            )
        return [image for image in self._optimized if image.port.name not in self.data]

    @property
    def takes_images(self) -> bool:
        """Whether an input takes images, or another medium, whose numbers can be optimized."""
        return any(image.port.name not in self.data for image in self._optimized)

    @property
    def medium(self) -> str:
        """What the network takes: ``image``, ``signal``..."""
        return self._optimized[0].medium if self._optimized else "image"

    def require_images(self, what: str) -> Network:
        """Return this network, or say in one line that ``what`` is for images only."""
        if self.takes_images and self.medium != "image":
            raise UsageError(
                f"{what}: {self.name} takes {self.image_input.noun}s, and this is for networks "
                "that take images; render, atlas, open, taps and check work"
            )
        return self

    @property
    def geometry(self) -> dict[str, Any]:
        """The axes and the rate of the signals that it takes, as plain data; empty for images."""
        if self.medium == "image":
            return {}
        axes = self.axes or ",".join(self.image_input.axes)
        described: dict[str, Any] = {"axes": axes}
        if self.rate is not None:
            described["rate"] = self.rate
        if self.front_end is not None:
            described["front_end"] = self.front_end.to_json()
        return described

    @property
    def image_input(self) -> OptimizedInput:
        """The input that takes the images, or another medium; of several the chosen or first."""
        chosen = (image for image in self._images if image.port.name == self.image)
        return next(chosen, self._images[0])

    @cached_property
    def _implied(self) -> dict[str, Implied]:
        """What inputs beside token ids are held at, unless data was given for them."""
        ids = self.image_input
        return implied_inputs(self.program, ids) if isinstance(ids, TokenInput) else {}

    @property
    def image_port(self) -> Port:
        """The port of the image input."""
        return self.image_input.port

    def focused(self, names: Sequence[str]) -> Network:
        """Return this network with the image input that taps depend on.

        Raises:
            UsageError: If the taps depend on several images, or on other inputs, that no data was
                given for.
        """
        parts = [part for name in names for part in self.taps[name].parts]
        begin = f"{self.name}: {', '.join(dict.fromkeys(names))}"
        held = {*self.data, *self._implied}
        image = image_needed(self.program, parts, self._images, held, begin)
        if image is None or image.port is self.image_port:
            return self
        name = image.port.name
        if name not in self._by_image:
            self._by_image[name] = replace(self, image=name)
        return self._by_image[name]

    @cached_property
    def _by_image(self) -> dict[str, Network]:
        return {}

    @property
    def channels(self) -> int:
        """The number of channels of an image: 3 for colour, 1 for grey; of a signal any."""
        return self.image_input.channels

    @property
    def fixed_size(self) -> tuple[int | None, int | None]:
        """The only (height, width) that the network takes, ``None`` for any size."""
        return self.image_input.size

    def require_input_spec(self) -> InputSpec:
        """Return the input description, or explain in one line how to give one."""
        images = self.medium == "image"
        if self.input_spec is None and self.identity.by_contents and images:
            raise UsageError(
                f"{self.name}: the model does not say which numbers it takes; load it with "
                f"preprocess= one of {', '.join(PRESETS)}, or mean=, std= and channel_order="
            )
        if self.input_spec is None and not images:
            raise UsageError(
                f"{self.name}: nothing says which numbers its {self.image_input.noun}s have; give "
                "--range LOW,HIGH or --range FILE.npy with some of them (in Python: range_=)"
            )
        if self.input_spec is None:
            raise UsageError(
                f"{self.name}: the file does not say which numbers the network takes; give "
                f"--preprocess {'|'.join(PRESETS)}, or --mean, --std and --channel-order"
            )
        return self.input_spec

    def fitting_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return a (height, width) with the sides that the network fixes."""
        height, width = (only or side for only, side in zip(self.fixed_size, size, strict=True))
        return height, width

    def check_size(self, height: int, width: int) -> None:
        """Raise :class:`UsageError` if the network takes another image size only."""
        for only, side in zip(self.fixed_size, (height, width), strict=True):
            if only is not None and only != side:
                want = "x".join("any" if n is None else str(n) for n in self._lengths)
                given = "x".join(map(str, self._sides(height, width)))
                raise UsageError(
                    f"{self.name} takes {self.image_input.noun}s of {want} only, not {given}; "
                    f"give --size {want.replace('any', str(only))}"
                )

    def _of_size(self, height: int | None, width: int | None) -> str:
        """Return "images of 64x96" for a size."""
        lengths = self._sides(height, width)
        return f"{self.image_input.noun}s of {'x'.join(map(str, lengths))}"

    @property
    def _lengths(self) -> tuple[int | None, ...]:
        return self.image_input.lengths or (1,)

    def _sides(self, height: int | None, width: int | None) -> tuple[int | None, ...]:
        """Return the lengths of a signal in an image of a size, or the size where it has none."""
        if height is None or width is None or not self.image_input.lengths:
            return height, width
        try:
            return self.image_input.lengths_in((height, width))
        except UsageError:
            return height, width

    # -- running -----------------------------------------------------------------------------

    @without_autograph
    def activations(
        self, images: Tensor, names: Sequence[str], *, kernels: Kernels = PLAIN
    ) -> dict[str, Tensor]:
        """Compute taps of images, running only what they need; differentiable.

        Args:
            images: [B, H, W, C] float32 in [0, 1], RGB.
            names: Names or aliases of taps.
            kernels: How to compute what can be computed in several ways.

        Returns:
            A tensor [B, h, w, C], [B, C] or [B, tokens, C] for each of ``names``.

        Raises:
            UsageError: For unknown names, a wrong rank, channel count or size.
            ModelError: If the network cannot be computed at that size.
        """
        focused = self.focused(names)
        if focused is not self:
            return focused.activations(images, names, kernels=kernels)
        self.warn_of_training()
        images = tf.convert_to_tensor(images, tf.float32)
        if images.shape.rank != 4 or images.shape[-1] != self.channels:
            raise UsageError(
                f"{self.name} takes {self.image_input.noun}s "
                f"[batch, height, width, {self.channels}]; "
                f"given {list(images.shape)}"
            )
        self.require_input_spec()
        height, width = images.shape[1:3]
        if height is not None and width is not None:
            self.check_size(height, width)
        try:
            results = self._computed(images, names, kernels)
        except FAILURES as error:
            raise ModelError(self._cannot(names, height, width, error)) from error
        for name, result in results.items():
            if 0 in result.shape[1:]:
                raise ModelError(
                    f"{self.name}: {self._of_size(height, width)} are too small, {name} would have "
                    f"the shape {list(result.shape[1:])}; give a larger --size"
                )
        return results

    def _computed(
        self, images: Tensor, names: Sequence[str], kernels: Kernels = PLAIN
    ) -> dict[str, Tensor]:
        """Compute taps in the batches that the network takes, with one row for each image."""
        taps = {name: self.taps[name] for name in names}
        wanted = list(dict.fromkeys(part for tap in taps.values() for part in tap.parts))
        fixed = self._rows.fixed_batch(wanted, (images.shape[1], images.shape[2]))

        def compute(x: Tensor) -> dict[str, Tensor]:
            feeds = self.feeds(x)
            values = self.program.compute(feeds, wanted, channels_last=True, kernels=kernels)
            return {n: self._rows.by_image(n, values[n], x, fixed) for n in wanted}

        values = compute(images) if fixed is None else in_batches(compute, images, fixed)
        if kernels.compute_dtype is not None:
            values = {
                n: tf.cast(t, tf.float32) if t.dtype == kernels.compute_dtype else t
                for n, t in values.items()
            }
        return {name: _join([values[p] for p in tap.parts], -1) for name, tap in taps.items()}

    def feeds(self, images: Tensor) -> dict[str, Tensor]:
        """Return the program's inputs: images in [0, 1], and what is held."""
        image, ports = self.image_input, self.program.inputs
        if image.port.dtype == tf.string:
            raise UsageError(f"{self.name}: input {image.port.name!r} takes texts, no images")
        held = {n: implied_feed(ports[n], kind, images) for n, kind in self._implied.items()}
        held |= {n: held_feed(ports[n], a, images, image.batch) for n, a in self.data.items()}
        return {**held, image.port.name: image.feed(self.require_input_spec().apply(images))}

    @cached_property
    def _rows(self) -> ImageRows:
        image, about = self.image_input, (self.fixed_size, self.channels)
        highest = image.vocabulary if isinstance(image, TokenInput) else 1
        return ImageRows(self.program, self.feeds, image.batch, *about, highest)

    def fixed_batch(self, names: Sequence[str], size: tuple[int, int]) -> int | None:
        """Return the only number of images of which taps can be computed; ``None`` for any.

        Args:
            names: Names or aliases of taps.
            size: (height, width) of the images.
        """
        wanted = list(dict.fromkeys(part for name in names for part in self.taps[name].parts))
        focused = self.focused(names)
        return focused._rows.fixed_batch(wanted, focused.fitting_size(size))

    def _cannot(
        self, names: Sequence[str], height: int | None, width: int | None, error: Exception
    ) -> str:
        """Say why taps cannot be computed, and which size helps, if one does."""
        reason = first_line(error).split(" for '{{node")[0][:200]
        shown = self._of_size(height, width)
        begin = f"{self.name}: {', '.join(names)} cannot be computed from {shown}"
        if height is None or width is None:
            return f"{begin}: {reason}"
        larger = (2 * height, 2 * width), (4 * height, 4 * width)
        for other in dict.fromkeys((*larger, USUAL, *SMALL)):
            fitting = self.fitting_size(other)
            if fitting != (height, width) and self._can_compute(names, *fitting):
                what = "too small; give a larger --size, as" if other in larger else "give --size"
                return f"{begin} ({what} {'x'.join(map(str, self._sides(*fitting)))}): {reason}"
        return f"{begin}: {reason}"

    def computes(self, name: str, height: int, width: int) -> bool:
        """Return whether a tap can be computed from images of this size, by tracing only."""
        own = self.fitting_size((height, width))
        return own == (height, width) and self._can_compute([name], height, width)

    def _can_compute(self, names: Sequence[str], height: int, width: int) -> bool:
        def trace(images: Tensor) -> None:
            results = self._computed(images, names)
            if any(0 in result.shape[1:] for result in results.values()):
                raise ModelError("nothing is left of the images")

        images = tf.TensorSpec([1, height, width, self.channels], tf.float32)
        try:
            tf.function(trace, autograph=False).get_concrete_function(images)
        except (*FAILURES, UsageError):
            return False
        return True

    def run(self, feeds: Mapping[str, Any], outputs: Sequence[str] | None = None) -> dict[str, Any]:
        """Run the network on its own inputs, in its own layout and numbers, and return arrays.

        ``feeds`` maps input names to arrays; ``outputs`` are any taps (default: the outputs).
        Sequences of ONNX are lists of arrays, optionals without a value are ``None``.
        """
        self.warn_of_training()
        tensors = {}
        for name, array in feeds.items():
            if name not in self.program.inputs:
                raise UsageError(
                    f"{self.name} has no input {name!r}; inputs: {', '.join(self.program.inputs)}"
                )
            tensors[name] = self.program.inputs[name].feed(array, self.name)
        missing = [name for name in self.program.inputs if name not in tensors]
        if missing:
            raise UsageError(f"{self.name}: no array given for input {', '.join(missing)}")
        if outputs is None:  # an output may be a constant, which is no tap
            parts: dict[str, tuple[str, ...]] = {n: (n,) for n in self.program.outputs}
        else:
            parts = {name: self.taps[name].parts for name in outputs}
        wanted = list(dict.fromkeys(part for names in parts.values() for part in names))
        values = self.program.compute(tensors, wanted, channels_last=False)
        first = any(port.channels_first for port in self.program.inputs.values())

        def joined(names: tuple[str, ...]) -> Any:
            if len(names) == 1:
                return _as_arrays(values[names[0]])
            axis = 1 if first and len(values[names[0]].shape) > 2 else -1
            return _as_arrays(_join([values[name] for name in names], axis))

        return {name: joined(names) for name, names in parts.items()}

    # -- the classes -------------------------------------------------------------------------

    @cached_property
    def classes(self) -> Classes:
        """The labels of the classes and the tap of their logits."""
        if self.logits is not None:
            shape = self.taps[self.logits].shape if self.logits in self.taps else None
            return Classes(self.labels, self.logits, channels_before(shape, len(self.labels)))
        logits = find_logits(self.program, self.taps, len(self.labels))
        head = None if logits else find_class_head(self.program, len(self.labels))
        return Classes(self.labels, *(head or (logits,)))

    def require_logits(self) -> Tap:
        """Return the tap of the class logits; raise :class:`UsageError` if there is none."""
        if self.classes.logits is None or self.classes.logits not in self.taps:
            raise UsageError(f"{self.name} has no class logits; name a tap instead")
        return self.taps[self.classes.logits]

    def class_index(self, label: str) -> int:
        """Return the number of a class given by its label or its number."""
        return self.classes.index(label, self.class_count)

    @property
    def class_count(self) -> int | None:
        """The number of classes; raises :class:`UsageError` if the network has none."""
        channels = self.require_logits().channels
        return None if channels is None else channels - self.classes.first


def _as_arrays(value: Any) -> Any:
    """Return a tensor as an array, a sequence as a list of arrays, and ``None`` as it is."""
    if isinstance(value, list):
        return [_as_arrays(item) for item in value]
    # NumPy does not take a bfloat16 tensor without axes itself.
    return None if value is None else np.asarray(value.numpy() if tf.is_tensor(value) else value)


def _join(parts: list[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis)
