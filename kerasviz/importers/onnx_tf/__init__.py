"""Import ONNX files by way of the package onnx-tf."""
