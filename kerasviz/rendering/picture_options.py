"""What is asked of the pictures of targets, beside their recipe."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError, finite_number, whole_number
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.facets import ROW, WEIGHT
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.structure import taps_of
from kerasviz.optvis.objectives.targets import Target, parse_targets
from kerasviz.rendering.batching import check_batch
from kerasviz.rendering.facets import FacetFolders, facet_precision, with_facets
from kerasviz.rendering.from_photo import photo_requests
from kerasviz.rendering.media_recipes import options_of_medium
from kerasviz.rendering.photos import listed_photos, one_photo
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import (
    Request,
    by_image,
    in_one_loop,
    make_requests,
    to_balance,
)


@dataclass(frozen=True)
class PictureOptions:
    """Hold the seed and the kind of the pictures of each target.

    ``snapshots`` are steps after which pictures are kept too. ``diversity`` is the number of
    pictures of each target that are pushed apart, ``negative`` asks what the targets respond to
    least, ``batch`` fixes how many pictures are optimized at once, ``balance`` divides each term of
    a sum by what it reaches alone. There is a picture of each target for each of ``photos``, in the
    style of the photo ``style`` where a target takes one. Each picture is followed by one for each
    of ``facets``, which steer it with each of ``facet_weights``, by
    where things are in photos too with ``facet_positions``. Units of ``loop_layers`` share one
    compiled loop. Raises :class:`UsageError` for
    numbers out of range.
    """

    seed: int = 0
    snapshots: tuple[int, ...] = ()
    diversity: int | None = None
    negative: bool = False
    batch: int | None = None
    balance: bool = False
    photos: tuple[Any, ...] = ()
    style: Any = None
    facets: FacetFolders | None = None
    facet_weights: tuple[float, ...] = (WEIGHT,)
    facet_positions: bool = False
    loop_layers: tuple[str, ...] = ()

    @classmethod
    def of(  # noqa: PLR0913 - the options of the command
        cls,
        seed: int,
        snapshots: Iterable[int] | None,
        diversity: int | None,
        negative: bool,
        batch: int | None,
        balance: bool = False,
        from_: Any = (),
        style: Any = None,
        facets: str | os.PathLike[str] | None = None,
        facet_weight: float | str | Iterable[float] = WEIGHT,
        facet_positions: bool = False,
        loop_layers: Sequence[str] = (),
    ) -> PictureOptions:
        """Check the options, and order the snapshots."""
        if snapshots is not None and not isinstance(snapshots, Iterable):
            raise UsageError(f"snapshots {snapshots!r}: expected step numbers such as [0, 4, 48]")
        return cls(
            whole_number("seed", seed, 0),
            tuple(sorted({whole_number("snapshot at step", s, 0) for s in snapshots or ()})),
            None if diversity is None else whole_number("diversity", diversity, 2),
            bool(negative),
            None if batch is None else whole_number("batch", batch),
            bool(balance),
            () if from_ is None else tuple(listed_photos(from_)),
            None if style is None else one_photo(style),
            None if facets is None else FacetFolders.of(facets),
            weights_of(facet_weight),
            bool(facet_positions),
            (loop_layers,) if isinstance(loop_layers, str) else tuple(loop_layers),
        )


def requests_for(
    net: Network,
    targets: Sequence[str | Objective],
    recipe: RecipeOptions,
    pictures: PictureOptions,
    folder: Path | None = None,
) -> list[Request]:
    """Turn targets and options into requests, in the size and precision that fit.

    Args:
        net: The network.
        targets: Texts and objectives; see :func:`listed`.
        recipe: How to optimize.
        pictures: What is asked of the pictures of each target.
        folder: The folder of the pictures; the precision of those in it is kept.

    Raises:
        UsageError: For targets and settings that the network does not have.
    """
    recipe = options_of_medium(recipe, net)
    starts = pictures.photos if net.medium != "sound" else ()
    if net.medium != "image" and (starts or pictures.style or pictures.facets):
        raise UsageError(
            f"{net.name} takes {net.image_input.noun}s: from, style and facets take photos; leave "
            "them out"
        )
    if net.medium == "tokens" and (pictures.snapshots or pictures.diversity):
        raise UsageError(
            f"{net.name} takes sequences: a search for tokens has no snapshots and no diversity; "
            "leave them out"
        )
    if pictures.facets is not None:
        recipe = facet_precision(recipe)
    chosen = recipe.chosen()
    parsed = _parsed(targets, net)
    net.require_input_spec()  # before a size is said to fit
    taps = taps_of([target.objective for target in parsed], net, chosen.pre_activation)
    chosen = recipe.resolved(chosen, net, taps, folder)
    requests: list[Request] = []
    if pictures.photos:
        requests = photo_requests(net, parsed, recipe, pictures, chosen)
        parsed = []
    for part, image in by_image(net, parsed, chosen):
        requests += make_requests(
            net,
            part,
            recipe.fitted(chosen, image),
            seed=pictures.seed,
            kind="negative" if pictures.negative else "",
            rows=pictures.diversity or 1,
            snapshots=pictures.snapshots,
        )
    if pictures.style is not None and not any(request.style for request in requests):
        raise UsageError(
            "style: no target takes it; give the target style, and --from PHOTO (in Python: from_=)"
        )
    requests = [replace(request, batch=pictures.batch) for request in requests]
    if pictures.facets is not None:
        requests = with_facets(
            net, requests, pictures.facets, pictures.facet_weights, pictures.facet_positions
        )
    if pictures.balance:
        requests = [to_balance(request) for request in requests]
    if pictures.loop_layers:
        requests = [in_one_loop(request, pictures.loop_layers, net) for request in requests]
    check_batch(net, requests)
    return requests


def weights_of(weight: float | str | Iterable[float]) -> tuple[float, ...]:
    """Return the weights of facets, each once: one, several, or ``"row"`` for nine from 0.1 to 5.

    >>> weights_of(2), weights_of("0.1, 1"), weights_of("row")[::4]
    ((2.0,), (0.1, 1.0), (0.1, 2.55, 5.0))
    """
    if weight == "row":
        return ROW
    values: Any = weight.split(",") if isinstance(weight, str) else weight
    found = []
    for value in values if isinstance(values, Iterable) else (values,):
        try:
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            number = value  # which is no number
        found.append(finite_number("facet_weight", number, f"{WEIGHT:g} (or row, or 0.1,1,5)"))
    if not found:
        raise UsageError('facet_weight: no number; give one, several, or "row"')
    return tuple(dict.fromkeys(found))


def listed(targets: Any) -> list[str | Objective]:
    """Return texts and objectives, or one, as a list; raise :class:`UsageError` for others."""
    if isinstance(targets, str | Objective):
        return [targets]
    if not isinstance(targets, Iterable) or isinstance(targets, bytes):
        raise _no_target(targets)
    found = list(targets)
    for target in found:
        if not isinstance(target, str | Objective):
            raise _no_target(target)
    if not found:
        raise UsageError('no targets; give one or more, such as "block3b:7" or "logit:goldfish"')
    return found


def _parsed(targets: Sequence[str | Objective], net: Network) -> list[Target]:
    parsed: list[Target] = []
    for number, target in enumerate(targets):
        if isinstance(target, Objective):
            parsed.append(Target(f"objective {number}", target))
        else:
            parsed += parse_targets([target], net)
    return parsed


def _no_target(value: Any) -> UsageError:
    shown = repr(value)
    short = shown if len(shown) <= 60 else type(value).__name__
    return UsageError(
        f'target {short}: expected a text such as "block3b:7", an objective, or a list of them'
    )
