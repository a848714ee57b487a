"""Export a network for TensorFlow Serving, with its taps and its pictures."""

from kerasviz.export.tf_serving.export import Exported as Exported
from kerasviz.export.tf_serving.export import export as export
from kerasviz.export.tf_serving.export import export_model as export_model
from kerasviz.export.tf_serving.settings import ExportSettings as ExportSettings
