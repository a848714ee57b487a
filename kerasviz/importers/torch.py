"""Export modules of PyTorch, where it is installed, to ONNX in memory."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kerasviz.errors import ModelError, UsageError, first_line


def exported(module: Any, example_input: Any) -> Any:
    """Export a module, as it computes in inference, to a ``ModelProto``.

    ``example_input`` is a tensor, or a tuple of several. The batch stays free where the module
    allows it. The module keeps its modes. Raises :class:`UsageError` without an example and
    without the packages of the export, :class:`ModelError` where it cannot be exported.
    """
    name = type(module).__name__
    if example_input is None:
        raise UsageError(
            f"a module of PyTorch is exported to ONNX with an example of its input: "
            f"kerasviz.load({name.lower()}, torch.zeros(1, 3, 224, 224))"
        )
    try:
        import onnxscript  # noqa: F401 - torch.onnx.export needs it
        import torch
    except ImportError as error:
        raise UsageError(
            f"to export {name} run: pip install 'kerasviz[torch]' ({first_line(error)})"
        ) from error
    inputs = example_input if isinstance(example_input, tuple) else (example_input,)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad(), _quiet():
            program = _with_free_batch(torch, module, inputs)
    except Exception as error:  # the exporter raises whatever the module raises
        reason = first_line(error.__cause__ or error)
        raise ModelError(f"{name} cannot be exported to ONNX: {reason}") from error
    finally:
        for part, training in modes:
            part.training = training
    return program.model_proto


def _with_free_batch(torch: Any, module: Any, inputs: tuple[Any, ...]) -> Any:
    """Export with a free number of rows, or with that of the example where this fails."""

    def export(tensors: tuple[Any, ...], **options: Any) -> Any:
        return torch.onnx.export(module, tensors, dynamo=True, verbose=False, **options)

    # The exporter takes a length of 1 for a fixed one.
    rows = {tensor.shape[0] for tensor in inputs if tensor.dim()}
    if len(rows) == 1:
        doubled = tuple(torch.cat([t, t]) if t.shape[0] == 1 else t for t in inputs)
        batch = torch.export.Dim("batch")
        with suppress(Exception):  # a module that fixes its batch
            return export(doubled, dynamic_shapes=[{0: batch} for _ in inputs])
    return export(inputs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter logs, also of a first attempt that fails."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def versions_of(module: Any) -> list[Any]:
    """Return where the weights of a module are, and how many times each was changed."""
    return [(name, t.data_ptr(), t._version) for name, t in module.state_dict().items()]
