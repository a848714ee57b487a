"""Write networks as Keras files."""
