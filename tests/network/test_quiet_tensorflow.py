"""TensorFlow starts without chatter."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from kerasviz.network.quiet_tensorflow import hidden, silent


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


def test_hidden_libraries_are_as_if_not_installed_until_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ImportError), hidden(["this", "os"]):
        assert importlib.import_module("os") is os
        importlib.import_module("this")
    assert "this" not in sys.modules and sys.modules["os"] is os
    assert importlib.util.find_spec("this") is not None


def test_a_command_starts_without_what_only_keras_wrappers_take() -> None:
    code = (
        "import sys; from kerasviz.network.quiet_tensorflow import start_tensorflow\n"
        "start_tensorflow()\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'IPython'} & {*sys.modules}))\n"
        "import sklearn"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("['keras', 'tensorflow']\n", "")
