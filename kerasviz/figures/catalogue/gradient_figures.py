"""Figures of gradients, and the article's table of regularization, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import (
    ARTICLE_LAYERS,
    Figure,
    LayerUnits,
    PlaceGroup,
    PriorWork,
)

__all__ = [
    "ATTRIBUTED",
    "CATEGORIES",
    "COLOR_DECORRELATION",
    "FV_VS_ATTRIBUTION",
    "GRADIENT_ARTIFACTS",
    "REGULARIZATION_SPECTRUM",
    "STEEPEST_DESCENT",
    "WEAK",
]

#: The columns of the table of regularization, weak ones first, and how many are weak.
CATEGORIES = (
    "Unregularized",
    "Frequency penalization",
    "Transformation robustness",
    "Learned prior",
    "Dataset examples",
)
WEAK = 3

FV_VS_ATTRIBUTION = Figure(
    slug="fv-vs-attribution",
    title="What a unit looks for, and what a network looked at",
    caption=(
        "Feature visualization makes examples of what a part of a network responds to. Attribution "
        "asks which part of one picture made the network answer as it did; such maps are also "
        "called saliency maps."
    ),
    layout="halves",
    groups=(),
)

#: The layer of the attribution map, our choice: late enough for parts of things, early enough for
#: a map with positions.
ATTRIBUTED = "mixed4d"

GRADIENT_ARTIFACTS = Figure(
    slug="gradient-artifacts",
    title="Where the grids come from",
    caption=(
        "How large the gradient is at every position, from the input through the layers. On its "
        "way back, to the left, every pooling layer and every convolution with a stride adds a "
        "grid to it, and the convolutions before them smear it."
    ),
    layout="halves",
    groups=(PlaceGroup("", tuple(LayerUnits(layer, 0) for layer in ARTICLE_LAYERS[:-1])),),
    bars=True,
)

COLOR_DECORRELATION = Figure(
    slug="color-decorrelation",
    title="Colours that are decorrelated",
    caption=(
        "The same gradient twice: as it is, and with decorrelated colours. In photos the three "
        "channels rise and fall together, so that most of any change is light and dark. Where that "
        "is undone, differences between the channels count as much: colours come out."
    ),
    layout="halves",
    groups=(),
)

STEEPEST_DESCENT = Figure(
    slug="steepest-descent",
    title="Three directions of steepest ascent",
    caption=(
        "The direction in which a score rises fastest depends on how distance is measured. All "
        "three raise the same score. The L-infinity metric has more high frequencies than the "
        "gradient itself, the decorrelated space has fewer."
    ),
    layout="table",
    groups=(),
)

REGULARIZATION_SPECTRUM = Figure(
    slug="regularization-spectrum",
    title="How much is held fixed",
    caption=(
        "Work on feature visualization, by its regularization. Weak regularization lets "
        "misleading correlations in less easily, but has less to do with real pictures; strong "
        "regularization gives more realistic pictures, and its prior may mislead."
    ),
    layout="marks",
    groups=(),
    works=(
        PriorWork("Erhan et al., 2009", (0,), "The core idea, with hardly any regularization."),
        PriorWork(
            "Szegedy et al., 2013", (0, 4), "Adversarial examples; units by dataset examples."
        ),
        PriorWork("Mahendran & Vedaldi, 2015", (1,), "Total variation; inverts representations."),
        PriorWork("Nguyen et al., 2015", (1,), "Pictures that fool a network; blurred images."),
        PriorWork(
            "Mordvintsev et al., 2015", (2, 3), "Jitter, several scales; mixtures as priors."
        ),
        PriorWork("Øygard, 2015", (1, 2), "Blurred gradients, with jitter."),
        PriorWork("Tyka, 2016", (1, 2), "Bilateral filters, with jitter."),
        PriorWork("Mordvintsev, 2016", (1, 2), "Gradients with equal frequencies, with jitter."),
        PriorWork("Nguyen et al., 2016 a", (3,), "Pictures from the generator of a GAN."),
        PriorWork("Nguyen et al., 2016 b", (3,), "A denoising autoencoder as prior."),
    ),
)
