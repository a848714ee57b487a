"""Cases of the onnx backend suite that do not pass, with the reason of each."""

EXCEPTIONS: dict[str, str] = {}
