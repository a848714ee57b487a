"""The compiled optimization loop and what it is made of."""
