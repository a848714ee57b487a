"""The environment of workers: threads and other variables that change the last bits of pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: Prefixes of variables that change how TensorFlow and its libraries compute.
PREFIXES = ("TF_", "XLA_", "ONEDNN_", "DNNL_", "NVIDIA_TF32")
#: Keeps TensorFlow from taking all memory of a GPU that workers share.
SHARED = "TF_FORCE_GPU_ALLOW_GROWTH"


def threads_environment(threads: int) -> dict[str, str]:
    """Return variables that limit the threads of TensorFlow and numpy, if set before the import.

    >>> threads_environment(1)["TF_NUM_INTRAOP_THREADS"]
    '1'
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return {**dict.fromkeys(names, str(threads)), "OPENBLAS_NUM_THREADS": str(threads)}


def arithmetic(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of this process that workers on other machines need for equal bytes.

    >>> arithmetic({"TF_ENABLE_ONEDNN_OPTS": "0", "HOME": "/root"})
    {'TF_ENABLE_ONEDNN_OPTS': '0'}
    """
    return {k: v for k, v in sorted(environment.items()) if k.startswith(PREFIXES)}
