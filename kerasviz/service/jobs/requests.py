"""Turns the options of a request into its pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kerasviz.errors import UsageError, check_choice
from kerasviz.io.files import digest
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.facets import WEIGHT
from kerasviz.optvis.objectives.targets import FindFile, parse_target
from kerasviz.optvis.parameterizations import media_of
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES
from kerasviz.rendering.batching import CANONICAL, MAX_PIXELS, fixed_batch, in_parts, make_batches
from kerasviz.rendering.facets import FacetFolders, with_facets
from kerasviz.rendering.from_photo import photo_requests
from kerasviz.rendering.media_recipes import options_of_medium
from kerasviz.rendering.picture_options import PictureOptions
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import Request, in_one_loop, make_requests, to_balance
from kerasviz.rendering.sizes import fixed_recipe
from kerasviz.service.jobs.jobs import PictureRequest
from kerasviz.service.settings import Limits

#: Pictures of a target of ``kind`` diversity.
DIVERSE = 4
#: Rows of a batch of units of layers that share a loop.
IN_ONE_LOOP = 4


@dataclass(frozen=True)
class RenderOptions:
    """The options of a request besides the network; ``None`` is the recipe's value.

    There is a picture of each target from each of the ``photos``, which are files, as are that of
    the ``style`` and those whose ``spectrum`` the pictures have. Each picture is followed by one
    for each of the ``facets``, which steer it with ``facet_weight``.
    """

    targets: tuple[str, ...]
    kind: str = "channel"
    recipe: str = "fast"
    size: tuple[int, int] | None = None
    steps: int | None = None
    seed: int = 0
    balance: bool = False
    param: str | None = None
    alpha: bool = False
    photos: tuple[Path, ...] = ()
    style: Path | None = None
    spectrum: tuple[Path, ...] = ()
    facets: FacetFolders | None = None
    facet_weight: float = WEIGHT
    snapshots: tuple[int, ...] = ()
    loop_layers: tuple[str, ...] = ()

    @property
    def reads_photos(self) -> bool:
        """Whether many photos are read, which takes time."""
        return bool(self.spectrum) or self.facets is not None

    @property
    def recipe_options(self) -> RecipeOptions:
        """The recipe with what changes its parameterization."""
        return RecipeOptions(
            self.recipe, param=self.param, alpha=self.alpha, spectrum=self.spectrum or None
        )


def requests_of(
    net: Network, words: RenderOptions, limits: Limits, base: int, find: FindFile
) -> list[Request]:
    """Return the requested pictures, each once; ``base`` is the usual batch size.

    ``find`` returns where the files of directions lie that targets name. The batch size depends on
    the request alone (see :func:`batch_of`), so that the same request gives the same picture
    whatever else is rendered. Raises :class:`UsageError` for unknown options and for more than the
    limits allow.
    """
    check_choice("recipe", words.recipe, RECIPES)
    if words.style is not None and not words.photos:
        raise UsageError("style: give the photo that is painted, too: from")
    found: dict[str, Request] = {}
    make = _from_photos if words.photos else _from_noise
    for request in _steered(net, make(net, words, limits, find), words, limits):
        if words.balance:
            request = to_balance(request)
        if words.loop_layers:
            request = in_one_loop(request, words.loop_layers, net)
        only = fixed_batch(net, request)
        request = replace(request, batch=request.batch or batch_of(request, base, only))
        found.setdefault(request.key(net), request)
        if len(found) * request.rows > limits.pictures:
            raise _too_many(limits)
    made = list(found.values())
    _check_numbers(made, limits)
    make_batches(net, made)  # raises for what cannot be rendered
    return made


def _steered(
    net: Network, requests: Iterator[Request], words: RenderOptions, limits: Limits
) -> Iterator[Request]:
    """Yield requests within the limits, each followed by those of its facets."""
    folders = words.facets
    kept: list[Request] = []
    for request in requests:
        _check_recipe(request.recipe, limits)
        if folders is None:
            yield request
            continue
        kept.append(request)
        if len(kept) * request.rows * (1 + len(folders.photos)) > limits.pictures:
            raise _too_many(limits)
    if folders is not None:
        folders.check()
        yield from with_facets(net, kept, folders, [words.facet_weight])


def _from_noise(
    net: Network, words: RenderOptions, limits: Limits, find: FindFile
) -> Iterator[Request]:
    """Yield the requests of pictures that start from noise."""
    options = options_of_medium(replace(words.recipe_options, steps=words.steps), net)
    plain = replace(options, spectrum=None).chosen()  # whose size that of a spectrum is
    size = words.size or fixed_recipe(plain, net).size
    _check_recipe(plain.replace(size=size), limits)
    recipe = fixed_recipe(replace(options, size=size).chosen(), net).replace(size=size)
    rows = DIVERSE if words.kind == "diversity" else 1
    for text in words.targets:
        targets = parse_target(text, net, find=find)  # not any file of this machine
        yield from make_requests(
            net,
            targets,
            recipe,
            seed=words.seed,
            snapshots=words.snapshots,
            kind=words.kind,
            rows=rows,
        )


def _from_photos(
    net: Network, words: RenderOptions, limits: Limits, find: FindFile
) -> Iterator[Request]:
    """Yield the requests of pictures from photos, which are read once."""
    if net.medium != "image":
        raise UsageError(f"from: {net.name} takes {net.image_input.noun}s, no photos; leave it out")
    if words.kind == "neuron":
        raise UsageError("kind neuron: from a photo give the target LAYER:UNIT@center")
    targets = [target for text in words.targets for target in parse_target(text, net, find=find)]
    if len(targets) * len(words.photos) > limits.pictures:
        raise _too_many(limits)
    options = replace(words.recipe_options, steps=words.steps, size=words.size)
    _check_recipe(options.chosen(), limits)
    pictures = PictureOptions(
        words.seed,
        diversity=DIVERSE if words.kind == "diversity" else None,
        negative=words.kind == "negative",
        snapshots=words.snapshots,
        photos=words.photos,
        style=words.style,
    )
    yield from photo_requests(net, targets, options, pictures, options.chosen())


def _too_many(limits: Limits) -> UsageError:
    return UsageError(
        f"more than {limits.pictures} pictures in one request; ask for fewer at a time"
    )


def _check_numbers(requests: Sequence[Request], limits: Limits) -> None:
    """Check how many numbers the directions of a request have: each picture stores its own."""
    terms = [term for request in requests for term in request.objective.terms]
    probes = [term.probe.numbers.size for term in terms if term.probe is not None]
    count = sum(len(term.vector) for term in terms) + sum(probes)
    if count > limits.numbers:
        raise UsageError(
            f"directions of {count} numbers in one request; at most {limits.numbers}, so ask for "
            "fewer at a time"
        )


def _check_recipe(recipe: Recipe, limits: Limits) -> None:
    """Check the size and the steps of a recipe."""
    height, width = recipe.size
    folded = media_of(recipe.parameterization) != ("image",)
    if height * width > limits.side**2 if folded else max(recipe.size) > limits.side:
        raise UsageError(
            f"size {recipe.size[0]}x{recipe.size[1]}: at most {limits.side} pixels a side"
        )
    if recipe.steps > limits.steps:
        raise UsageError(f"steps {recipe.steps}: at most {limits.steps}")


def batch_of(request: Request, base: int, only: int | None = None) -> int:
    """Return the compiled batch size of a request, which depends on nothing else.

    It is ``base``, less for large pictures, and at least the rows that are optimized together; more
    for units of layers that share a loop, as many wait for it. A request whose transform is shared
    by the batch gets a batch of its own. A network that computes batches of ``only`` images gets as
    few of them as hold the rows.
    """
    if only is not None:
        return in_parts(only, request.rows)
    room = max(1, MAX_PIXELS // request.recipe.pixels)
    base = max(base, IN_ONE_LOOP) if request.loop_layers else base
    wanted = request.rows if request.recipe.transform.shared else max(request.rows, base)
    sizes = [size for size in CANONICAL if request.rows <= size <= min(wanted, room)]
    if sizes:
        return sizes[-1]
    return next((size for size in CANONICAL if size >= request.rows), request.rows)


def asked_of(net: Network, request: Request) -> PictureRequest:
    """Write a request as a row of the queue."""
    key = request.key(net)
    alone = key if request.recipe.transform.shared else ""
    # A batch has the snapshots of all its pictures.
    about = (request.recipe.identity(), request.batch, alone, *request.snapshots)
    return PictureRequest(
        key=key,
        text=request.text,
        data=json.dumps(request.to_json()),
        batchable=digest([repr(request.structure(net)), *about]),
        rows=request.rows,
        batch=request.batch or request.rows,
        steps=request.recipe.steps,
        cost=float(request.rows * request.recipe.steps * request.recipe.pixels),
    )


def job_name(network: str, pictures: Sequence[PictureRequest]) -> str:
    """Return the name of a job: the same for the same pictures in the same order."""
    name = digest([network, [asked.key for asked in pictures]])
    assert re.fullmatch(r"[0-9a-f]{16}", name)
    return name
