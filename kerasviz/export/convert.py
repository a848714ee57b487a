"""Convert a network to a Keras file or a SavedModel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from kerasviz.errors import UsageError, check_choice
from kerasviz.io.files import temporary_folder
from kerasviz.network.size import size_of
from kerasviz.types import OutputKind, OutputLayout, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Model, as_network, tap_names

if TYPE_CHECKING:
    from kerasviz.export.exported_function import Export
    from kerasviz.network.network import Network

KINDS = get_args(OutputKind)
#: Suffixes of other kinds of files.
_OTHERS = (".onnx", ".h5", ".hdf5", ".pb", ".tflite", ".pt", ".pth", ".zip", ".json")


@dataclass(frozen=True)
class Converted:
    """Describe what was written.

    ``inputs`` and ``outputs`` have the shapes. ``difference`` is the largest relative difference
    from the network on a random input, ``None`` where the network could not be run on one.
    """

    path: Path
    kind: str
    layout: str
    inputs: Mapping[str, tuple[int | None, ...] | None]
    outputs: Mapping[str, tuple[int | None, ...] | None]
    size: int
    difference: float | None


def kind_of_output(out: Path, to: str | None) -> str:
    """Return ``keras`` or ``saved_model``, from ``to`` or else from the name of the output.

    >>> kind_of_output(Path("a.keras"), None), kind_of_output(Path("folder"), None)
    ('keras', 'saved_model')
    """
    if to is not None:
        check_choice("to", to, KINDS)
    is_keras = out.suffix == ".keras"
    kind = to or ("keras" if is_keras else "saved_model")
    if kind == "keras" and not is_keras:
        raise UsageError(f"{out}: the name of a Keras file ends in .keras; give {out.stem}.keras")
    if kind == "saved_model" and (is_keras or out.suffix.lower() in _OTHERS):
        raise UsageError(
            f"{out}: give NAME.keras for a Keras file, or the name of a folder for a SavedModel"
        )
    return kind


@named_arguments()
def convert(
    net: Model,
    out: str | os.PathLike[str],
    *,
    to: OutputKind | None = None,
    taps: str | Sequence[str] = (),
    layout: OutputLayout | None = None,
    size: int | Size | str | tuple[None, None] | None = None,
) -> Converted:
    """Write a network as a ``.keras`` file or a SavedModel folder that needs no kerasviz.

    This is ``kerasviz convert``. The result is loaded and compared with the network before it gets
    its name.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        out: The file or folder to write.
        to: ``"keras"`` or ``"saved_model"``, by default what the name of ``out`` says.
        taps: Taps that become outputs, under the given names, beside the network's own.
        layout: ``"own"``, the model's (the default of SavedModels), or ``"channels-last"`` (the
            default of Keras files).
        size: Another size for a network that requires one, a number or (height, width);
            ``"any"`` for all sizes.

    Returns:
        The file, its inputs and outputs, and the largest relative difference on a random input.

    Raises:
        UsageError: For names, and a size that the graph does not allow.
        ModelError: For nodes that cannot be converted.

    Example:
        >>> kerasviz.convert("model.onnx", "model.keras").outputs       # doctest: +SKIP
        {'prob': (None, 1000)}
    """
    path = Path(out)
    kind = kind_of_output(path, to)
    if layout is not None:
        check_choice("layout", layout, get_args(OutputLayout))
    pixels = None if size is None else _any_or(size)
    net = as_network(net)
    _check_target(path, kind, net.identity.source)
    taps = tap_names(taps, net.taps)
    for name in taps:
        net.taps[name]  # raises for an unknown tap, with near names
    layout = layout or ("own" if kind == "saved_model" else "channels-last")
    if pixels is not None:
        from kerasviz.export.resize import resized

        net = resized(net, pixels)
    from kerasviz.export.exported_function import export_of

    export = export_of(net, taps, channels_last=layout == "channels-last")
    with temporary_folder(path.parent, path) as folder:
        result = folder / ("model.keras" if kind == "keras" else "model")
        if kind == "keras":
            # Keras' own layers would still be channels first.
            turned = export.channels_last and any(p.channels_first for p in export.ports.values())
            changed = turned or pixels is not None
            run = _write_keras(net, export, taps, result, changed=changed)
        else:
            run = _write_saved_model(export, result)
        error, shapes = _checked(net, export, run)
        bytes_ = sum(p.stat().st_size for p in [result, *result.rglob("*")] if p.is_file())
        _put(result, path)
    inputs = {name: export.shape(name) for name in export.ports}
    return Converted(path, kind, layout, inputs, shapes, bytes_, error)


def _any_or(size: Any) -> tuple[int | None, int | None]:
    """Return (height, width), both ``None`` for any size."""
    if size == "any" or size == (None, None):
        return None, None
    return size_of(size)


Run = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _write_keras(
    net: Network, export: Export, taps: Sequence[str], path: Path, *, changed: bool
) -> Run:
    import keras

    from kerasviz.export.keras.model import keras_model, legal_name
    from kerasviz.export.keras.native import keras_again

    model = None if changed else keras_again(net, taps)
    if model is None:
        model = keras_model(export, net.taps, net.name)
    model.save(path)
    loaded = keras.saving.load_model(path)

    def run(feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        named = {legal_name(name): feed for name, feed in feeds.items()}
        ordered = list(feeds.values())
        flat = [named.get(t.name, ordered[k]) for k, t in enumerate(loaded.inputs)]
        results = loaded(keras.tree.pack_sequence_as(loaded.input, flat), training=False)
        if isinstance(results, dict):
            return {n: keras.ops.convert_to_numpy(v) for n, v in results.items()}
        return dict(zip(export.outputs, keras.tree.flatten(results), strict=True))

    return run


def _write_saved_model(export: Export, path: Path) -> Run:
    import tensorflow as tf

    from kerasviz.export.saved_model import SIGNATURE, loaded_run, save_saved_model

    save_saved_model(export, path)
    return loaded_run(tf.saved_model.load(str(path)).signatures[SIGNATURE], export.ports)


def _checked(
    net: Network, export: Export, run: Run
) -> tuple[float | None, dict[str, tuple[int | None, ...] | None]]:
    from kerasviz.export.check import checked_difference
    from kerasviz.network.program import static_shape

    spec, outputs = net.input_spec, export.traced().outputs
    error = checked_difference(net.name, export, run, spec.range if spec else None, outputs)
    shapes = map(static_shape, outputs)
    return error, dict(zip(export.outputs, shapes, strict=True))


# -- files -----------------------------------------------------------------------------------


def _check_target(path: Path, kind: str, source: str) -> None:
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise UsageError(f"{path} is the model itself; give another name for the output")
    if kind == "keras" and path.is_dir():
        raise UsageError(f"{path} is a folder; give another name for the Keras file")
    if kind == "saved_model" and path.exists():
        if not path.is_dir():
            raise UsageError(f"{path} is a file; give another name for the SavedModel's folder")
        if any(path.iterdir()) and not (path / "saved_model.pb").exists():
            raise UsageError(f"the folder {path} holds other files; name a new or an empty one")


def _put(result: Path, path: Path) -> None:
    """Move the result to its name; an older SavedModel steps aside first."""
    if result.is_dir() and path.exists():
        os.replace(path, result.parent / "old")
    os.replace(result, path)
