"""Statistics of units over a data set, in one pass and in memory that does not grow."""
