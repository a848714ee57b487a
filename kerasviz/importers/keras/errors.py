"""Explain in one line why Keras could not read a file, with the nearest fix."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import h5py

from kerasviz.errors import ModelError

#: Errors of Keras for files that are damaged, foreign or need missing code.
LOADING_ERRORS = (
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
_UNKNOWN = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown (?:layer|object|activation function):?)"
    r"\s*'([^']+)'"
)
#: Classes of Keras 2 that Keras 3 lacks or has moved.
_OF_KERAS_2 = frozenset(
    {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod"}
    | {"InstanceProperty", "Functional", "Sequential", "Model"}
)
#: Characters of the longest reason.
_LONGEST = 300


class KerasVersionError(ModelError):
    """Report that Keras 3 cannot read the file, which Keras 2 perhaps can."""


def explained(path: Path, error: Exception) -> ModelError:
    """Turn an error of Keras into one line."""
    text = str(error)
    if "safe_mode" in text or "unsafe deserialization" in text:
        return lambda_refused(path)
    unknown = _UNKNOWN.search(text)
    name = unknown[1].rpartition(">")[2] if unknown else ""
    if name and name not in _OF_KERAS_2:
        return ModelError(
            f"{path.name} needs {name}, which Keras does not have; name the module that defines "
            f"it with --import MODULE (in Python: custom_objects={{{name!r}: {name}}})"
        )
    if isinstance(error, (OSError, zipfile.BadZipFile)):
        return ModelError(f"{path.name} is damaged or truncated: {last_line(error)}")
    return KerasVersionError(f"{path.name} cannot be read by Keras 3: {last_line(error)}")


def lambda_refused(path: Path) -> ModelError:
    """Return the error for a file whose Lambda layers are not trusted."""
    return ModelError(
        f"{path.name} has a Lambda layer, which runs code from the file; if you trust the "
        "file, load it with --unsafe (in Python: unsafe=True)"
    )


def has_lambda(path: Path) -> bool:
    """Return whether the configuration in a ``.keras`` or ``.h5`` file names a Lambda layer."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    else:
        with h5py.File(path, "r") as file:
            config = json.loads(file.attrs["model_config"])
    pending = [config]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if item.get("class_name") == "Lambda":
                return True
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return False


def last_line(error: Exception) -> str:
    """Return the innermost reason that Keras gives, without the configuration that it prints."""
    reason = str(error).rpartition("Exception encountered:")[2].strip() or type(error).__name__
    line = reason.splitlines()[0].strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def check_h5(path: Path) -> None:
    """Raise :class:`ModelError` for an HDF5 file that is truncated or holds weights only."""
    try:
        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs:
                return
    except OSError as error:
        raise ModelError(f"{path.name} is a truncated HDF5 file: {error}") from error
    raise ModelError(
        f"{path.name} holds weights without the architecture; build the model in Python, call "
        "load_weights and save it as .keras"
    )
