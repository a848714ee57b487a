"""Where the user's copies of networks lie: a cache folder, named by KERASVIZ_CACHE if set."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_folder", "cards_folder", "networks_folder"]


def cache_folder() -> Path:
    """Return the cache folder; it is made when something is first written."""
    named = os.environ.get("KERASVIZ_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("kerasviz")


def networks_folder() -> Path:
    """Return the folder with one folder of files per network."""
    return cache_folder() / "networks"


def cards_folder() -> Path:
    """Return the folder with the cards of networks that the user added."""
    return cache_folder() / "cards"
