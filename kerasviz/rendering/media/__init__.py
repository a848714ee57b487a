"""Media: how pictures of images, signals and others look as a file, and what stands beside it."""
