"""Moved to kerasviz.rendering (so that ``kerasviz.render`` is the function); import from there."""

from kerasviz.rendering import *  # noqa: F403
