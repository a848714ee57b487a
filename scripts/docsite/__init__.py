"""Builds the documentation: runs what its pages show, and puts the results beside it."""
