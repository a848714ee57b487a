"""The commands that make pictures and figures again, as they are typed into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.importers import IMPORTERS
from kerasviz.network.front_ends.wrapped import text_of_card
from kerasviz.network.input_spec import PRESETS, InputSpec, limits_of, range_spec
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.sums import unbalanced
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.parameterizations import Aligned, Alpha, Signal
from kerasviz.optvis.recipe import PATIENCE, Recipe
from kerasviz.optvis.recipes import RECIPES
from kerasviz.optvis.recipes import recipe as find_recipe
from kerasviz.rendering.adapting import adapt_recipe, with_diversity
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.request import Request, of_photo, python_note
from kerasviz.rendering.store import Store
from kerasviz.zoo.facts import GIVEN
from kerasviz.zoo.model_card import card_for_checksum, cards

#: The folder that commands write into, so that they overwrite no picture.
OUT = "again"
#: What ``kerasviz examples`` searches for networks of each medium, to be filled in.
SEARCHED = {"image": "PHOTOS", "sound": "RECORDINGS", "tokens": "TEXTS"}
#: Steps of every picture of ``kerasviz figures --quick``, at most.
QUICK_STEPS = 128


@dataclass(frozen=True)
class CommandLine:
    """Name a network and a recipe as a command line does.

    ``model`` is a file or a zoo name, ``reading`` are options on how the file is read (``None``
    where no command reads it), ``recipe`` is the name or file of the recipe, ``figures`` the other
    options of ``kerasviz figures``; ``None`` where no such command makes these figures.
    """

    model: str
    reading: tuple[str, ...] | None = ()
    recipe: str = "article"
    figures: tuple[str, ...] | None = ()

    @classmethod
    def of_figures(cls, net: Network, recipe: Recipe, options: Iterable[str]) -> CommandLine:
        """Describe figures that were made from Python; ``options`` are those of figures."""
        args, reading = recipe_args(recipe, recipe.name), reading_args(net) or ()
        options = tuple(options)
        if (
            args is None
            or "--alpha" in args
            or ("--quick" in options and recipe.steps > QUICK_STEPS)
        ):
            return cls(net.identity.source, reading, figures=None)
        return cls(net.identity.source, reading, recipe.name, (*args, *options, *reading))

    @classmethod
    def of_python(cls, net: Network, recipe: str) -> CommandLine:
        """Describe pictures that were made from Python; ``recipe`` is its name or file."""
        return cls(net.identity.source, reading_args(net), recipe)

    def render(
        self, net: Network, request: Request, compiled_batch: int, file_format: str = "png"
    ) -> str:
        """Write the short command of a request, or "" where the options cannot express it.

        oneDNN rounds differently at other batch sizes: where the command would choose another one
        than ``compiled_batch``, it says which.
        """
        if self.reading is None or request.photo is not None:  # nobody knows where photos lie
            return ""
        recipe = recipe_args(
            request.recipe, self.recipe, lambda named: adapt_recipe(named, request.objective, net)
        )
        if request.data and not self._gives(dict(request.data), net):
            return ""
        if recipe is None or not is_parsed(request, net):
            return ""
        options = [*self.reading, *recipe]
        if request.seed:
            options += ["--seed", str(request.seed)]
        if request.snapshots:
            options += ["--snapshots", ",".join(map(str, request.snapshots))]
        if request.rows > 1:
            options += ["--diversity", str(request.rows)]
        if request.balance:
            options.append("--balance")
        for layer in request.loop_layers:
            options += ["--loop-layer", layer]
        if request.batch or make_batches(net, [request])[0].batch != compiled_batch:
            options += ["--batch", str(compiled_batch)]
        if file_format != "png":
            options += ["--format", file_format]
        options += ["--out", OUT]
        text = request.written
        # A target that begins with a minus sign would be taken for an option.
        rest = [*options, "--", text] if text.startswith("-") else [text, *options]
        return shlex.join(["kerasviz", "render", self.model, *rest])

    def _gives(self, data: dict[str, str], net: Network) -> bool:
        """Return whether the command line holds inputs at recorded arrays, by checksum."""
        return "--data" in (self.reading or ()) and data.items() <= net.data_checksums.items()

    def picture(self, net: Network, entry: Entry, settings: dict[str, Any]) -> str:
        """Write the command of a picture: a short one, else one that reads its file.

        ``settings`` are those of its request. The file is as seen from the folder of the pictures.
        """
        if python_note(settings):
            return ""
        return self._short(net, entry, settings) or again_command(entry.file)

    def of_store(self, store: Store) -> dict[str, str]:
        """Write the commands of the pictures of a store by file, of those that have one."""
        short: dict[tuple[str, str, int], str] = {}  # one for all rows and snapshots of a request
        commands = {}
        for file, entry in store.entries.items():
            if python_note(store.requests[entry.request]):
                continue
            key = entry.target, entry.request, entry.compiled_batch
            if key not in short:
                short[key] = self._short(store.net, entry, store.requests[entry.request])
            commands[file] = short[key] or again_command(file)
        return {file: command for file, command in commands.items() if command}

    def _short(self, net: Network, entry: Entry, settings: dict[str, Any]) -> str:
        request = Request.from_json(entry.target, settings)
        return self.render(net, request, entry.compiled_batch, entry.file.rpartition(".")[2])

    def figure(self, slug: str) -> str:
        """Write the command ``kerasviz figures`` for a figure, or "" where there is none."""
        if self.figures is None:
            return ""
        args = ["kerasviz", "figures", slug, "--model", self.model, *self.figures, "--out", OUT]
        return shlex.join(args)


def reading_args(net: Network) -> tuple[str, ...] | None:
    """Return the options that read and feed a file as a network is, beside what the file says.

    ``None`` where no command reads it: an object in memory, an input that no option describes.
    """
    source, origin = net.identity.source, net.origins.get("input", "")
    if not (source in cards() or source.startswith("hf://") or Path(source).exists()):
        return None
    args: list[str] = []
    card = card_for_checksum(net.identity.sha256)
    card_input = None if card is None or card.input is None else card.input.identity()
    if origin.startswith("remembered "):
        args += origin.split()[1:]
    elif net.input_spec is not None and origin.startswith(GIVEN):
        described = [] if net.input_spec.identity() == card_input else input_args(net.input_spec)
        if described is None:
            return None
        args += described
    if net.front_end is not None:
        args += ["--front-end", text_of_card(net.front_end)]
    else:
        args += [] if net.axes is None else ["--axes", net.axes]
        args += [] if net.rate is None else ["--rate", str(net.rate)]
    if net.identity.format in IMPORTERS:
        args += ["--importer", net.identity.format]
    if net.identity.signature is not None:
        args += ["--signature", net.identity.signature]
    return tuple(args)


def input_args(spec: InputSpec) -> list[str] | None:
    """Return the options of an input description, ``None`` where they cannot express it."""
    name = next((n for n, known in PRESETS.items() if known.identity() == spec.identity()), None)
    if name is not None:
        return ["--preprocess", name]
    # The command takes means and deviations above 1 for those of images in 0 to 255.
    largest = max(abs(number) for number in (*spec.mean, *spec.std))
    if spec.scale != (255.0 if largest > 1 else 1.0):
        return _range_args(spec)
    mean, std = (",".join(map(str, numbers)) for numbers in (spec.mean, spec.std))
    order = [] if spec.channel_order == "rgb" else ["--channel-order", spec.channel_order]
    return [f"--mean={mean}", f"--std={std}", *order]


def _range_args(spec: InputSpec) -> list[str] | None:
    """Return the option of a range of numbers, ``None`` where it cannot express them exactly."""
    pairs = zip(spec.mean, spec.std, strict=False)
    ends = [(-mean / std, (1 - mean) / std) for mean, std in pairs]
    text = ";".join(f"{low:.9g},{high:.9g}" for low, high in ends)
    limits = limits_of(text)
    if limits is None or range_spec(*limits).identity() != spec.identity():
        return None
    return [f"--range={text}"]


def again_command(file: str) -> str:
    """Write the command that reads a picture file; "" for formats without provenance."""
    args = ["kerasviz", "render", "--again", file, "--out", OUT]
    return shlex.join(args) if file.endswith(".png") else ""


def is_parsed(request: Request, net: Network) -> bool:
    """Return whether the text of a request, as a target, stands for its objective."""
    try:
        targets = parse_target(request.written, net)
        if request.rows > 1:
            targets = [with_diversity(target, net) for target in targets]
        if (photo := request.photo) is not None:
            targets = [of_photo(target, photo, request.recipe, net) for target in targets]
    except UsageError:
        return False
    return [target.objective for target in targets] == [unbalanced(request.objective)]


def _size_args(recipe: Recipe) -> list[str]:
    """Return the option of a size; none for the rows of tables, which have one size."""
    if recipe.search is not None:
        return ["--tokens", str(recipe.size[1])]
    if isinstance(recipe.parameterization, Signal):
        return [] if recipe.size == (1, 1) else ["--size", _joined(recipe.parameterization.lengths)]
    height, width = recipe.size
    return ["--size", str(height) if height == width else f"{height}x{width}"]


def _forbid_args(recipe: Recipe, base: Recipe, changes: dict[str, Any]) -> list[str]:
    """Return the option of tokens that a search leaves out, and add it to the changes."""
    if recipe.search is None or base.search is None:
        return []
    forbidden = recipe.search.forbidden
    if forbidden == base.search.forbidden:
        return []
    changes["search"] = base.search.replace(forbidden=forbidden)
    return ["--forbid", forbidden]


def _joined(lengths: Iterable[int]) -> str:
    return "x".join(map(str, lengths))


def recipe_args(
    recipe: Recipe, file: str, adapt: Callable[[Recipe], Recipe] = lambda recipe: recipe
) -> list[str] | None:
    """Return the options that stand for a recipe: its name, or ``file``, with changes.

    ``None`` where there are no such options. ``adapt`` is applied to what the options say before
    it is compared, as :func:`kerasviz.rendering.adapting.adapt_recipe` is.

    >>> recipe_args(RECIPES["fast"].replace(size=(96, 128)), "")
    ['--recipe', 'fast', '--size', '96x128', '--precision', 'float32']
    """
    name = recipe.name if recipe.name in RECIPES else file
    try:
        base = find_recipe(name)
    except UsageError:  # a file that has gone
        return None
    changes: dict[str, Any] = {"name": recipe.name, "precision": recipe.precision}
    args = ["--recipe", name]
    if recipe.steps != base.steps:
        changes["steps"] = recipe.steps
        args += ["--steps", str(recipe.steps)]
    if recipe.size != base.size:
        changes["size"] = recipe.size
        args += _size_args(recipe)
    args += _forbid_args(recipe, base, changes)
    if recipe.patience and not base.patience:
        changes["patience"] = PATIENCE
        args.append("--until-converged")
    if recipe.views != base.views:
        changes["views"] = recipe.views
        args += ["--views", str(recipe.views)]
    if recipe.cutoff is not None and recipe.cutoff != base.cutoff:
        changes["cutoff"] = recipe.cutoff
        args += ["--cutoff", repr(recipe.cutoff)]
    if recipe.tile != base.tile:
        changes["tile"] = recipe.tile
        args += ["--tile", str(recipe.tile)]
    transparent = isinstance(recipe.parameterization, Alpha)
    own = recipe.parameterization.own if isinstance(recipe.parameterization, Alpha) else None
    kinds = [p.to_json()["kind"] for p in (base.parameterization, own or recipe.parameterization)]
    if kinds[0] != kinds[1] != Aligned.kind and kinds[0] != Alpha.kind:
        base = base.of_kind(kinds[1])
        args += ["--param", kinds[1]]
    if transparent and kinds[0] != Alpha.kind:
        base = base.transparent()
        args.append("--alpha")
    if recipe.final_size is not None and recipe.final_size != base.final_size:
        changes["final_size"] = recipe.final_size
        args += ["--final-size", "x".join(map(str, recipe.final_size))]
    # Always: without it the fastest of the machine is taken.
    args += ["--precision", recipe.precision]
    return args if adapt(base.replace(**changes)) == recipe else None
