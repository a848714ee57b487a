"""kerasviz shows what the units of a Keras or ONNX network look for."""

__version__ = "0.1.0"
