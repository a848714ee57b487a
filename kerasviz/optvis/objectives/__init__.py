"""Objectives to be maximized, as data, as text and as tensors."""
