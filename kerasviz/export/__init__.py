"""Export networks as Keras files and SavedModels that load without kerasviz."""

from kerasviz.export.convert import Converted, convert, kind_of_output

__all__ = ["Converted", "convert", "kind_of_output"]
