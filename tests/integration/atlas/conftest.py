"""A small network in a file, which workers can load, and the atlas of it."""

from support.atlas_fixtures import atlas, model_file, net, other_model_file

__all__ = ["atlas", "model_file", "net", "other_model_file"]
