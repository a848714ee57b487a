"""Compare optimized pictures with photos, with each other and with another network's guesses."""
