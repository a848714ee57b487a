"""Rendering: many requests, planned into batches of a few canonical sizes, become pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerasviz.checkpoint import Checkpoint
from kerasviz.environment import environment
from kerasviz.errors import UsageError
from kerasviz.files import digest
from kerasviz.network import Network
from kerasviz.objectives import Objective, diversity
from kerasviz.optimize import Batch, Progress, optimize
from kerasviz.precision import AUTO, choose
from kerasviz.recipes import Recipe
from kerasviz.recipes import recipe as find_recipe
from kerasviz.rolling import converge
from kerasviz.scoring import Structure, fill, structure_of, taps_of
from kerasviz.states import State
from kerasviz.targets import Target, parse_targets

__all__ = [
    "Picture",
    "Plan",
    "Rendering",
    "Report",
    "Request",
    "describe",
    "diverse",
    "fitting",
    "linear_tap",
    "plan",
    "provenance",
    "render",
    "render_plan",
    "render_plans",
]

Array = np.ndarray[Any, Any]

#: The batch sizes that are compiled, with the cost of a row in each relative to a large batch: the
#: mean of GoogLeNet's and EfficientNet-Lite0's at 128 x 128, in float32 and bfloat16, on two cores.
#: oneDNN rounds differently at different batch sizes, so there are few, and they are recorded.
CANONICAL = {1: 2.5, 2: 1.9, 4: 1.4, 8: 1.1, 16: 1.0}
#: How many times the rows of a batch a plan has at most, where rows leave it and others enter.
ENTERING = 4
#: No batch holds more pixels than this, unless a single request needs it.
MAX_PIXELS = 16 * 256 * 256


@dataclass(frozen=True)
class Request:
    """One picture to make, or ``rows`` pictures that are optimized together.

    ``text`` names it for people; the objective, recipe, seed and snapshots (step numbers) say what
    it is. Row r starts from the noise of ``seed + r``. ``batch`` fixes the compiled batch size.
    """

    text: str
    objective: Objective
    recipe: Recipe
    seed: int = 0
    snapshots: tuple[int, ...] = ()
    rows: int = 1
    batch: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31 - self.rows:
            raise UsageError(f"seed {self.seed}: expected a whole number from 0 to {2**31 - 2}")
        wrong = [s for s in self.snapshots if not 0 <= s <= self.recipe.steps]
        if wrong:
            raise UsageError(
                f"snapshot at step {wrong[0]}: this run has the steps 0 to {self.recipe.steps}"
            )
        if self.batch is not None and self.batch < self.rows:
            raise UsageError(
                f"batch {self.batch}: {self.rows} pictures are optimized together; "
                f"give --batch {self.rows} or more"
            )

    def to_json(self) -> dict[str, Any]:
        """All that decides the picture, as plain data (the recipe's name does not)."""
        recipe = self.recipe.to_json()
        return {
            "objective": self.objective.to_json(),
            "recipe": recipe,
            "seed": self.seed,
            "snapshots": list(self.snapshots),
            "rows": self.rows,
            "batch": self.batch,
        }

    @classmethod
    def from_json(cls, text: str, data: dict[str, Any]) -> Request:
        """Make a request from plain data."""
        return cls(
            text=text,
            objective=Objective.from_json(data["objective"]),
            recipe=Recipe.from_json(data["recipe"]),
            seed=data["seed"],
            snapshots=tuple(data["snapshots"]),
            rows=data["rows"],
            batch=data["batch"],
        )

    def key(self, net: Network) -> str:
        """A name for the pictures that this request makes with this network: 16 hex digits."""
        spec = net.require_input_spec().to_json()
        del spec["source"]
        data = self.to_json()
        data["recipe"] = {k: v for k, v in data["recipe"].items() if k != "name"}
        return digest({"network": net.identity.sha256, "input": spec, **data})


@dataclass(frozen=True)
class Plan:
    """Requests that go through one compiled loop as one batch of ``batch`` rows, padded.

    Where the recipe lets pictures end early there may be more: they enter as others leave.
    """

    structure: Structure
    requests: tuple[Request, ...]
    batch: int

    @property
    def recipe(self) -> Recipe:
        """The recipe of all its requests."""
        return self.requests[0].recipe

    @property
    def rows(self) -> int:
        """Rows that are pictures; the rest of the batch is padding."""
        return sum(request.rows for request in self.requests)

    def only(self, wanted: Callable[[Request], bool]) -> Plan | None:
        """The plan without the requests that are not wanted, of the same batch size."""
        left = tuple(request for request in self.requests if wanted(request))
        return replace(self, requests=left) if left else None


@dataclass(frozen=True)
class Picture:
    """A finished picture: row ``row`` of a request.

    ``image`` [H, W, C] float32 in [0, 1]; ``snapshots`` the same by step; ``score`` of the image
    as it is, without penalties and the terms that couple rows; ``history`` [steps] of the whole
    scores on the transformed image; ``batch`` the compiled batch size.
    """

    request: Request
    row: int
    image: Array
    snapshots: dict[int, Array]
    score: float
    history: Array
    batch: int


@dataclass(frozen=True)
class Report:
    """How far a rendering is: pictures finished of all, and the step of the present batch."""

    done: int
    pictures: int
    running: int
    step: int
    steps: int
    score: float
    text: str

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        return (self.done + self.running * self.step / self.steps) / max(1, self.pictures)


#: Updates with redirected ReLU gradients where :func:`fitting` turns them on (as in lucid).
REDIRECTED_STEPS = 17


def linear_tap(net: Network) -> str | None:
    """The output of the network's first ReLU: what is before it is linear in the image."""
    return next((name for name in net.taps if net.taps[name].pre_activation), None)


def fitting(recipe: Recipe, objective: Objective, net: Network) -> Recipe:
    """The recipe with which an objective has a picture: nearly always ``recipe`` itself.

    Before the first ReLU of a network the mean of a channel is linear in the image, so that the
    best image is one flat colour. There units are optimized after the ReLU, and redirected
    gradients help those that are dead at the start.
    """
    first = linear_tap(net)
    taps = {net.taps[t.tap].name for t in objective.terms if t.kind in ("channel", "direction")}
    if not recipe.pre_activation or first not in taps:
        return recipe
    steps = max(recipe.redirect_steps, REDIRECTED_STEPS)
    return recipe.replace(pre_activation=False, redirect_steps=steps)


def diverse(target: Target, net: Network, weight: float = 0.1) -> Target:
    """A target with the diversity term at its own layer (paper: "Achieving Diversity").

    The Gram matrix is taken at the tap of the first term that has one, after the ReLU; for a class
    at the last main tap of the network that has positions.
    """
    taps = [term.tap for term in target.objective.terms if term.tap]
    spatial = [n for n in (*net.taps, *net.main_taps) if len(net.taps[n].shape or ()) == 4]
    if not taps and not spatial:
        raise UsageError(f"target {target.text!r}: diversity needs a layer with positions")
    tap = taps[0] if taps else spatial[-1]
    return Target(target.text, target.objective + diversity(tap, weight))


def _canonical(rows: int, largest: int, pixels: int) -> int:
    """The batch size that costs least for this many rows, none of whose requests is split."""
    room = max(1, MAX_PIXELS // pixels)
    sizes = {size: cost for size, cost in CANONICAL.items() if largest <= size <= room}
    if not sizes:
        return next((size for size in CANONICAL if size >= largest), largest)

    def cost(size: int) -> float:
        per_batch = size // largest * largest if largest > 1 else size
        return math.ceil(rows / per_batch) * size * sizes[size]

    return min(sizes, key=lambda size: (cost(size), -size))


def plan(net: Network, requests: Sequence[Request]) -> list[Plan]:
    """Sort requests into batches: one recipe, one structure of objectives, one batch size each.

    Depends on the list of requests only, so that a resumed run works in the batch sizes of the
    first. Raises :class:`UsageError` for units out of range and an image size that the network
    does not take.
    """
    groups: dict[Any, list[Request]] = {}
    for request in requests:
        pre = request.recipe.pre_activation
        structure = structure_of(request.objective, net, pre)
        fill(structure, [request.objective], net, pre)
        net.check_size(*request.recipe.seen_size)
        group = (structure, request.recipe, request.snapshots, request.batch)
        groups.setdefault(group, []).append(request)
    plans: list[Plan] = []
    for (structure, recipe, _, fixed), members in groups.items():
        rows, largest = sum(r.rows for r in members), max(r.rows for r in members)
        size = fixed or _canonical(rows, largest, recipe.size[0] * recipe.size[1])
        batch: list[Request] = []
        can_enter = recipe.patience and not recipe.redirect_steps and largest == 1
        most = size * ENTERING if can_enter else size
        for request in members:
            if sum(r.rows for r in batch) + request.rows > most:
                plans.append(Plan(structure, tuple(batch), size))
                batch = []
            batch.append(request)
        plans.append(Plan(structure, tuple(batch), size))
    return plans


def render_plan(
    net: Network,
    plan: Plan,
    progress: Callable[[Progress], None] | None = None,
    resume: Checkpoint | None = None,
) -> list[Picture]:
    """Run one batch and return its pictures, without the padding.

    A recipe with patience lets each picture end when it has converged; it has no checkpoints to
    ``resume`` from.
    """
    rows: list[tuple[Request, int, int]] = []  # request, row in it, group
    for group, request in enumerate(plan.requests):
        rows += [(request, row, group) for row in range(request.rows)]
    # Padding repeats the last row, as groups of their own, so that it couples with nothing.
    padding = [(rows[-1][0], 0, -1 - i) for i in range(plan.batch - len(rows))]
    padded = rows + padding
    batch = Batch(
        structure=plan.structure,
        data=fill(
            plan.structure,
            [r.objective.at(row, r.rows) for r, row, _ in padded],
            net,
            plan.recipe.pre_activation,
        ),
        seeds=np.array([r.seed + row for r, row, _ in padded], np.int32),
        groups=np.array([group for _, _, group in padded], np.int32),
    )
    snapshots = plan.requests[0].snapshots
    if plan.recipe.patience:
        run = converge(net, plan.recipe, batch, plan.batch, snapshots, progress)
    else:
        run = optimize(net, plan.recipe, batch, snapshots, progress, resume)
    return [
        Picture(
            request=request,
            row=row,
            image=run.images[i],
            snapshots={step: images[i] for step, images in run.snapshots.items()},
            score=float(run.scores[i]),
            history=run.history[: run.taken[i], i],
            batch=plan.batch,
        )
        for i, (request, row, _) in enumerate(rows)
    ]


def render_plans(
    net: Network,
    plans: Sequence[Plan],
    progress: Callable[[Report], None] | None = None,
    state_of: Callable[[Plan], State] | None = None,
) -> Iterator[list[Picture]]:
    """Run batch after batch; yields the pictures of each as soon as they are finished.

    With ``state_of`` a batch goes on from its state, and saves it now and then; who has saved the
    pictures drops it.
    """
    pictures, done = sum(p.rows for p in plans), 0
    for each in plans:
        text = each.requests[0].text
        if len(each.requests) > 1:
            text += f" … {each.requests[-1].text}"

        state = None if state_of is None else state_of(each)

        def report(
            p: Progress,
            done: int = done,
            each: Plan = each,
            text: str = text,
            state: State | None = state,
        ) -> None:
            if state is not None:  # first: a report may raise
                state(p)
            if progress is not None:
                progress(Report(done, pictures, each.rows, p.step, p.steps, p.score, text))

        there = None if state is None else state.read()
        if there is not None:  # so that who estimates the time left knows what took none
            report(Progress(there.step, each.recipe.steps, float(there.history[-1].mean())))
        yield render_plan(net, each, report, there)
        done += each.rows


@dataclass(frozen=True)
class Rendering:
    """Pictures made by :func:`render`, in the order in which they were asked for."""

    pictures: tuple[Picture, ...]
    network: dict[str, Any]
    environment: dict[str, str]

    @property
    def images(self) -> Array:
        """All images, [N, H, W, C] in [0, 1]."""
        return np.stack([p.image for p in self.pictures])

    @property
    def scores(self) -> Array:
        """The scores of the finished images, [N]."""
        return np.array([p.score for p in self.pictures], np.float32)

    @property
    def losses(self) -> Array:
        """Minus the score at every step, on the transformed images, [N, steps].

        NaN after the last step of a picture that has ended early.
        """
        steps = max(len(p.history) for p in self.pictures)
        ends = [(0, steps - len(p.history)) for p in self.pictures]
        padded = [
            np.pad(p.history, end, constant_values=np.nan)
            for p, end in zip(self.pictures, ends, strict=True)
        ]
        return -np.stack(padded)

    @property
    def snapshots(self) -> dict[int, Array]:
        """The images [N, H, W, C] after so many steps; 0 is the initial noise."""
        steps = self.pictures[0].snapshots
        return {step: np.stack([p.snapshots[step] for p in self.pictures]) for step in steps}

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """For every picture, all that is needed to make it again."""
        return [provenance(p, self.network, self.environment) for p in self.pictures]


def describe(net: Network) -> dict[str, Any]:
    """The network of a provenance: name, format, SHA-256 and input description."""
    return {
        "name": net.name,
        "format": net.identity.format,
        "sha256": net.identity.sha256,
        "input": net.require_input_spec().to_json(),
    }


def provenance(
    picture: Picture, network: dict[str, Any], environment: dict[str, str]
) -> dict[str, Any]:
    """All that is needed to make a picture again, as plain data."""
    taken = len(picture.history)
    early = {} if taken == picture.request.recipe.steps else {"steps_taken": taken}
    return {
        "target": picture.request.text,
        **picture.request.to_json(),
        **early,
        "row": picture.row,
        "compiled_batch": picture.batch,
        "network": network,
        "environment": environment,
    }


def render(
    net: Network,
    targets: str | Objective | Sequence[str | Objective],
    *,
    recipe: str | Recipe = "article",
    seed: int = 0,
    snapshots: Sequence[int] = (),
    progress: Callable[[Report], None] | None = None,
    **changes: Any,
) -> Rendering:
    """Optimize pictures and return them.

    ``targets`` are words (``"mixed4a:476"``, see :data:`kerasviz.targets.GRAMMAR`) or objectives.
    ``changes`` replace settings of the recipe: ``steps``, ``size`` (a number or (height, width)),
    ``learning_rate``, ``precision`` (``"auto"`` for the fastest on this machine)... Raises
    :class:`UsageError` for wrong names and settings.

    >>> net = kerasviz.load("efficientnet-lite0")                       # doctest: +SKIP
    >>> r = kerasviz.render(net, "block3b:7", steps=128, size=96)       # doctest: +SKIP
    >>> r.images.shape, r.losses.shape                                  # doctest: +SKIP
    ((1, 96, 96, 3), (1, 128))
    """
    chosen = find_recipe(recipe)
    if isinstance(changes.get("size"), int):
        changes["size"] = (changes["size"], changes["size"])
    precision = changes.pop("precision", chosen.precision)
    chosen = chosen.replace(**changes)
    asked = [targets] if isinstance(targets, str | Objective) else list(targets)
    found: list[Target] = []
    for i, each in enumerate(asked):
        if isinstance(each, Objective):
            found.append(Target(f"objective {i}", each))
        else:
            found += parse_targets([each], net)
    if precision == AUTO:
        objectives = [target.objective for target in found]
        precision = choose(net, taps_of(objectives, net, chosen.pre_activation)).precision
    chosen = chosen.replace(precision=precision)
    requests = [
        Request(t.text, t.objective, fitting(chosen, t.objective, net), seed, tuple(snapshots))
        for t in found
    ]
    pictures: dict[Request, list[Picture]] = {}
    for batch in render_plans(net, plan(net, list(dict.fromkeys(requests))), progress):
        for picture in batch:
            pictures.setdefault(picture.request, []).append(picture)
    ordered = tuple(p for request in requests for p in pictures[request])
    return Rendering(ordered, describe(net), environment())
