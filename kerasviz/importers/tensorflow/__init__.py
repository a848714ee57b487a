"""Reads SavedModels and frozen TensorFlow graphs."""
