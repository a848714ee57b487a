"""Pages of families: units that belong together."""
