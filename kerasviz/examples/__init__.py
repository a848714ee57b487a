"""Find the images of a data set to which the units of a network respond."""

from kerasviz.examples.folder import Example, Examples, verify_examples
from kerasviz.examples.make import Summary, make_examples
from kerasviz.examples.ranking import BUCKETS
from kerasviz.examples.search import Question

__all__ = [
    "BUCKETS",
    "Example",
    "Examples",
    "Question",
    "Summary",
    "make_examples",
    "verify_examples",
]
