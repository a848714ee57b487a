"""Where oneDNN is turned on, and that TensorFlow then uses it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kerasviz.network.processor import processor_entry, processor_flags, use_onednn


@pytest.mark.parametrize(
    ("flags", "given", "wanted"),
    [
        (["avx2", "fma"], None, "1"),
        (["avx2", "avx512f"], None, "1"),
        (["avx2", "avx512f", "avx512_vnni"], None, None),  # TensorFlow does so itself
        (["avx2", "avx_vnni"], None, None),
        (["avx2", "amx_bf16"], None, None),
        (["avx"], None, None),
        ([], None, None),  # no x86, or no Linux
        (["avx2"], "0", "0"),
        (["avx2"], "1", "1"),
    ],
)
def test_onednn_is_on_unless_tensorflow_or_somebody_decides(flags, given, wanted):
    variables = {} if given is None else {"TF_ENABLE_ONEDNN_OPTS": given}
    use_onednn(variables, flags)
    assert variables.get("TF_ENABLE_ONEDNN_OPTS") == wanted


def test_entries_are_those_of_the_first_core():
    assert processor_entry("no such entry") == ""
    assert processor_flags() == frozenset(processor_entry("flags").split())


def test_tensorflow_uses_it_once_the_package_is_imported():
    """The gradient of a dilated convolution is one that only oneDNN has on a CPU."""
    if "avx2" not in processor_flags():
        pytest.fail("this machine has no avx2: oneDNN is not asked for")
    text = """
import kerasviz
import tensorflow as tf
x = tf.ones([1, 9, 9, 2])
with tf.GradientTape() as tape:
    tape.watch(x)
    y = tf.nn.conv2d(x, tf.ones([3, 3, 2, 1]), 1, "VALID", dilations=2)
print(tape.gradient(y, x).numpy().max())
"""
    variables = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run(
        [sys.executable, "-c", text], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "9.0"
