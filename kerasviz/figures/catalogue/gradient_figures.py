"""Figures of gradients, and the article's table of regularization, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import (
    ARTICLE_LAYERS,
    Figure,
    LayerUnits,
    PlaceGroup,
    PriorWork,
)

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
    title="Feature visualization and attribution",
    caption=(
        "Feature visualization generates examples of what a part of a network looks for. "
        "Attribution, also called saliency, shows which part of an image the output depends on."
    ),
    layout="halves",
    groups=(),
)

#: The layer of the attribution map, our choice: late enough for parts of things, early enough for
#: a map with positions.
ATTRIBUTED = "mixed4d"

GRADIENT_ARTIFACTS = Figure(
    slug="gradient-artifacts",
    title="Gradient artifacts",
    caption=(
        "Above, the magnitude of the gradient at every position, from the input on the left to "
        "late layers on the right. Below, the grid that repeats in it, enlarged: how much more "
        "(white) or less (black) gradient some positions get than their neighbours. "
        "Backpropagation runs to the left, and pooling layers and strided convolutions add to the "
        "grid."
    ),
    layout="halves",
    groups=(PlaceGroup("", tuple(LayerUnits(layer, 0) for layer in ARTICLE_LAYERS[:-1])),),
    bars=True,
)

COLOR_DECORRELATION = Figure(
    slug="color-decorrelation",
    title="Colour decorrelation",
    caption=(
        "The colour channels of photos are correlated: most differences are in brightness. On "
        "the left a gradient as it is, and with that correlation removed, which gives differences "
        "in colour the weight that those in brightness had. On the right one channel optimized in "
        "either space: with correlated colours it is garish, with decorrelated ones its colours "
        "are like those of photos."
    ),
    layout="halves",
    groups=(),
)

STEEPEST_DESCENT = Figure(
    slug="steepest-descent",
    title="Directions of steepest ascent",
    caption=(
        "The direction of steepest ascent depends on the metric. All three directions increase the "
        "same objective. The one in the L-infinity metric has more high frequencies than the "
        "gradient (L2), the one in the decorrelated space has fewer."
    ),
    layout="table",
    groups=(),
)

REGULARIZATION_SPECTRUM = Figure(
    slug="regularization-spectrum",
    title="Regularization in earlier work",
    caption=(
        "Work on feature visualization by its regularization. Weak regularization avoids "
        "misleading correlations, but is less connected to real use. Strong regularization gives "
        "more realistic examples at the risk of misleading correlations."
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
