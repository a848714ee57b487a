"""Define what every importer returns."""

from __future__ import annotations

from dataclasses import dataclass

from kerasviz.network.input_spec import InputSpec
from kerasviz.network.program import Program


@dataclass(frozen=True)
class Imported:
    """Hold a program and what its file says about its input and its classes.

    ``format`` is one of ``onnx``, ``onnx-tf`` (ONNX, read by that package), ``keras``, ``h5``,
    ``saved_model``, ``graphdef``, ``zoo``.
    """

    program: Program
    format: str
    input_spec: InputSpec | None = None
    labels: tuple[str, ...] = ()
