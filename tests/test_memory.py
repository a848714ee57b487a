import platform
import subprocess
import sys

import pytest

from kerasviz.memory import keep_freed_memory

# Allocates and frees 64 MB twenty times and counts the pages that the system had to hand out.
PROGRAM = """
import resource
import sys
import numpy as np
from kerasviz.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**24, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has mallopt")
def test_freed_memory_is_used_again():
    def faults(word):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults("keep") < faults("give back") / 4


def test_other_systems_are_left_alone(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert not keep_freed_memory()
