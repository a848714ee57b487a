"""The sections of the page of a set: which figures stand together, and the words between them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True)
class Section:
    """Some figures of the page under one title; ``anchor`` is its name in the page's address."""

    anchor: str
    title: str
    words: str
    slugs: tuple[str, ...]


#: All sections in the article's order. Titles and words are ours.
SECTIONS = (
    Section(
        "layers",
        "What layers look for",
        "A network of many layers takes pictures apart step by step. Ask its units one by one what "
        "they respond to, and the first answer with edges, the last with things.",
        ("hero", "fv-vs-attribution"),
    ),
    Section(
        "from-noise",
        "Starting from noise",
        "A network can be differentiated by its input. So a picture can be changed, step by step, "
        "until one number inside the network is large.",
        ("optimization-progress",),
    ),
    Section(
        "objectives-section",
        "Which number is made large",
        "The question is put by choosing that number: a single unit, a whole layer, or the answer "
        "of the network.",
        ("objectives",),
    ),
    Section(
        "examples",
        "Examples are not causes",
        "One could as well look through photos for those that a unit responds to. What is seen in "
        "them may cause the response, or may only come along with the cause.",
        ("dataset-vs-optimization",),
    ),
    Section(
        "diversity",
        "More than one answer",
        "One picture shows one way to make a unit active. There are others: less active ones, "
        "opposite ones, and several that are all as active.",
        (
            "activation-spectrum",
            "diversity-4a97",
            "diversity-4a143",
            "diversity-5a9",
            "diversity-4e55",
        ),
    ),
    Section(
        "together",
        "Units together",
        "Units do not work alone: a layer stands for things by many of them at once. Directions "
        "between units can be looked at in the same way.",
        ("random-directions", "neuron-arithmetic", "interpolation"),
    ),
    Section(
        "noise",
        "Why pictures turn into noise",
        "Taken literally, the question has an answer that nobody can read: a pattern of high "
        "frequencies. Part of it comes from how gradients pass through strides and pooling.",
        ("naive-noise", "gradient-artifacts"),
    ),
    Section(
        "regularization",
        "How much to ask of a picture",
        "Pictures become readable when something more is asked of them than a large number. How "
        "much more, is a choice.",
        ("regularization-spectrum",),
    ),
    Section(
        "families",
        "Penalties, and being moved",
        "High frequencies can be made expensive. Or the picture can be moved about while it is "
        "made, so that only what survives that is kept.",
        ("frequency-penalization", "transformation-robustness"),
    ),
    Section(
        "spaces",
        "Another space to move in",
        "The best picture stays the same if it is written down otherwise, but the way to it does "
        "not. Steps in a space without correlations go another way, and end elsewhere.",
        ("color-decorrelation", "steepest-descent", "preconditioning"),
    ),
    Section(
        "appendix",
        "Layer by layer",
        "Some units of every layer, and all units of some.",
        ("appendix-overview", "appendix-layer"),
    ),
)
