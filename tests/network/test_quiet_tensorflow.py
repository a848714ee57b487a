"""TensorFlow starts without chatter."""

from __future__ import annotations

import os

import pytest

from kerasviz.network.quiet_tensorflow import silent


def test_silence_holds_back_what_c_code_writes(capfd: pytest.CaptureFixture[str]) -> None:
    with silent():
        os.write(2, b"chatter\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_silence_ends_with_what_was_held_back_after_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ImportError), silent():
        os.write(2, b"a library is missing\n")
        raise ImportError
    assert "a library is missing" in capfd.readouterr().err
