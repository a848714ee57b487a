"""Provide the SavedModel whose own signatures an export keeps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasviz.errors import ModelError, UsageError, first_line
from kerasviz.network.network import Network


@contextmanager
def original_of(
    net: Network, custom_objects: Mapping[str, Any] | None = None, unsafe: bool = False
) -> Iterator[Path]:
    """Provide the folder of a network's SavedModel within the block.

    For a Keras file Keras' ``export`` writes it temporarily. Raises :class:`UsageError` for other
    files, which have no signatures.
    """
    path, kind = Path(net.identity.source), net.identity.format
    if not path.exists() or kind not in ("saved_model", "keras", "h5"):
        raise UsageError(
            f"{net.identity.source} has no signatures to keep; --keep-signatures is for "
            "SavedModels and Keras files"
        )
    if kind == "saved_model":
        yield path
        return
    from kerasviz.importers.keras.file import load_model

    model = load_model(path, custom_objects, unsafe)
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.export(folder, verbose=False)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ModelError(
                f"{path}: Keras cannot export its signatures: {first_line(error)}"
            ) from error
        yield Path(folder)
