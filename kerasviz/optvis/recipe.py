"""A recipe: the frozen, serializable settings of an optimization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from kerasviz.errors import UsageError, check_choice, check_names
from kerasviz.optvis import parameterizations
from kerasviz.optvis.held_array import nameless, plain, revived
from kerasviz.optvis.parameterizations import (
    Alpha,
    Fourier,
    Parameterization,
    media_of,
)
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.optvis.recipe_checks import check_recipe
from kerasviz.optvis.tokens.search import TokenSearch
from kerasviz.optvis.transforms.presets import (
    ARTICLE_STEPS,
)
from kerasviz.optvis.transforms.transform import (
    FoldedTransform,
    Transform,
    transform_from_json,
)
from kerasviz.types import NotebookView, PreActivation

#: The data types of convolutions and matrix products.
PRECISIONS = ("float32", "bfloat16", "float16")
OPTIMIZERS = ("adam", "gradient-descent", "normalized-gradient", "nadam")
#: Settings that are left out of the data of recipes which have their defaults.
_RECENT = (
    *("rivals", "special_tokens", "views", "opacity", "likeness"),
    *("octaves", "octave_scale", "cutoff", "final_size", "search"),
)
#: The patience of ``--until-converged``, in steps.
PATIENCE = 128


@dataclass(frozen=True, repr=False)
class Recipe(NotebookView):
    """The settings of an optimization: with a network, an objective and a seed they fix a picture.

    Args:
        name: The name of a preset, or any other.
        steps: The number of updates, at least 1.
        size: (height, width) in pixels.
        learning_rate: That of the optimizer, above 0.
        optimizer: ``adam``, ``nadam``, ``gradient-descent``, or ``normalized-gradient``, whose
            steps have the learning rate as mean absolute value.
        parameterization: The parameters of the image.
        transform: The random transform of the image before every step, or its steps in order:
            ``Pad``, ``Jitter``..., and Python functions of images [B, H, W, C], seeds [B] and steps
            [B] that return images, see :class:`FunctionStep`.
        pre_activation: Whether to take the tensor before the ReLU, where one exists; ``"any"`` does
            so before other activation functions too, such as GELU, whose gradient vanishes where
            a unit is far from active.
        redirect_steps: The number of first updates with redirected ReLU gradients.
        precision: The data type of the network's convolutions and matrix products.
        tile: The side in pixels of square tiles, for images too large for the memory; 0 for none.
        patience: The number of steps after which a picture whose mean score hardly rose is
            finished; 0 to take all steps.
        penalties: Python functions of images [B, H, W, C] in [0, 1], before they are transformed,
            whose numbers [B] are subtracted from the scores.
        rivals: The share of log(sum of exp(all logits)) that is subtracted from the logit of a
            class, so that it stands out from the others; scores of pictures are without it.
        special_tokens: Whether class tokens and registers of a transformer count in means over
            positions; without them only the tokens of patches do.
        views: The number of transformed images that the network sees of each image in a step, at
            least 1; the score is their mean.
        opacity: Whether pictures have an opacity too: how much scores depended on each pixel, over
            all steps. Those that start from a photo have it as a mask beside them.
        likeness: How much the likeness to the photo counts beside the score, for pictures that
            start from one; 0 for not at all.
        octaves: The number of sizes in which a picture that starts from a photo is optimized, one
            after the other from small to large; the steps are divided among them.
        octave_scale: How many times larger than the one before an octave is, above 1.
        cutoff: The score of the untransformed picture from which on it is finished, looked at after
            every 16 steps and every snapshot; ``None`` to take all steps.
        final_size: (height, width) in pixels of the finished picture, for parameterizations that
            have one in any size, such as ``cppn``; ``None`` for the size it is optimized in.
        search: How tokens are searched for, in place of the optimization of an image; ``None`` for
            other media.

    Raises:
        UsageError: For impossible settings.

    Example:
        >>> from kerasviz.optvis.recipes import recipe
        >>> fast = recipe("fast")
        >>> Recipe.from_json(fast.to_json()) == fast
        True
        >>> def darken(images, seeds, step):
        ...     return 0.9 * images
        >>> fast.replace(transform=[*fast.transform.steps, darken]).functions[0].name
        'darken'

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017), footnote on the default settings.
    """

    name: str
    steps: int = 512
    size: tuple[int, int] = (128, 128)
    learning_rate: float = 0.05
    optimizer: str = "adam"
    parameterization: Parameterization = field(default_factory=Fourier)
    transform: Transform = field(default_factory=lambda: FoldedTransform(ARTICLE_STEPS))
    pre_activation: PreActivation = True
    redirect_steps: int = 0
    precision: str = "float32"
    tile: int = 0
    patience: int = 0
    penalties: tuple[PythonFunction, ...] = ()
    rivals: float = 0.0
    special_tokens: bool = True
    views: int = 1
    opacity: bool = False
    likeness: float = 0.0
    octaves: int = 1
    octave_scale: float = 1.4
    cutoff: float | None = None
    final_size: tuple[int, int] | None = None
    search: TokenSearch | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.transform, Transform):
            object.__setattr__(self, "transform", FoldedTransform(_several(self.transform)))
        if self.tile:  # tiles are cut from the whole size
            object.__setattr__(self, "transform", self.transform.unshrunk())
        penalties = tuple(PythonFunction.of(penalty) for penalty in _several(self.penalties))
        object.__setattr__(self, "penalties", penalties)
        check_recipe(self)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)

    def __repr__(self) -> str:
        """Write the call that makes the recipe; settings that are the defaults are left out."""
        settings = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)
            if f.name != "name" and getattr(self, f.name) != getattr(_DEFAULTS, f.name)
        ]
        return f"Recipe({', '.join([repr(self.name), *settings])})"

    @property
    def picture_size(self) -> tuple[int, int]:
        """The height and width of finished pictures in pixels."""
        return self.final_size or self.size

    @property
    def seen_size(self) -> tuple[int, int]:
        """The height and width, in pixels, of the images that the network takes."""
        return (self.tile, self.tile) if self.tile else self.transform.seen_size(self.size)

    @property
    def octave_sizes(self) -> tuple[tuple[int, int], ...]:
        """The heights and widths of the octaves in pixels, the size itself last.

        >>> Recipe("", size=(300, 200), octaves=4).octave_sizes
        ((109, 73), (153, 102), (214, 143), (300, 200))
        """
        factors = [self.octave_scale**-k for k in reversed(range(self.octaves))]
        height, width = self.size
        return tuple((max(1, round(f * height)), max(1, round(f * width))) for f in factors)

    @property
    def pixels(self) -> int:
        """The pixels of an image and its views that are in memory in a step, the larger number."""
        seen = self.transform.seen_size(self.size)
        return max(self.size[0] * self.size[1], self.views * seen[0] * seen[1])

    @property
    def needs_photo(self) -> bool:
        """Whether its pictures stay within a distance of the photo that they start from."""
        return bool(getattr(self.parameterization, "needs_photo", False))

    @property
    def functions(self) -> tuple[PythonFunction, ...]:
        """The user's own transforms and penalties."""
        return (*self.transform.functions, *self.penalties)

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some settings changed."""
        return replace(self, **changes)

    def of_kind(self, kind: str) -> Recipe:
        """Return the recipe with a parameterization by kind, and the learning rate it needs."""
        parameterization = parameterizations.from_json({"kind": kind})
        rate = parameterizations.LEARNING_RATES.get(kind, self.learning_rate)
        return self.replace(parameterization=parameterization, learning_rate=rate)

    def transparent(self) -> Recipe:
        """Return the recipe for transparent pictures, with an opacity beside the colours.

        Raises :class:`UsageError` for one whose pictures have an opacity from elsewhere.
        """
        if self.opacity:
            raise UsageError(
                f"alpha: pictures of the recipe {self.name} have an opacity without it; leave it "
                "out, or choose another recipe, such as fast"
            )
        if isinstance(self.parameterization, Alpha):
            return self
        own = self.parameterization
        if own.to_json()["kind"] in parameterizations.LEARNING_RATES:  # which both parts need
            return self.replace(parameterization=Alpha(own, own))
        return self.replace(parameterization=Alpha(own))

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        data = plain(vars(self))
        del data["penalties"]
        if self.penalties:
            data["penalties"] = [penalty.to_json() for penalty in self.penalties]
        for name in _RECENT:  # absent from recipes of old
            if data[name] == getattr(_DEFAULTS, name):
                del data[name]
        data["size"] = list(self.size)
        if self.final_size is not None:
            data["final_size"] = list(self.final_size)
        if self.search is not None:
            data["search"] = self.search.to_json()
        data["parameterization"] = self.parameterization.to_json()
        data["transform"] = self.transform.to_json()
        return data

    def identity(self) -> dict[str, Any]:
        """Return what decides a picture, as plain data: everything but names."""
        data = {key: value for key, value in self.to_json().items() if key != "name"}
        return dict(nameless(data))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """Make a recipe from plain data; missing settings are the defaults."""
        check_names("recipe", data, [f.name for f in fields(cls)])
        readers: dict[str, Callable[[Any], Any]] = {
            "size": tuple,
            "final_size": lambda size: None if size is None else tuple(size),
            "search": lambda search: None if search is None else TokenSearch.from_json(search),
            "parameterization": parameterizations.from_json,
            "transform": transform_from_json,
            "penalties": lambda penalties: tuple(map(PythonFunction.from_json, penalties)),
        }
        data = revived(data)
        settings = {key: readers.get(key, lambda v: v)(value) for key, value in data.items()}
        return cls(**{"name": "custom", **settings})


def _several(values: Any) -> tuple[Any, ...]:
    """Return the values of a list, or a value alone."""
    return tuple(values) if isinstance(values, list | tuple) else (values,)


_DEFAULTS = Recipe("")


def media_of_recipe(recipe: Recipe) -> tuple[str, ...]:
    """Return the media whose numbers a recipe makes.

    >>> media_of_recipe(Recipe("")), media_of_recipe(Recipe("", search=TokenSearch()))
    (('image',), ('tokens',))
    """
    return ("tokens",) if recipe.search is not None else media_of(recipe.parameterization)
