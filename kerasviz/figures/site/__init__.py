"""Writes figures as pages."""
