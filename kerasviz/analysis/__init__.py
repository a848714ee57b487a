"""Analyse a network: what its units are built from, and what decides a score."""
