"""Find the passages of recordings and texts to which the units of a network respond."""
