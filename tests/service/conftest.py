"""A small network as a file, so that workers can load it, and services on it."""

from support.service_fixtures import served, setting, small_model

__all__ = ["served", "setting", "small_model"]
