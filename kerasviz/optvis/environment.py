"""Describe the environment of a run: everything that can change the last bits of a picture."""

from __future__ import annotations

import os
import platform
from typing import Any

import keras
import numpy as np
import PIL
import tensorflow as tf

from kerasviz import __version__
from kerasviz.network.processor import VARIABLE, processor_entry, processor_flags


def environment() -> dict[str, str]:
    """Return versions, device and threads as text, which is recorded with every picture.

    >>> sorted(environment())[:3]
    ['device', 'fast units', 'keras']
    """
    gpus = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    names = ", ".join(str(gpu.get("device_name", "GPU")) for gpu in gpus)
    return {
        "kerasviz": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": names if gpus else f"CPU {_processor()}",
        "threads": str(_threads()),
        "fast units": _gpu_units(gpus) if gpus else _cpu_units(),
        "onednn": os.environ.get(VARIABLE, "default"),
        "reproducible": "not promised on GPU" if gpus else "to the byte on this machine",
    }


def differences(current: dict[str, str], recorded: dict[str, str]) -> list[str]:
    """Return the differences between two environments, one line each.

    >>> differences({"device": "A", "keras": "3"}, {"device": "B", "keras": "3"})
    ['device: recorded B, here A']
    """
    return [
        f"{key}: recorded {recorded.get(key, 'nothing')}, here {current.get(key, 'nothing')}"
        for key in sorted({*current, *recorded})
        if current.get(key) != recorded.get(key)
    ]


def _threads() -> int:
    """Return the threads of an operation: as set, by TensorFlow's variable, or all cores."""
    named = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return (
        tf.config.threading.get_intra_op_parallelism_threads()
        or (int(named) if named.isdecimal() else 0)
        or os.cpu_count()
        or 1
    )


def _gpu_units(gpus: list[dict[str, Any]]) -> str:
    """Return the low precision for which every GPU has tensor cores, by compute capability."""
    least: tuple[int, int] = min(gpu.get("compute_capability") or (0, 0) for gpu in gpus)
    if least == (0, 0):
        return "none"
    kind = "bfloat16" if least >= (8, 0) else "float16" if least >= (7, 0) else "none"
    return f"{kind} (compute capability {least[0]}.{least[1]})"


def _cpu_units() -> str:
    """Return the best low-precision unit of the processor that oneDNN uses."""
    flags = processor_flags()
    return next((unit for unit in ("amx_bf16", "avx512_bf16") if unit in flags), "none")


def _processor() -> str:
    return processor_entry("model name") or platform.processor() or platform.machine()
