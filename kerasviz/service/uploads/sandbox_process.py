"""Looks at an uploaded model in a process of its own, which :mod:`sandbox` starts.

The arguments are the file, how it is read and what the process may take; the last line of its
output says in JSON what was found. The file is read only after the limits are set.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["Budget", "InspectionRequest", "inspect"]

#: Pixels on a side of the image that is tried where the network takes any size.
_SIDE = 224


@dataclass(frozen=True)
class Budget:
    """What the check of an upload may take.

    ``memory_bytes`` and ``cpu_seconds`` count from the end of the imports on; ``seconds`` is by the
    clock, for all of it. ``unpacked_bytes`` limits what a zip file unpacks to, and every file that
    is written.
    """

    memory_bytes: int = 4 * 2**30
    cpu_seconds: int = 120
    seconds: float = 300.0
    unpacked_bytes: int = 512 * 2**20


@dataclass(frozen=True)
class InspectionRequest:
    """A file that is to be looked at, and how its numbers are prepared."""

    path: str
    preprocess: str | None
    budget: Budget

    def to_json(self) -> str:
        """The order as one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InspectionRequest:
        """Read an order again."""
        data = json.loads(text)
        return cls(**{**data, "budget": Budget(**data["budget"])})


def inspect(order: InspectionRequest) -> dict[str, Any]:
    """Screen, load and run the network once; returns its format and counts.

    The file gets a second name, beside it and with the suffix of its format.
    Raises :class:`KerasvizError` for whatever cannot be served.
    """
    import numpy as np

    from kerasviz.network.input_spec import preset
    from kerasviz.service.networks import load
    from kerasviz.service.uploads.screening import screen
    from kerasviz.zoo.model_source import ModelSource

    given = Path(order.path)
    kind = screen(given, order.budget.unpacked_bytes)
    path = given.with_suffix(f".{kind}")  # Keras reads its files by that name only
    path.unlink(missing_ok=True)
    os.link(given, path)
    spec = None if order.preprocess is None else preset(order.preprocess)
    net = load(ModelSource(str(path), input_spec=spec))
    if not len(net.taps):
        raise KerasvizError("the network has no layer that could be shown")
    size = [_SIDE if side is None else side for side in net.fixed_size]
    last = net.taps[next(reversed(list(net.taps)))].name
    net.activations(np.zeros((1, *size, net.channels), np.float32), [last])
    return {"format": kind, "layers": len(net.taps), "classes": len(net.classes.labels)}


def _limit(budget: Budget) -> None:
    if resource is None:
        raise KerasvizError("this system has no limits for processes; uploads are not possible")
    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime) + budget.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (budget.unpacked_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + budget.memory_bytes,) * 2)


def _address_space() -> int:
    """The bytes of address space that this process has; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _end_with_parent() -> None:
    """End when the standard input does: whoever wanted to know is gone."""
    while os.read(0, 4096):
        pass
    os._exit(3)


def main() -> None:
    """Carry out one order and print what was found."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    order = InspectionRequest.from_json(sys.argv[1])
    try:
        _prepare()
        _limit(order.budget)
        found = inspect(order)
    except KerasvizError as error:
        found = {"error": str(error)}
    except MemoryError:
        found = {"error": "the network needs more memory than uploads may take"}
    except RecursionError:
        found = {"error": "the network is nested too deeply"}
    except Exception as error:  # noqa: BLE001  whatever a hostile file provokes is a refusal
        found = {"error": f"the file cannot be read: {type(error).__name__}"}
        print(repr(error), file=sys.stderr)  # noqa: T201
    print("\n" + json.dumps(found), flush=True)  # noqa: T201
    os._exit(0)  # nothing of the file runs any more, not even at the end


def _prepare() -> None:
    """Import and start everything that takes memory whatever the file is."""
    import tensorflow as tf

    import kerasviz.importers.keras.file
    import kerasviz.importers.onnx
    import kerasviz.service.networks  # noqa: F401

    tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))


if __name__ == "__main__":
    main()
