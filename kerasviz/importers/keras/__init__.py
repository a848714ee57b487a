"""Reads Keras files."""
