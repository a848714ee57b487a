"""Export a network for TensorFlow Serving, with its taps and its pictures."""

from kerasviz.export.tf_serving.export import Exported, export
from kerasviz.export.tf_serving.settings import ExportSettings

__all__ = ["ExportSettings", "Exported", "export"]
