"""Small model files for the tests of the command line."""

from support.cli_fixtures import _elsewhere, _no_progress, model_file, other_model_file

__all__ = ["_elsewhere", "_no_progress", "model_file", "other_model_file"]
