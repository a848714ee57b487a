"""The optimization of pictures: objectives, parameterizations, transforms, loop, recipes."""
