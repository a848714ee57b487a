"""Balance sums: render each term alone for a while, and divide its weight by what it reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.structure import taps_of
from kerasviz.optvis.objectives.sums import Reach, balanced, single_term
from kerasviz.optvis.objectives.term import Term
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.render import render_batches
from kerasviz.rendering.request import Request, held_for
from kerasviz.rendering.store import Store

#: The steps that a term is optimized alone, at most. GoogLeNet's units in four depths, and classes,
#: have 0.54 to 0.81 of their score after 128 steps (0.33 to 0.68 after 16, 0.79 to 0.94 after 64):
#: two terms are balanced up to a factor of 1.5, where their scores differ by 10 and more.
STEPS = 32
#: A term of a smaller scale is dead: nothing can be divided by it.
FLOOR = 1e-6

#: What terms reach alone by the keys of their requests, see :func:`request_of_term`.
Alone = Mapping[str, Reach]


def request_of_term(request: Request, term: Term, name: str, net: Network) -> Request:
    """Return the request that shows what a term of a sum reaches alone.

    It has the recipe, but for its steps, the size, the seed and the batch of the sum. The term has
    no weight and no sign: what the picture should avoid is measured by what it can reach.
    """
    objective = single_term(term)
    recipe = request.recipe.replace(steps=min(STEPS, request.recipe.steps), patience=0, cutoff=None)
    data = held_for(taps_of([objective], net, recipe.pre_activation), net)
    return Request(name, objective, recipe, request.seed, batch=request.batch, data=data)


def weighed(
    net: Network,
    requests: Sequence[Request],
    known: Alone | None = None,
    progress: Callable[[RenderProgress], None] | None = None,
) -> list[Request]:
    """Return requests with what each term of the sums to be balanced reaches alone.

    Each term is rendered once, in batches with the terms of the other sums. Requests that are not
    to be balanced, and those whose balance is known, are returned as they are.

    Args:
        net: The network.
        requests: The pictures.
        known: What terms reached alone, by the keys of their requests; see :func:`known_alone`.
        progress: Called after every chunk of steps; no picture is done by then.

    Raises:
        UsageError: For a term that reaches 0.
    """
    terms = {request: _terms(net, request) for request in requests if _is_open(request)}
    if not terms:
        return list(requests)
    found = dict(known or {})
    keys = {part: part.key(net) for parts in terms.values() for part in parts}
    # The batches are those of all terms, so that a resumed run has the sizes of the first.
    unique = list({key: part for part, key in keys.items()}.values())
    batches = [b.only(lambda part: keys[part] not in found) for b in make_batches(net, unique)]
    report = None if progress is None else _before(progress, sum(r.rows for r in requests))
    for pictures in render_batches(net, [b for b in batches if b is not None], report):
        found |= {keys[p.request]: Reach.of(p.score, float(p.history[0])) for p in pictures}
    return [
        _balanced(request, terms[request], [found[keys[part]] for part in terms[request]])
        if request in terms
        else request
        for request in requests
    ]


def known_alone(store: Store, requests: Sequence[Request]) -> dict[str, Reach]:
    """Return what terms reached alone by the keys of their requests, as far as a store has it.

    It knows those of balanced sums, and pictures of the ``requests``' terms in as many steps.
    """
    known: dict[str, Reach] = {}
    texts = {entry.request: entry.target for entry in store.entries.values()}
    for name, settings in store.requests.items():
        if settings.get("balance") and name in texts:
            request = Request.from_json(texts[name], settings)
            pairs = zip(_terms(store.net, request), request.objective.own, strict=True)
            for part, term in pairs:
                if term.alone is not None:
                    known[part.key(store.net)] = Reach(term.alone, term.scale)
    wanted = [request for request in requests if _is_open(request)]
    for part in (part for request in wanted for part in _terms(store.net, request)):
        for entry in store.finished([part]):
            if entry.score is not None and entry.curve:
                reach = Reach.of(entry.score, entry.curve[0][1])
                known.setdefault(part.key(store.net), reach)
    return known


def _before(
    progress: Callable[[RenderProgress], None], pictures: int
) -> Callable[[RenderProgress], None]:
    """Report the terms as work before the first picture."""

    def report(now: RenderProgress) -> None:
        begun = RenderProgress(0, pictures, 0, now.step, now.steps, now.score, f"alone: {now.text}")
        progress(begun)

    return report


def _is_open(request: Request) -> bool:
    return request.balance and any(term.alone is None for term in request.objective.own)


def _terms(net: Network, request: Request) -> list[Request]:
    pairs = zip(request.objective.own, request.term_names, strict=True)
    return [request_of_term(request, term, name, net) for term, name in pairs]


def _balanced(request: Request, parts: Sequence[Request], reaches: Sequence[Reach]) -> Request:
    for part, reach in zip(parts, reaches, strict=True):
        if reach.scale < FLOOR:
            raise UsageError(
                f"target {request.written!r}: {part.text} reaches {reach.score:g} alone in "
                f"{part.recipe.steps} steps, by which nothing can be balanced; leave it out, or "
                "try another seed"
            )
    return replace(request, objective=balanced(request.objective, reaches))
