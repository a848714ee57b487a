"""Writes networks as Keras files."""
