"""Search for token sequences that raise a score: ids have no gradient, so each step tries many."""
