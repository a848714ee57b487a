"""Draws figures as images."""
