"""Drawing figures as PNG images."""
