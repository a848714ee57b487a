"""Networks that are only names and shapes, and pictures that cost nothing."""

from support.figure_fixtures import drawn, network_of

__all__ = ["drawn", "network_of"]
