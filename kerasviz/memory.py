"""Memory that a program keeps between the steps of a loop."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

# The parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE = 2**30


def keep_freed_memory() -> bool:
    """Ask the C library to keep up to 1 GiB of freed memory for the next allocation.

    TensorFlow allocates the activations of a network anew in every step. The GNU C library gives
    large blocks back to the system at once, which then hands them out page by page, filled with
    zeros: a quarter of the time of a step at batch 16. For the whole process, so it is for programs
    to call and not for the library. Returns whether it was done; other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(p, _LARGE) for p in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))
