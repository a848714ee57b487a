"""Read what Linux says of the processor, and let TensorFlow compute by oneDNN on all of x86.

TensorFlow itself does so only where a processor has instructions for neural networks. Its other
route rounds a row of a batch by its place among the others, cannot differentiate dilated
convolutions, and is slower in batches.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, MutableMapping
from contextlib import suppress
from pathlib import Path

#: What oneDNN is turned on or off by, before TensorFlow is imported.
VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
#: Instructions of which TensorFlow wants one before it uses oneDNN by itself.
WANTED = ("avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16")
#: What a processor of x86 needs for oneDNN to be faster.
NEEDED = "avx2"


@functools.cache
def processor_entry(name: str) -> str:
    """Return an entry of Linux for the first core; empty on other systems."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""


def processor_flags() -> frozenset[str]:
    """Return the names of the processor's instructions; none where nothing lists them."""
    return frozenset(processor_entry("flags").split())


def use_onednn(variables: MutableMapping[str, str], flags: Collection[str]) -> None:
    """Turn oneDNN on where TensorFlow would not, unless somebody has decided.

    Args:
        variables: The environment variables, which are changed.
        flags: The processor's instructions.

    Example:
        >>> variables = {}
        >>> use_onednn(variables, {"sse4_2", "avx2"})
        >>> variables
        {'TF_ENABLE_ONEDNN_OPTS': '1'}
    """
    if NEEDED in flags and not {*WANTED} & {*flags}:
        variables.setdefault(VARIABLE, "1")


def prepare() -> None:
    """Turn oneDNN on for this process and those that it starts; too late after TensorFlow."""
    use_onednn(os.environ, processor_flags())
