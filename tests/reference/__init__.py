"""Twins in numpy of what kerasviz computes: slow, plain, in float64, from the same sources.

They are the oracle of the tests and import nothing from kerasviz.
"""
