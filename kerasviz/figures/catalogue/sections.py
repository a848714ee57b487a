"""The sections of the page of a set: which figures stand together, and the text between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Group figures of the page under a title; ``anchor`` is its name in the page's address."""

    anchor: str
    title: str
    text: str
    slugs: tuple[str, ...]


#: All sections in the article's order, with its terms. The texts are ours.
SECTIONS = (
    Section(
        "layers",
        "Features in every layer",
        "A network builds its understanding of an image over many layers. Feature visualization "
        "shows, unit by unit, what each layer responds to.",
        ("hero", "fv-vs-attribution"),
    ),
    Section(
        "from-noise",
        "Feature visualization by optimization",
        "A network is differentiable with respect to its input. Starting from random noise, "
        "gradient steps change an image until it activates a chosen part of the network.",
        ("optimization-progress",),
    ),
    Section(
        "objectives-section",
        "Optimization objectives",
        "The objective is the number that optimization maximizes. Another objective asks the "
        "network another question.",
        ("objectives",),
    ),
    Section(
        "examples",
        "Why visualize by optimization?",
        "Dataset examples show what a unit responds to in practice. They do not show which part "
        "of them causes the response, and which only correlates with the cause.",
        ("dataset-vs-optimization",),
    ),
    Section(
        "diversity",
        "Diversity",
        "A single image shows one way to activate a unit. Weaker and negative activations, and "
        "several different images with high activation, show more of what the unit responds to.",
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
        "Interaction between neurons",
        "Combinations of neurons represent what an image shows. Any direction in the space of "
        "activations can be an objective, not only that of a single neuron.",
        ("random-directions", "neuron-arithmetic", "interpolation"),
    ),
    Section(
        "noise",
        "The enemy of feature visualization",
        "Optimization without regularization ends in high-frequency patterns that activate the "
        "unit but resemble no natural image. Strided convolutions and pooling contribute to them.",
        ("naive-noise", "gradient-artifacts"),
    ),
    Section(
        "regularization",
        "The spectrum of regularization",
        "Regularization makes visualizations resemble natural images. The stronger it is, the more "
        "they show of the regularizer and the less of the network.",
        ("regularization-spectrum",),
    ),
    Section(
        "families",
        "Families of regularization",
        "One family of methods penalizes high frequencies. Another transforms the image at random "
        "in every step, so that only features that survive the transformations remain.",
        ("frequency-penalization", "transformation-robustness"),
    ),
    Section(
        "spaces",
        "Preconditioning and parameterization",
        "Another parameterization of the image has the same optima, but gradient steps take "
        "another path. In a decorrelated space the path leads to fewer high frequencies.",
        ("color-decorrelation", "steepest-descent", "preconditioning"),
    ),
    Section(
        "appendix",
        "Appendix",
        "Selected units of every layer, and all units of some layers.",
        ("appendix-overview", "appendix-layer"),
    ),
)
