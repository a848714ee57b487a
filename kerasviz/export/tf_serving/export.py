"""Export a network, with its pictures, as a folder for TensorFlow Serving."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, whole_number
from kerasviz.export.check import checked_difference
from kerasviz.export.exported_function import export_of
from kerasviz.export.saved_model import SIGNATURE, Signature, loaded_run, save_signatures
from kerasviz.export.tf_serving.assets import write_assets
from kerasviz.export.tf_serving.configs import write_configs
from kerasviz.export.tf_serving.original import original_of
from kerasviz.export.tf_serving.settings import ExportSettings, usual_setting
from kerasviz.export.tf_serving.signatures import signatures
from kerasviz.export.tf_serving.versions import new_version, next_version
from kerasviz.export.tf_serving.warmup import WarmUp, warm_ups, write_warm_ups
from kerasviz.network.network import Network
from kerasviz.network.size import size_of
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe as find_recipe
from kerasviz.types import Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network, tap_names
from kerasviz.zoo.load import load
from kerasviz.zoo.model_source import ModelSource

#: Where TensorFlow Serving looks for warm-up requests.
WARM_UP = "assets.extra/tf_serving_warmup_requests"

Shape = tuple[int | None, ...] | None


@dataclass(frozen=True)
class Exported:
    """Describe what was written: the folder of the version and its signatures.

    ``signatures`` has the shapes of inputs and outputs by signature; ``kept`` names the model's own
    signatures; ``size`` is in bytes; ``settings`` say what is served.
    """

    path: Path
    name: str
    version: int
    signatures: Mapping[str, Mapping[str, Mapping[str, Shape]]]
    kept: tuple[str, ...]
    size: int
    settings: ExportSettings


def model_name(net: Network, name: str | None = None) -> str:
    """Return the name under which a network is served: letters, digits and ``_ . -``.

    A SavedModel in a folder named by a version number is named after the parent folder. Raises
    :class:`UsageError` for a given name with other characters.
    """
    if name is not None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise UsageError(f"name {name!r}: expected letters, digits, _, . and -")
        return name
    network_name = net.name
    if network_name.isdecimal():
        network_name = Path(net.identity.source).resolve().parent.name or network_name
    return re.sub(r"[^A-Za-z0-9_.-]", "_", network_name).lstrip(".-") or "model"


@named_arguments()
def export_model(  # noqa: PLR0913 - the options of the command
    net: Model,
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    version: int | None = None,
    taps: str | Sequence[str] = (),
    recipe: str | Path | Recipe = "fast",
    size: int | Size | str | None = None,
    steps_max: int | None = None,
    group: int | None = None,
    image_size: int | Size | str | None = None,
    keep_signatures: bool = False,
    data: Data | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
) -> Exported:
    """Write a network for TensorFlow Serving, with its taps and its pictures.

    This is ``kerasviz export``: ``folder/NAME/VERSION`` needs neither Python nor custom operators.
    What was written is loaded and run before it gets its name.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        folder: The folder of all served models.
        name: The name under which it is served, by default the model's.
        version: The number of the version, by default one more than the highest.
        taps: The taps of ``activations`` and ``visualize``, whose order gives their numbers; by
            default the main layers and the classes.
        recipe: How pictures are optimized, the name of a recipe or its file.
        size: Pixels of pictures, a number or (height, width); by default what the network insists
            on, else the recipe's.
        steps_max: The most steps that a request gets, by default the recipe's.
        group: The pictures that are optimized at once, by default 1 or what the network requires.
        image_size: Pixels to which encoded images are scaled; by default the network's, else 224.
        keep_signatures: Whether to keep the signatures of a SavedModel or Keras file.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        custom_objects: The model's own Keras layers by name, to read its file again.
        unsafe: Whether to run Python code that the file carries.

    Returns:
        The folder of the version, its signatures and settings.

    Raises:
        UsageError: For names and settings.
        ModelError: For networks that cannot be served.

    Example:
        >>> kerasviz.export_model(net, "served", steps_max=4, size=32).path
        PosixPath('served/tiny/1')
    """
    chosen = find_recipe(recipe)
    known = isinstance(net, Network | ModelSource)
    net = net if known else load(net, custom_objects=custom_objects, unsafe=unsafe)
    net = as_network(net, data).require_images("export")
    served = model_name(net, name)
    next_version(Path(folder) / served, version)
    setting = usual_setting(
        net,
        chosen,
        taps=tap_names(taps, net.taps),
        size=None if size is None else size_of(size),
        steps_max=None if steps_max is None else whole_number("steps_max", steps_max),
        group=None if group is None else whole_number("group", group),
        image_size=None if image_size is None else size_of(image_size),
    )
    kept = original_of(net, custom_objects, unsafe) if keep_signatures else nullcontext()
    with kept as original:
        return export(net, folder, setting, name=served, version=version, original=original)


def export(
    net: Network,
    folder: str | os.PathLike[str],
    setting: ExportSettings,
    *,
    name: str | None = None,
    version: int | None = None,
    original: Path | None = None,
) -> Exported:
    """Write ``folder/NAME/VERSION`` for ``tensorflow_model_server``, and example configurations.

    It has the signatures of ``signatures`` and of the SavedModel ``original``, and needs neither
    custom operators nor Python. Before it gets its name it is loaded, compared with the network and
    run on its warm-up requests. Raises :class:`UsageError` for names and settings,
    :class:`ModelError` for networks that cannot be served.
    """
    served = model_name(net, name)
    place = Path(folder) / served
    next_version(place, version)
    traced = signatures(net, setting)
    with new_version(place, version) as draft:
        kept = save_signatures(traced, draft.folder, original, gradients=False)
        loaded = tf.saved_model.load(str(draft.folder)).signatures
        requests = [r for r in warm_ups(net, setting, traced) if r.signature not in kept]
        if SIGNATURE not in kept:
            plain, own = export_of(net, channels_last=False), loaded[SIGNATURE]
            run, between = loaded_run(own, plain.ports), net.require_input_spec().range
            checked_difference(net.name, plain, run, between, own.outputs)
        for request in requests:
            _run(net, loaded[request.signature], traced[request.signature], request)
        write_warm_ups(requests, served, draft.folder / WARM_UP)
        write_assets(net, setting, draft.folder / "assets")
        size = sum(p.stat().st_size for p in draft.folder.rglob("*") if p.is_file())
    write_configs(Path(folder))
    ours = {n: s for n, s in traced.items() if n not in kept}
    shapes = {n: _shapes(f, ours.get(n)) for n, f in loaded.items()}
    written = place / str(draft.number)
    return Exported(written, served, draft.number, shapes, kept, size, setting)


def _run(net: Network, loaded: Any, signature: Signature, request: WarmUp) -> None:
    feeds = {name: tf.constant(array) for name, array in request.inputs.items()}
    outputs = loaded_run(loaded, signature.inputs)(feeds)
    if "steps" in outputs and int(outputs["steps"][0]) != 1:
        raise ModelError(
            f"{net.name}: the numbers of a picture of tap {int(request.inputs['tap'][0])} are not "
            "finite; name other --taps or look at the model's weights"
        )


def _shapes(loaded: Any, signature: Signature | None) -> dict[str, dict[str, Shape]]:
    inputs = {tensor.name: tensor.shape for tensor in loaded.structured_input_signature[1].values()}
    if signature is not None:  # under the names that a server uses
        inputs = {name: spec.shape for name, spec in signature.inputs.items()}
    outputs = {name: tensor.shape for name, tensor in loaded.structured_outputs.items()}
    return {"inputs": _plain(inputs), "outputs": _plain(outputs)}


def _plain(shapes: Mapping[str, Any]) -> dict[str, Shape]:
    return {n: None if s.rank is None else tuple(s.as_list()) for n, s in sorted(shapes.items())}
