"""Import SavedModels and frozen TensorFlow graphs."""
