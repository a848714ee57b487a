"""A small network in a file."""

from support.atlas_fixtures import model_file

__all__ = ["model_file"]
