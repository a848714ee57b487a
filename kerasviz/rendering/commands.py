"""The commands that make pictures and figures again, as they are typed into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import Objective, Term
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.parameterizations import from_json
from kerasviz.optvis.recipes import PATIENCE, RECIPES, Recipe
from kerasviz.optvis.recipes import recipe as find_recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.request import Request, adapt_recipe, with_diversity
from kerasviz.rendering.store import Entry, Store

__all__ = ["QUICK_STEPS", "CommandLine", "recipe_words", "target_words"]

#: The folder that commands write into: pictures that are there are not overwritten by chance.
OUT = "again"
#: Steps of every picture of ``kerasviz figures --quick``, at most.
QUICK_STEPS = 128
PENALTIES = {"l1": "l1", "total_variation": "tv", "blur": "blur"}
PARAMETERIZATIONS = ("pixel", "fourier", "pyramid", "low-resolution")


@dataclass(frozen=True)
class CommandLine:
    """The words that name a network and a recipe at a command line.

    ``model`` is a file or a zoo name, ``reading`` are options on how the file is read, ``recipe``
    is the name or file of the recipe, ``figures`` the other options of ``kerasviz figures``;
    ``None`` where no such command makes these figures.
    """

    model: str
    reading: tuple[str, ...] = ()
    recipe: str = "article"
    figures: tuple[str, ...] | None = ()

    @classmethod
    def of_figures(cls, net: Network, recipe: Recipe, options: Iterable[str]) -> CommandLine:
        """What would make figures that were made from Python; ``options`` are those of figures."""
        words = recipe_words(recipe, (recipe.name, *RECIPES))
        options = tuple(options)
        if words is None or ("--quick" in options and recipe.steps > QUICK_STEPS):
            return cls(net.identity.source, figures=None)
        return cls(net.identity.source, recipe=words[1], figures=(*words, *options))

    def render(
        self, net: Network, request: Request, compiled_batch: int, file_format: str = "png"
    ) -> str:
        """The command ``kerasviz render`` for a request, or "" where it cannot express it.

        oneDNN rounds differently at other batch sizes: where the command would choose another one
        than ``compiled_batch``, it says which.
        """
        words = _target(net, request)
        recipe = recipe_words(
            request.recipe,
            (self.recipe, *RECIPES),
            lambda recipe: adapt_recipe(recipe, request.objective, net),
        )
        if words is None or recipe is None:
            return ""
        options = [*self.reading, *recipe]
        if request.seed:
            options += ["--seed", str(request.seed)]
        if request.snapshots:
            options += ["--snapshots", ",".join(map(str, request.snapshots))]
        if request.rows > 1:
            options += ["--diversity", str(request.rows)]
        if request.batch or make_batches(net, [request])[0].batch != compiled_batch:
            options += ["--batch", str(compiled_batch)]
        if file_format != "png":
            options += ["--format", file_format]
        options += ["--out", OUT]
        # A target that begins with a minus sign would be taken for an option.
        rest = [*options, "--", words] if words.startswith("-") else [words, *options]
        return shlex.join(["kerasviz", "render", self.model, *rest])

    def rendered(self, net: Network, store: Store, entry: Entry) -> str:
        """The command ``kerasviz render`` for a picture of a store, or ""."""
        request = Request.from_json(entry.target, store.requests[entry.request])
        return self.render(net, request, entry.compiled_batch, entry.file.rpartition(".")[2])

    def of_store(self, store: Store) -> dict[str, str]:
        """The commands of the pictures of a store by file, of those that have one."""
        known: dict[tuple[str, int], str] = {}
        for entry in store.entries.values():
            key = entry.request, entry.compiled_batch
            if key not in known:
                known[key] = self.rendered(store.net, store, entry)
        commands = {f: known[e.request, e.compiled_batch] for f, e in store.entries.items()}
        return {file: command for file, command in commands.items() if command}

    def figure(self, slug: str) -> str:
        """The command ``kerasviz figures`` for a figure, or "" where there is none."""
        if self.figures is None:
            return ""
        words = ["kerasviz", "figures", slug, "--model", self.model, *self.figures, "--out", OUT]
        return shlex.join(words)


def target_words(objective: Objective) -> str | None:
    """An objective as a target, ``None`` where there are no words for it.

    >>> from kerasviz.objectives import channel, neuron
    >>> target_words(channel("a", 1) - 0.5 * neuron("b", 2, (3, 4)))
    'a:1 - 0.5*b:2@3,4'
    """
    words = ""
    for i, term in enumerate(objective.terms):
        atom = _atom(term)
        if atom is None or term.fade:
            return None
        sign = "-" if term.weight < 0 else "+"
        factor = "" if abs(term.weight) == 1 else f"{abs(term.weight)!r}*"
        lead = ("-" if sign == "-" else "") if i == 0 else f" {sign} "
        words += f"{lead}{factor}{atom}"
    return words


def _atom(term: Term) -> str | None:
    if term.kind in PENALTIES:
        return f"penalty:{PENALTIES[term.kind]}"
    if term.kind == "neuron":
        at = "center" if term.position is None else ",".join(map(str, term.position))
        return f"{term.tap}:{term.unit}@{at}"
    words = {
        "channel": f"{term.tap}:{term.unit}",
        "layer": term.tap,
        "logit": f"logit:{term.unit}",
        "probability": f"prob:{term.unit}",
    }
    return words.get(term.kind)


def _target(net: Network, request: Request) -> str | None:
    """The words that a request's target is parsed from, ``None`` where there are none."""
    terms = request.objective.terms
    own = Objective(tuple(term for term in terms if term.kind != "diversity"))
    words = target_words(own)
    if words is None and [term.kind for term in own.terms] == ["direction"]:
        words = request.text  # a random direction is named by the number of its seed
    if words is None:
        return None
    try:
        found = parse_target(words, net)
    except UsageError:
        return None
    if len(found) != 1:
        return None
    target = Target(words, found[0].objective)
    if request.rows > 1:
        target = with_diversity(target, net)
    return words if target.objective == request.objective else None


def recipe_words(
    recipe: Recipe, known: Iterable[str], fit: Callable[[Recipe], Recipe] = lambda recipe: recipe
) -> list[str] | None:
    """The fewest options that stand for a recipe: one of ``known`` names and files, with changes.

    ``None`` where there are no such options. ``fit`` is applied to what they say before it is
    compared, as :func:`kerasviz.rendering.request.fitting` is.

    >>> recipe_words(RECIPES["fast"].replace(size=(96, 128)), ["article", "fast"])
    ['--recipe', 'fast', '--size', '96x128', '--precision', 'float32']
    """
    wanted = recipe.replace(name="")
    found: list[list[str]] = []
    for name, base in _bases(known):
        same = base.replace(
            name="",
            steps=wanted.steps,
            size=wanted.size,
            precision=wanted.precision,
            tile=wanted.tile,
            patience=base.patience or (PATIENCE if wanted.patience else 0),
        )
        for kind in (None, *PARAMETERIZATIONS):
            chosen = same
            if kind is not None:
                chosen = same.replace(parameterization=from_json({"kind": kind}))
            if fit(chosen) == wanted:
                found.append(["--recipe", name, *_changes(base, chosen, kind)])
    return min(found, key=len, default=None)


def _bases(known: Iterable[str]) -> list[tuple[str, Recipe]]:
    found = []
    for name in dict.fromkeys(known):
        try:
            found.append((name, find_recipe(name)))
        except UsageError:  # a file that is not there any more
            continue
    return found


def _changes(base: Recipe, chosen: Recipe, kind: str | None) -> list[str]:
    words = []
    if chosen.steps != base.steps:
        words += ["--steps", str(chosen.steps)]
    if chosen.size != base.size:
        height, width = chosen.size
        words += ["--size", str(height) if height == width else f"{height}x{width}"]
    if chosen.patience != base.patience:
        words.append("--until-converged")
    if chosen.tile != base.tile:
        words += ["--tile", str(chosen.tile)]
    if kind is not None:
        words += ["--param", kind]
    # Always: without it the fastest of the machine is taken.
    return [*words, "--precision", chosen.precision]
