"""The compiled optimization loop and its parts."""
