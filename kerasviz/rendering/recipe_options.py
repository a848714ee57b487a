"""The changes of a recipe that a command or a call asks for.

The command line reads this module before TensorFlow, which the recipes import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from kerasviz.errors import UsageError, check_choice, finite_number, whole_number
from kerasviz.network.size import lengths_of, size_of
from kerasviz.rendering.token_options import TokenOptions
from kerasviz.types import Param, Precision, Size

if TYPE_CHECKING:
    from kerasviz.network.network import Network
    from kerasviz.optvis.recipe import Recipe


@dataclass(frozen=True)
class RecipeOptions:
    """Hold a recipe, its name or its file, and changes in it.

    ``size`` is in pixels, one number or (height, width), or has the lengths of the axes of signals.
    ``settings`` are other fields of
    :class:`Recipe`, by name. ``spectrum`` is a folder or a list of photographs whose magnitudes the
    pictures of a recipe like maco have. ``alpha`` asks for transparent pictures, ``views`` for that
    many images of each in a step, ``cutoff`` for an end at a score, ``final_size`` for finished
    pictures of another size, ``seconds`` for sounds of a length. ``None`` leaves what the recipe,
    the network or the machine says.
    """

    recipe: str | Path | Recipe = "article"
    steps: int | None = None
    size: Any = None
    param: str | None = None
    precision: str | None = None
    tile: int | None = None
    until_converged: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    spectrum: str | Path | tuple[Path, ...] | None = None
    alpha: bool = False
    views: int | None = None
    cutoff: float | None = None
    final_size: int | Size | str | None = None
    tokens: int | None = None
    tokenizer: str | Path | None = None
    forbid: str | None = None
    search: str | None = None
    seconds: float | None = None

    @property
    def of_tokens(self) -> TokenOptions:
        """The changes of a search for tokens."""
        return TokenOptions(self.tokens, self.tokenizer, self.forbid, self.search)

    def chosen(self) -> Recipe:
        """Return the recipe with the changes; :meth:`resolved` replaces the precision ``auto``."""
        from kerasviz.optvis.recipes import recipe as find_recipe

        recipe = find_recipe(self.recipe)
        changes = self._changes(recipe)
        if self.param is not None:
            check_choice("param", self.param, get_args(Param))
            if "parameterization" in self.settings:
                raise UsageError("param and parameterization are the same setting; leave one out")
            if self.param != recipe.parameterization.to_json()["kind"]:
                recipe = recipe.of_kind(self.param)
        recipe = self._with_spectrum(recipe.replace(**{**changes, **self.settings}))
        recipe = recipe.transparent() if self.alpha else recipe
        if self.final_size is not None:
            recipe = recipe.replace(final_size=size_of(self.final_size))
        return recipe

    def _changes(self, recipe: Recipe) -> dict[str, Any]:
        """Return the fields of a recipe that are named, but for its parameterization."""
        from kerasviz.optvis.recipe import PATIENCE

        changes: dict[str, Any] = {}
        if self.steps is not None:
            changes["steps"] = whole_number("steps", self.steps)
        if self.size is not None and len(lengths_of(self.size)) <= 2:  # else see :meth:`fitted`
            changes["size"] = size_of(self.size)
        if self.tile is not None:
            changes["tile"] = whole_number("tile", self.tile)
        if self.views is not None:
            changes["views"] = whole_number("views", self.views)
        if self.cutoff is not None:
            changes["cutoff"] = finite_number("cutoff", self.cutoff, "2.5")
        if self.until_converged:
            changes["patience"] = recipe.patience or PATIENCE
        if self.precision is not None:
            check_choice("precision", self.precision, get_args(Precision))
            if self.precision != "auto":
                changes["precision"] = self.precision
        return changes

    def _with_spectrum(self, recipe: Recipe) -> Recipe:
        from kerasviz.optvis.parameterizations import Maco

        if self.spectrum is None:
            return recipe
        from kerasviz.rendering.photo_spectra import spectrum_of

        maco = recipe.parameterization
        if not isinstance(maco, Maco):
            named = "photos" if isinstance(self.spectrum, tuple) else str(self.spectrum)
            raise UsageError(
                f"spectrum {named!r}: pictures of the recipe {recipe.name} do not "
                "have that of photos; give --recipe maco"
            )
        spectrum = spectrum_of(self.spectrum, max(recipe.size))
        return recipe.replace(parameterization=replace(maco, spectrum=spectrum))

    def fitted(self, recipe: Recipe, net: Network) -> Recipe:
        """Return the recipe in the network's own size, unless another one was named."""
        from kerasviz.rendering.media_recipes import of_medium, size_of_seconds, sized
        from kerasviz.rendering.sizes import unless_named

        self.of_tokens.check_medium(net)
        if recipe.search is not None or net.medium == "tokens":
            recipe = of_medium(recipe, net)
            return self.of_tokens.applied(sized(recipe, net, self.size), net)
        if self.seconds is not None:
            if self.size is not None:
                raise UsageError("seconds and size are the same setting; leave one out")
            return sized(of_medium(recipe, net), net, size_of_seconds(self.seconds, net))
        if self.size is None:
            return unless_named(recipe, net)
        if net.medium == "image":
            return recipe.replace(size=size_of(self.size))
        return sized(of_medium(recipe, net), net, self.size)

    @property
    def name(self) -> str:
        """The name or file of the recipe, as a command line gives it."""
        return str(self.recipe) if isinstance(self.recipe, str | Path) else self.recipe.name

    @property
    def names_precision(self) -> bool:
        """Whether a precision was named: by the options, or by a recipe that is no preset."""
        if self.precision is not None:
            return self.precision != "auto"
        return not isinstance(self.recipe, str) or Path(self.recipe).suffix == ".json"

    def resolved(
        self, recipe: Recipe, net: Network, taps: Sequence[str], folder: Path | None = None
    ) -> Recipe:
        """Return the recipe in the fastest precision for ``taps``, unless one was named.

        The precision of pictures in ``folder`` is kept.
        """
        if self.names_precision or recipe.search is not None:
            return recipe
        from kerasviz.optvis.optimization.precision import choose
        from kerasviz.rendering.manifest import MANIFEST, read_manifest

        existing: set[str] = set()
        if folder is not None and (folder / MANIFEST).is_file():
            recipes = [r["recipe"] for r in read_manifest(folder)["requests"].values()]
            existing = {recipe.get("precision", "float32") for recipe in recipes}
        return recipe.replace(precision=choose(net, taps, existing).precision)
