"""Explain in one line why Keras could not read a file, with the nearest fix."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py

from kerasviz.errors import ModelError

#: Errors of Keras for files that are damaged, foreign or need missing code.
LOADING_ERRORS = (
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    NameError,
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


#: The colours in which Keras prints a reason.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: What Keras writes before the reason of a layer's call, as a paragraph.
_CALLING = "Exception encountered when calling"
#: What Keras writes between its own lines and the error of a layer.
_INNER = re.compile(r"(?:Exception|Error) encountered:")
#: What Keras 2 writes after the traceback of such a call.
_RAISED = re.compile(r"^\s*\w*(?:Error|Exception): (.+)$", re.MULTILINE)


class KerasVersionError(ModelError):
    """Report that Keras 3 cannot read the file, which Keras 2 perhaps can."""


class UnknownClassError(KerasVersionError):
    """Report that a file needs a class or function that this Keras does not have."""


def explained(path: Path, error: Exception, keras: str = "Keras 3") -> ModelError:
    """Turn an error of a version of Keras into one line."""
    if isinstance(error, NameError) and isinstance(error.__context__, Exception):
        error = error.__context__  # Keras fails once more while it closes a damaged file
    text = str(error)
    if "safe_mode" in text or "unsafe deserialization" in text:
        return lambda_refused(path)
    unknown = _UNKNOWN.search(text)
    name = unknown[1].rpartition(">")[2] if unknown else ""
    if name and name not in _OF_KERAS_2:
        return UnknownClassError(
            f"{path.name} needs {name}, which Keras does not have; name the module that defines "
            f"it with --import MODULE (in Python: custom_objects={{{name!r}: {name}}})"
        )
    if isinstance(error, (OSError, zipfile.BadZipFile)):
        return ModelError(f"{path.name} is damaged or truncated: {last_line(error)}")
    return KerasVersionError(f"{path.name} cannot be read by {keras}: {last_line(error)}")


def lambda_refused(path: Path) -> ModelError:
    """Return the error for a file whose Lambda layers are not trusted."""
    return ModelError(
        f"{path.name} has a Lambda layer, which runs code from the file; if you trust the "
        "file, load it with --unsafe (in Python: unsafe=True)"
    )


def has_lambda(path: Path) -> bool:
    """Return whether the configuration in a Keras file or folder names a Lambda layer."""
    pending = [_described(path, "config.json", "model_config")]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if item.get("class_name") == "Lambda":
                return True
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return False


def is_of_keras_3(path: Path) -> bool:
    """Return whether a Keras file or folder says that Keras 3 saved it."""
    saved = _described(path, "metadata.json", "keras_version")
    version = saved.get("keras_version") if isinstance(saved, dict) else saved
    return str(version).startswith("3")


def _described(path: Path, member: str, attribute: str) -> Any:
    """Return a JSON member of a ``.keras`` file or folder, or an attribute of an HDF5 file.

    ``None`` where the file is damaged.
    """
    try:
        if path.is_dir():
            return json.loads((path / member).read_bytes())
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read(member))
        with h5py.File(path, "r") as file:
            text = file.attrs.get(attribute, "")
            text = text.decode() if isinstance(text, bytes) else text
            return json.loads(text) if attribute == "model_config" else text
    except (OSError, KeyError, ValueError):
        return None


def last_line(error: Exception) -> str:
    """Return the innermost reason that Keras gives, without the configuration that it prints."""
    text = _COLOURS.sub("", str(error))
    callers = [p for p in _paragraphs(text) if p.startswith(_CALLING)]
    inner = _INNER.split(text)[-1]
    reasons = [p for p in _paragraphs(inner) if p not in callers] or [type(error).__name__]
    reason = reasons[0]
    if reason.startswith("in user code:"):  # a traceback by Keras 2 that ends in the reason
        raised = _RAISED.findall(text)
        reason = raised[-1] if raised else reason
    line = reason.splitlines()[0].strip()
    if callers:
        where = callers[-1].removeprefix(_CALLING).strip().rstrip(".").removesuffix(":")
        line = f"{where}: {line}"
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _paragraphs(text: str) -> list[str]:
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


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
