"""Engines with real workers: processes, and actors of one Ray for all tests of a module."""

from support.engine_fixtures import make_engine, own_ray

__all__ = ["make_engine", "own_ray"]
