"""Activation atlases: what a network sees in many photos, on one map."""
