"""The converters, one module per family; importing this registers them all."""

from kerasviz.importers.onnx.ops import (  # noqa: F401
    activation,
    arithmetic,
    conv,
    indexing,
    linear,
    normalization,
    pool,
    reduce,
    shape,
)
