"""One helper for all tests of operators: onnxruntime and finite differences as the oracles."""

from support.onnx_parity import image, parity, tap_errors, write

__all__ = ["image", "parity", "tap_errors", "write"]
