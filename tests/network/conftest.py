"""Networks that are only names and shapes."""

from support.figure_fixtures import network_of

__all__ = ["network_of"]
