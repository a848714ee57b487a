"""Keep the receptive fields of layers in the user's cache: they take as long as many images."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from kerasviz.errors import KerasvizError
from kerasviz.examples.receptive_field import ReceptiveField, receptive_field
from kerasviz.io.files import cache_folder, digest, write_atomically
from kerasviz.network.network import Network

#: The version of the way in which fields are found; others are found anew.
VERSION = 1


def kept_field(net: Network, tap: str, size: tuple[int, int]) -> ReceptiveField:
    """Return the fields of a tap as :func:`receptive_field` finds them, found once on this machine.

    Those of a model whose weights may change in memory are not kept. Raises as that does.
    """
    path = None if net.live is not None else _file(net, tap, size)
    if path is not None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return ReceptiveField.from_json(json.loads(path.read_text(encoding="utf-8")))
    field = receptive_field(net, tap, size)
    if path is not None:
        with suppress(OSError, KerasvizError):  # without a cache they are found again
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(field.to_json()).encode())
    return field


def _file(net: Network, tap: str, size: tuple[int, int]) -> Path:
    """Return the file of a tap's fields, by all that decides them."""
    values = [[v.name, v.op, list(v.inputs)] for v in net.program.values.values()]
    network = [net.identity.sha256, net.identity.signature, values]
    about = [*network, net.data_checksums, net.taps[tap].name, size, VERSION]
    return cache_folder() / "fields" / f"{digest(about)}.json"
