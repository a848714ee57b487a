"""Find the images of a data set to which the units of a network respond."""

from kerasviz.examples.find import examples_folder, find_examples
from kerasviz.examples.folder import Example, Examples, verify_examples
from kerasviz.examples.make import Summary, make_examples
from kerasviz.examples.ranking import BUCKETS
from kerasviz.examples.search import Question
from kerasviz.examples.statistics.index import ExampleIndex

__all__ = [
    "BUCKETS",
    "Example",
    "ExampleIndex",
    "Examples",
    "Question",
    "Summary",
    "examples_folder",
    "find_examples",
    "make_examples",
    "verify_examples",
]
