"""Make an activation atlas: sample, lay out, cut into cells, render icons, write the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kerasviz.atlas.activations.build import AtlasBuild, PhotoCrops
from kerasviz.atlas.activations.definition import (
    CLASS_LEAST,
    COMPARISON_GRIDS,
    COSINE,
    EXAMPLES,
    GRIDS,
    LEAST,
    ActivationAtlas,
    recorded_definition,
)
from kerasviz.atlas.activations.points import AtlasClasses, layout_name
from kerasviz.atlas.activations.samples import FOLDER, ActivationSamples, notes_of, read_samples
from kerasviz.atlas.activations.sampling import PositionSampling, sample_positions
from kerasviz.atlas.assemble import SiteBuilder
from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.worker_options import WorkerOptions
from kerasviz.errors import UsageError, whole_number
from kerasviz.examples.activation_samples import SampledTap
from kerasviz.examples.datasets import Source, open_source
from kerasviz.figures.unit_pictures import SMALL
from kerasviz.io.files import make_folder
from kerasviz.io.storage import FIRST, Storage
from kerasviz.io.terminal import Update, reporting, stepping
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import slug
from kerasviz.types import EngineName, Param, Precision, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Model, as_network
from kerasviz.zoo.model_source import ModelSource

#: The folder of atlases of classes, in that of an atlas.
CLASSES = "classes"


@dataclass(frozen=True)
class ActivationAtlasSummary:
    """The result of :func:`make_activation_atlas`.

    ``index`` is the address of the page. Of ``activations`` the ``grids`` have some cells each, by
    their side; of all ``icons`` this run made ``made``. ``layout`` says by what they are laid out.
    """

    index: str
    activations: int
    grids: dict[int, int]
    icons: int
    made: int
    layout: str
    notes: tuple[str, ...] = ()


@named_arguments()
def make_activation_atlas(  # noqa: PLR0913 - the options of the command
    net: Model,
    tap: str,
    *,
    images: str | os.PathLike[str] | None = None,
    activations: str | os.PathLike[str] | None = None,
    attributions: str | os.PathLike[str] | None = None,
    layout: str | os.PathLike[str] | None = None,
    of_class: str | int | None = None,
    against: str | int | None = None,
    positions: int = 1,
    grids: Sequence[int] | None = None,
    least: int | None = None,
    whiten: bool = True,
    cosine: float = COSINE,
    examples: int = EXAMPLES,
    limit: int | None = None,
    batch: int = 32,
    out: str | os.PathLike[str] | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    recipe: str | Path | Recipe = "fast",
    size: int | Size | str | None = None,
    steps: int | None = None,
    param: Param | None = None,
    precision: Precision | None = None,
    until_converged: bool = False,
    tile: int | None = None,
    seed: int = 0,
    progress: bool | Update | None = None,
) -> ActivationAtlasSummary:
    """Map what a network sees in many photos: like activations side by side, each cell as an icon.

    This is ``kerasviz activation-atlas``. The same call continues what ended early: samples,
    layout and icons that are there stay.

    Args:
        net: The network, or what :func:`kerasviz.load` takes, as far as workers can read it: a
            file, or a name of the zoo.
        tap: A layer with positions: a map, or a row of tokens.
        images: Photos, of which random positions are taken: a folder of image files, a TFRecord
            file, or ``"tfds:NAME@SPLIT"``.
        activations: In place of photos an ``.npy`` file [N, C].
        attributions: What each of ``activations`` contributes to every class, [N, classes].
        layout: ``"umap"`` (where umap-learn is installed, the default), ``"pca"``, or an ``.npy``
            file [N, 2] with a place for each activation.
        of_class: A class: its own atlas, of the activations that speak for it.
        against: Another class: both are compared, from left to right.
        positions: The number of positions of each photo.
        grids: Cells along each side, several; by default 10, 20, 40 and 80, to compare classes 10.
        least: Cells with as many activations or fewer are left out; by default 5, of a class 4.
        whiten: Whether icons show what is special about a cell: directions are multiplied by the
            inverse of the second moment of all activations.
        cosine: The power of the cosine in the score of icons.
        examples: The number of crops of photos of each cell, 0 for none.
        limit: The number of photos, the first ones; ``None`` for all.
        batch: Photos that are computed at once.
        out: A folder, or an address such as ``s3://bucket/name``; by default
            ``out/NAME-TAP-activation-atlas``.
        engine: What the workers are: processes of this machine, or actors of a Ray cluster.
        address: The Ray cluster, such as ``"auto"``.
        workers: Their number, by default as many as there are cores or GPUs for.
        threads: The cores of a worker, by default 1 or those of the atlas in ``out``.
        recipe: How icons are optimized, the name of a recipe or its file.
        size: Pixels of the icons, a number or (height, width); 96 by default.
        steps: The updates of an icon.
        param: What is optimized; see :func:`kerasviz.make_atlas`.
        precision: The numbers in which convolutions are computed; see :func:`kerasviz.render`.
        until_converged: Whether an icon ends when its score has stopped growing.
        tile: The side of the tiles, in pixels, that the network sees of large pictures.
        seed: Draws positions and the noise that icons start from, and is that of the layout.
        progress: ``None`` shows a bar at a terminal, ``True`` elsewhere too, ``False`` never; a
            function is called with the finished fraction and a text.

    Returns:
        The address of the page, and the numbers of cells and icons.

    Raises:
        UsageError: For a tap without positions, too few activations, files of another shape, a
            class that the network does not have, and settings other than those in ``out``.
        KerasvizError: For icons that failed on all workers; finished ones are kept.

    Example:
        >>> kerasviz.make_activation_atlas(net, "block3b", images="photos")  # doctest: +SKIP

    Reference:
        Carter et al., "Activation Atlas" (Distill 2019).
    """
    if (images is None) == (activations is None):
        raise UsageError("give either --images, photos to sample, or --activations FILE.npy")
    if attributions is not None and activations is None:
        raise UsageError("--attributions are those of --activations FILE.npy; give both")
    if against is not None and of_class is None:
        raise UsageError("--against is the second of two classes; name the first with --of-class")
    if not 0 <= cosine < float("inf"):
        raise UsageError(f"cosine {cosine}: the power is a number from 0 on, such as 2")
    options = WorkerOptions(engine, address, workers, threads)
    asked = RecipeOptions(recipe, steps, size, param, precision, tile, until_converged)
    asked.chosen()
    model = net if isinstance(net, ModelSource) else None
    net = as_network(net).require_images("activation-atlas")
    if net.identity.by_contents:
        raise UsageError(
            f"the workers of an atlas read {net.name} from a file; save the model and load that"
        )
    classes = AtlasClasses(*(_class_number(net, name) for name in (of_class, against)))
    if net.taps[tap].channels is None:
        raise UsageError(f"tap {tap!r} has no fixed number of channels; name another tap")
    place = activation_atlas_address(net, tap, out)
    name = layout_name(layout, classes)
    source = None if images is None else open_source(os.fspath(images))
    sampling = None if source is None else _sampling(net, tap, positions, batch, limit, seed)
    given = (
        None
        if activations is None
        else read_samples(activations, attributions, net.taps[tap].channels or 0, tap)
    )
    storage = Storage(_address(place, net, classes))
    existing = recorded_definition(Storage(storage.url, FIRST))
    base = SiteBuilder(Storage(place)).folder / FOLDER
    with reporting(progress, partial(stepping, "compiling")) as report:
        samples = given or _sampled(sampling, source, base, report)
        atlas = ActivationAtlas(
            _work(net, tap, asked, seed, options, model, existing),
            tap,
            samples.identity,
            name,
            classes,
            _grids(grids, classes),
            (LEAST if classes.first is None else CLASS_LEAST)
            if least is None
            else whole_number("least", least, 0),
            float(cosine),
            whiten,
            whole_number("examples", examples, 0) if source is not None else 0,
        )
        crops = None if sampling is None or source is None else PhotoCrops(source, sampling)
        build = AtlasBuild(net, atlas, storage, options.with_threads(atlas.work.threads), report)
        index, icons, run = build.run(samples, layout, crops, _notes(notes_of(base)))
    return ActivationAtlasSummary(
        index,
        len(samples),
        {grid.grid: len(grid.cells) for grid in icons},
        run.pictures,
        run.made,
        name,
        tuple(_notes(notes_of(base))) if source is not None else (),
    )


def activation_atlas_address(
    net: Network, tap: str, out: str | os.PathLike[str] | None = None
) -> str:
    """Return the address of an activation atlas: ``out``, or a folder of both names."""
    usual = Path("out") / f"{net.name}-{slug(tap)}-activation-atlas"
    return str(usual) if out is None else os.fspath(out)


def _address(place: str, net: Network, classes: AtlasClasses) -> str:
    """Return where the atlas of classes is, in that of all activations."""
    if classes.first is None:
        return place
    name = "-against-".join(slug(net.classes.describe(n)) for n in classes.numbers)
    return f"{place.rstrip('/')}/{CLASSES}/{name}"


def _class_number(net: Network, name: str | int | None) -> int | None:
    if name is None:
        return None
    return net.classes.index(str(name), net.require_logits().channels)


def _grids(grids: Sequence[int] | None, classes: AtlasClasses) -> tuple[int, ...]:
    if grids is None:
        return GRIDS if classes.second is None else COMPARISON_GRIDS
    return tuple(sorted({whole_number("grids", grid) for grid in grids}))


def _sampling(
    net: Network, tap: str, positions: int, batch: int, limit: int | None, seed: int
) -> PositionSampling:
    sampled = SampledTap(
        net,
        tap,
        usual_size(net),
        whole_number("batch", batch),
        None if limit is None else whole_number("limit", limit),
        whole_number("seed", seed, 0),
    )
    return PositionSampling(sampled, whole_number("positions", positions))


def _sampled(
    sampling: PositionSampling | None,
    source: Source | None,
    folder: Path,
    report: Callable[[float, str], None],
) -> ActivationSamples:
    assert sampling is not None and source is not None
    make_folder(folder)

    def read(seen: int, total: int) -> None:
        report(seen / total, f"sampled {seen:,} of {total:,} photos")

    return sample_positions(sampling, source, folder, read)


def _work(
    net: Network,
    tap: str,
    asked: RecipeOptions,
    seed: int,
    options: WorkerOptions,
    model: ModelSource | None,
    existing: ActivationAtlas | None,
) -> Atlas:
    """Return what workers load and how they render; what is left open is as in an existing one."""
    fitted = asked.fitted(asked.chosen(), net)
    if asked.size is None and net.fixed_size == (None, None) and fitted.transform.crop is None:
        fitted = fitted.replace(size=(SMALL, SMALL))
    net.focused((tap,)).check_size(*fitted.seen_size)
    if existing is not None and not asked.names_precision:
        fitted = fitted.replace(precision=existing.work.recipe.precision)
    else:
        fitted = asked.resolved(fitted, net, [tap])
    threads = options.threads or (existing.work.threads if existing else 1)
    source = ModelSource(net.identity.source, signature=net.identity.signature)
    if model is not None:
        source = replace(model, path=net.identity.source)
    return Atlas(network_provenance(net), source, (), fitted, seed, threads)


def _notes(notes: dict[str, object]) -> list[str]:
    """Say in sentences what happened while photos were sampled."""
    said = []
    if notes.get("unreadable"):
        said.append(f"{notes['unreadable']} photos could not be read.")
    if notes.get("not_finite"):
        said.append(f"{notes['not_finite']} photos gave activations that are not finite.")
    if notes.get("classes"):
        said.append(f"No classes are named: {notes['classes']}.")
    return said
