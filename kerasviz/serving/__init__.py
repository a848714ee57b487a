"""Serving: a network as a folder of TensorFlow Serving, with its taps and its pictures."""

from kerasviz.serving.export import Exported, export
from kerasviz.serving.setting import Setting

__all__ = ["Exported", "Setting", "export"]
