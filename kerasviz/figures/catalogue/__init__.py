"""The figures of the article, as data."""
