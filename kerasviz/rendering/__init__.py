"""Requests become pictures in a store."""
