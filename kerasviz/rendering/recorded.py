"""Find and read the network that recorded pictures were made with.

Importing this module does not import TensorFlow, whose threads are set before it starts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import UsageError
from kerasviz.io.images import decode
from kerasviz.network.input_spec import InputSpec
from kerasviz.rendering.manifest import MANIFEST, read_manifest
from kerasviz.zoo.model_source import IMPORTERS, ModelSource

if TYPE_CHECKING:
    from kerasviz.network.network import Network


def take_threads(environments: Iterable[Mapping[str, str]]) -> None:
    """Let TensorFlow start with the threads that all pictures were made with.

    Their number decides the last bits. It is not changed where environments differ, or where
    TensorFlow runs already.
    """
    recorded = {environment.get("threads", "") for environment in environments}
    known = len(recorded) == 1 and (threads := recorded.pop()).isdecimal()
    if known and "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)


def recorded_source(source: ModelSource, network: Mapping[str, Any]) -> ModelSource:
    """Return a source that reads and feeds its model as the record of a network says."""
    importer, signature = source.importer, source.signature
    front_end = network.get("front_end")
    if network["format"] in IMPORTERS and importer is None:
        importer = network["format"]
    return replace(
        source,
        importer=importer,
        signature=network.get("signature") if signature is None else signature,
        input_spec=InputSpec.from_json(network["input"]),
        axes=None if front_end else network.get("axes"),
        rate=None if front_end else network.get("rate"),
        front_end=json.dumps(front_end) if front_end else None,
        range_=None,
    )


def network_of(folder: Path, model: Any = None) -> Network:
    """Return the network of a folder's pictures: ``model``, else the one that the folder names.

    Raises :class:`UsageError` for a folder that no pictures are in, and where no model is known.
    """
    from kerasviz.zoo.arguments import as_network

    manifest = read_manifest(folder)  # says what is wrong
    if model is None or isinstance(model, str | os.PathLike | ModelSource):
        named = model if isinstance(model, ModelSource) else ModelSource(os.fspath(model or ""))
        model = source_of(folder, manifest, named).load()
    return as_network(model)


def source_of(folder: Path, manifest: Mapping[str, Any], source: ModelSource) -> ModelSource:
    """Return the source of a folder's network: the model that ``source`` names, else its own.

    Raises :class:`UsageError` where neither is known.
    """
    model = source.path or model_of(folder, manifest)
    if model is None and manifest["network"].get("checksum"):
        raise UsageError(
            f"{str(folder)!r} was made with a model in memory, {manifest['network']['name']}; save "
            "that model and give --model FILE"
        )
    if model is None:
        raise UsageError(
            f"the model {manifest['network']['source']!r} that {str(folder)!r} was made with is "
            "not there; give --model FILE"
        )
    return recorded_source(replace(source, path=model), manifest["network"])


def model_of(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    """Return the zoo name or the file that a manifest names, ``None`` where it is gone."""
    source = str(manifest["network"]["source"])
    if manifest["network"]["format"] == "zoo" or source.startswith("hf://"):
        return source
    if (folder / source).exists():
        return str(folder / source)
    # Without a folder or an ending it is a network that was fetched into the user's cache.
    return source if "/" not in source and "." not in source else None


def read_provenance(file: Path) -> dict[str, Any]:
    """Read what a file records. Raises :class:`UsageError` where that is no optimized picture."""
    if not file.is_file():
        raise UsageError(f"no file {str(file)!r}")
    try:
        _, recorded = decode(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{str(file)!r} cannot be read as a picture") from error
    if recorded is None or "recipe" not in recorded:
        raise UsageError(
            f"{str(file)!r} does not record an optimization; give a PNG file that kerasviz "
            "render made, or one of the single pictures of figures or an atlas"
        )
    return recorded


def folder_of(file: Path) -> Path:
    """Return the folder with the manifest of a picture file, else the folder of the file."""
    # An atlas keeps its files two folders deeper than its manifest.
    folders = [file.parent, Path(os.path.normpath(file.parent / ".." / ".."))]
    return next((path for path in folders if (path / MANIFEST).is_file()), file.parent)


def source_of_picture(file: Path, network: Mapping[str, Any], source: ModelSource) -> ModelSource:
    """Return the source of a picture's network: the model that ``source`` names, else its own.

    That is the one of the manifest near the file, or a network of the zoo of the recorded name.
    """
    from kerasviz.zoo.model_card import cards

    folder, model = folder_of(file), source.path or None
    if model is None and (folder / MANIFEST).is_file():
        model = model_of(folder, read_manifest(folder))
    name = str(network["name"])
    if model is None and name not in cards():
        raise UsageError(
            f"the model {name!r} that {str(file)!r} was made with is not there; name it: "
            f"kerasviz render MODEL --again {file}"
        )
    return recorded_source(replace(source, path=model or name), network)
