"""Pages that show how units are tuned to stimuli and turned photos."""
