"""Import Keras files."""
