"""Export networks as Keras files and SavedModels that load without kerasviz."""

from kerasviz.export.convert import Converted as Converted
from kerasviz.export.convert import convert as convert
from kerasviz.export.convert import kind_of_output as kind_of_output
