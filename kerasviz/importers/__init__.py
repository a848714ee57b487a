"""Read model files of every format as a :class:`kerasviz.network.program.Program`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError, check_choice
from kerasviz.importers.detect import kind_of
from kerasviz.importers.imported import Imported

#: Names of importers beside kerasviz's own.
IMPORTERS = ("onnx-tf",)


def read(
    path: str | Path,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    importer: str | None = None,
    signature: str | None = None,
) -> Imported:
    """Read a model file or SavedModel folder; its content decides which format it has.

    ``custom_objects`` (class name to class) and ``unsafe`` (allow Lambda layers, which run code
    from the file) are for Keras files, ``importer="onnx-tf"`` is for ONNX files, ``signature``
    names what to read of a SavedModel. Raises :class:`kerasviz.errors.ModelError`, one line, for a
    file that cannot be read.
    """
    path = Path(path)
    if importer is not None:
        check_choice("importer", importer, IMPORTERS)
    kind = kind_of(path)
    if signature is not None and kind != "saved_model":
        raise UsageError(f"{path.name} is no SavedModel, so it has no signature {signature!r}")
    if importer == "onnx-tf":
        if kind != "onnx":
            raise UsageError(f"{path.name} is no ONNX file, which the importer {importer} reads")
        from kerasviz.importers.onnx_tf.program import read_onnx_tf

        return read_onnx_tf(path)
    # Each importer imports its own framework, so only the needed one is imported.
    if kind == "onnx":
        from kerasviz.importers.onnx import read_onnx

        return read_onnx(path)
    if kind == "saved_model":
        from kerasviz.importers.tensorflow.saved_model import read_saved_model

        return read_saved_model(path, signature)
    if kind == "graphdef":
        from kerasviz.importers.tensorflow.graphdef import read_graphdef

        return read_graphdef(path)
    from kerasviz.importers.keras.file import read_h5, read_keras

    read_file = read_keras if kind == "keras" else read_h5
    return read_file(path, custom_objects=custom_objects, unsafe=unsafe)


def read_proto(
    model: Any, name: str, folder: Path | None = None, importer: str | None = None
) -> Imported:
    """Read an ``onnx.ModelProto``, which stays as it is.

    ``name`` begins the lines of errors. External data that were not loaded are read from
    ``folder``, by default the working directory. Raises :class:`kerasviz.errors.ModelError`.
    """
    place = Path(folder or "") / name
    if importer is not None:
        check_choice("importer", importer, IMPORTERS)
        from kerasviz.importers.onnx_tf.program import read_onnx_tf_proto

        return read_onnx_tf_proto(model, place)
    from kerasviz.importers.onnx import read_onnx_proto

    return read_onnx_proto(model, place)
