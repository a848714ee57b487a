"""Checks an uploaded file in a separate process, which :mod:`sandbox` starts.

The argument is an :class:`InspectionRequest`; the last line of the output is the result as JSON.
The file is read only after the limits are set.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: Pixels on a side of the test image where the network takes any size.
_SIDE = 224


@dataclass(frozen=True)
class Budget:
    """The limits of the check of an upload.

    ``memory_bytes`` and ``cpu_seconds`` count from the end of the imports; ``seconds`` of wall time
    count from the start. ``unpacked_bytes`` limits unpacked zip files and every written file.
    """

    memory_bytes: int = 4 * 2**30
    cpu_seconds: int = 120
    seconds: float = 300.0
    unpacked_bytes: int = 512 * 2**20


@dataclass(frozen=True)
class InspectionRequest:
    """A file to check, of a kind of :data:`CHECKS`, with its preprocessing and the limits."""

    path: str
    preprocess: str | None
    budget: Budget
    kind: str = "network"

    def to_json(self) -> str:
        """Write the request as one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InspectionRequest:
        """Read a request."""
        data = json.loads(text)
        return cls(**{**data, "budget": Budget(**data["budget"])})


def inspect_network(request: InspectionRequest) -> dict[str, Any]:
    """Screen, load and run the network once, and return its format and counts.

    The file gets a second name with the suffix of its format. Raises :class:`KerasvizError` for a
    file that cannot be served.
    """
    import numpy as np

    from kerasviz.network.input_spec import preset
    from kerasviz.network.main_layers import of_one_image
    from kerasviz.service.networks import load
    from kerasviz.service.uploads.screening import screen
    from kerasviz.zoo.model_source import ModelSource

    upload = Path(request.path)
    kind = screen(upload, request.budget.unpacked_bytes)
    path = upload.with_suffix(f".{kind}")  # Keras insists on its suffix
    path.unlink(missing_ok=True)
    os.link(upload, path)
    spec = None if request.preprocess is None else preset(request.preprocess)
    net = load(ModelSource(str(path), input_spec=spec))
    if not len(net.taps):
        raise KerasvizError("the network has no layer that could be shown")
    last = next((n for n in reversed(list(net.taps)) if of_one_image(net, [n])), list(net.taps)[-1])
    image = net.focused([last]).image_input
    size = [_SIDE if side is None else side for side in image.size]
    net.activations(np.zeros((1, *size, image.channels), np.float32), [last])
    return {"format": kind, "layers": len(net.taps), "classes": len(net.classes.labels)}


def inspect_directions(request: InspectionRequest) -> dict[str, Any]:
    """Read every array of a file of directions, and return their shapes by name.

    Raises :class:`KerasvizError` for a file that is damaged, a pickle, or has no directions.
    """
    from kerasviz.service.uploads.array_screening import screen_arrays

    return {"arrays": screen_arrays(Path(request.path), request.budget.unpacked_bytes)}


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
    """Return the bytes of this process's address space; 0 if the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _end_with_parent() -> None:
    """End with the standard input, which the parent holds."""
    while os.read(0, 4096):
        pass
    os._exit(3)


def _prepare_networks() -> None:
    """Import and start everything that takes memory independently of the file."""
    from kerasviz.network.quiet_tensorflow import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    import kerasviz.importers.keras.file
    import kerasviz.importers.onnx
    import kerasviz.service.networks  # noqa: F401

    tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))


def _prepare_arrays() -> None:
    """Import everything that reads arrays."""
    import ml_dtypes
    import safetensors

    import kerasviz.service.uploads.array_screening  # noqa: F401

    del ml_dtypes, safetensors


#: What is imported and done for the files of a kind.
CHECKS: dict[str, tuple[Callable[[], None], Callable[[InspectionRequest], dict[str, Any]]]] = {
    "network": (_prepare_networks, inspect_network),
    "directions": (_prepare_arrays, inspect_directions),
}


def main() -> None:
    """Carry out one request and print the result."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    request = InspectionRequest.from_json(sys.argv[1])
    try:
        prepare, inspect = CHECKS[request.kind]
        prepare()
        _limit(request.budget)
        result = inspect(request)
    except KerasvizError as error:
        result = {"error": str(error)}
    except MemoryError:
        result = {"error": "the file needs more memory than uploads may take"}
    except RecursionError:
        result = {"error": "the network is nested too deeply"}
    except Exception as error:  # noqa: BLE001  a hostile file may provoke any exception
        result = {"error": f"the file cannot be read: {type(error).__name__}"}
        print(repr(error), file=sys.stderr)  # noqa: T201
    print("\n" + json.dumps(result), flush=True)  # noqa: T201
    os._exit(0)  # no code of the file may run at the exit


if __name__ == "__main__":
    main()
