"""Define what every importer returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kerasviz.network.input_spec import InputSpec
from kerasviz.network.program import Program


@dataclass(frozen=True)
class Imported:
    """Hold a program and what its file says about its input and its classes.

    ``format`` is one of ``onnx``, ``onnx-tf`` (ONNX, read by that package), ``keras``, ``h5``,
    ``saved_model``, ``graphdef``, ``zoo``. ``size`` is the (height, width) that the network was
    made for. ``origin`` says where in the file the labels and the size stand. ``contents`` computes
    a SHA-256 of structure and weights that is the same in memory and in a file.
    """

    program: Program
    format: str
    input_spec: InputSpec | None = None
    labels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    origin: str = "metadata of the file"
    contents: Callable[[], str] | None = None
