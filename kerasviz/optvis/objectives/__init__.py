"""Objectives: what is maximized, as data, as text and as tensors."""
