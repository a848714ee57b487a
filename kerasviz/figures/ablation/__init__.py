"""Edits of a network and what they change on photos."""
