"""Pages that explain a score for photos."""
