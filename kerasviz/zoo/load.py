"""Load a file or a zoo name as a Network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kerasviz.errors import ModelError, UsageError, near
from kerasviz.importers.imported import Imported
from kerasviz.io.download import sha256_of
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Identity, Network
from kerasviz.zoo.cache import cached, find_archive, read_embedded
from kerasviz.zoo.labels import labels_of
from kerasviz.zoo.model_card import Card, card_for_checksum, cards


def load(
    source: str | os.PathLike[str],
    *,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    input_spec: InputSpec | None = None,
    importer: str | None = None,
    signature: str | None = None,
) -> Network:
    """Load a network from a model file, a SavedModel folder or the zoo.

    Args:
        source: A path (``.keras``, ``.h5``, ``.onnx``, frozen GraphDef or SavedModel, recognized by
            content) or the name of a zoo network; an existing path wins.
        custom_objects: Keras classes by name.
        unsafe: Whether to read files with pickled code.
        input_spec: The numbers that the network takes. It wins over the model card, which wins
            over the file.
        importer: ``"onnx-tf"`` to read an ONNX file with that package.
        signature: The signature or function of a SavedModel, by default ``serving_default`` or the
            only one.

    Returns:
        The network, with its taps, labels and input description.

    Raises:
        UsageError: If there is neither such a file nor such a name.
        ModelError: If the file cannot be read.

    Example:
        >>> net = load("efficientnet-lite0")                      # doctest: +SKIP
        >>> net.taps["block3b"].channels                          # doctest: +SKIP
        40
    """
    name = os.fspath(source)
    known = cards()
    path = Path(name)
    read_file = partial(
        _read,
        custom_objects=custom_objects,
        unsafe=unsafe,
        importer=importer,
        signature=signature,
    )
    if path.exists() and not (name in known and _is_other_folder(path)):
        sha256 = sha256_of(path)
        card = card_for_checksum(sha256)
        if card is None:
            _refuse_archive(name, sha256)
        imported = read_file(path)
    elif name in known:
        card = known[name]
        if card.embedded and importer is not None:
            raise UsageError(f"{name} is no ONNX file, which the importer {importer} reads")
        if card.embedded and signature is not None:
            raise UsageError(f"{name} is no SavedModel, so it has no signature {signature!r}")
        if card.embedded:
            imported, sha256 = read_embedded(card), card.sha256
        else:
            path, sha256 = _fetched(card)
            imported = read_file(path)
    else:
        raise UsageError(f"no file and no zoo network {name!r}; near: {near(name, known)}")
    title = card.name if card else path.stem
    identity = Identity(title, name, imported.format, sha256, signature)
    return _network(imported, identity, card, input_spec, path.parent)


def _refuse_archive(source: str, sha256: str) -> None:
    """Raise :class:`UsageError` for the archive of a zoo network, which has to be unpacked."""
    archived = find_archive(sha256)
    if archived is not None:
        raise UsageError(
            f"{source} is the archive of the zoo network {archived.name}; run: "
            f"kerasviz models add {source} --name {archived.name}"
        )


def _fetched(card: Card) -> tuple[Path, str]:
    """Return the file of a zoo network and its SHA-256, which must be the card's."""
    path = cached(card)
    if path is None:
        raise UsageError(f"{card.name} is not here yet; run: kerasviz models fetch {card.name}")
    sha256 = sha256_of(path)
    if card.sha256 and sha256 != card.sha256:
        raise ModelError(
            f"{path} is damaged: its SHA-256 is {sha256}, the card's {card.sha256}; "
            f"remove it and run: kerasviz models fetch {card.name}"
        )
    return path, sha256


def _is_other_folder(path: Path) -> bool:
    """Return whether a path is a folder without a model, so that the zoo name wins."""
    return path.is_dir() and not any(
        (path / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt", "config.json")
    )


def _read(path: Path, **options: Any) -> Imported:
    from kerasviz import importers  # only here: listing the zoo needs no importer

    return importers.read(path, **options)


def _network(
    imported: Imported,
    identity: Identity,
    card: Card | None,
    input_spec: InputSpec | None,
    beside: Path,
) -> Network:
    spec = input_spec or (card.input if card else None) or imported.input_spec
    if card is None:
        return Network(imported.program, identity, input_spec=spec, labels=imported.labels)
    return Network(
        imported.program,
        identity,
        input_spec=spec,
        labels=labels_of(card, beside) or imported.labels,
        aliases=card.aliases,
        logits=card.logits,
        main_taps=card.main_taps,
    )


def model_path(source: str) -> Path:
    """Return the file of a network, a path or a zoo name; :class:`UsageError` if there is none."""
    path = Path(source)
    if path.exists():
        return path
    card = cards().get(source)
    path_in_cache = None if card is None or card.embedded else cached(card)
    if path_in_cache is None:
        raise UsageError(f"{source} is no model file, so nothing else can run it; give a file")
    return path_in_cache
