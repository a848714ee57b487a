"""Transforms of the image between its parameters and the network."""
