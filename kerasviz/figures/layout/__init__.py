"""The layout of figures for a network: which pictures, in which rows."""
