"""Making figures: render all their pictures, then write a PNG file and a page of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from kerasviz.errors import KerasvizError, UsageError, check_choice, near
from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.catalogue.articles import ARTICLES, FIGURES
from kerasviz.figures.catalogue.figure import Figure
from kerasviz.figures.catalogue.regularization import FREQUENCY_PENALIZATION
from kerasviz.figures.computed import label_computed, make_computed
from kerasviz.figures.drawing.drawing import draw
from kerasviz.figures.drawing.gradient_layouts import reduced
from kerasviz.figures.layout.appendix import layers_of
from kerasviz.figures.layout.build import choose_all
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.example_panels import open_examples, write_panels
from kerasviz.figures.layout.penalty_weights import weight_factor
from kerasviz.figures.layout.tiles import (
    ExamplesTile,
    FigureLayout,
    GradientTile,
    OptimizedTile,
    Tile,
)
from kerasviz.figures.site.layer_pages import write_layers
from kerasviz.figures.site.page import PictureFacts, figure_page, set_page
from kerasviz.figures.site.record import FigureRun, write_record
from kerasviz.io.files import make_folder
from kerasviz.io.images import decode, encode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import Term
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.commands import QUICK_STEPS, CommandLine
from kerasviz.rendering.gradient_pictures import GradientCache
from kerasviz.rendering.pages import update, write_index
from kerasviz.rendering.photos import MOST, find_photos, read_photo
from kerasviz.rendering.progress import RenderProgress, Report, displayed
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import missing_batches, render_into
from kerasviz.rendering.sizes import unless_named
from kerasviz.rendering.store import Store
from kerasviz.types import ArticleName, Param, Precision, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network

#: The folder of the single pictures, in the folder of the figures.
PICTURES = "pictures"


@dataclass(frozen=True)
class FigureSet:
    """Report what :func:`make_figures` did.

    ``paths`` are the PNG and the page of every figure, ``index`` is the page that links to them.
    ``made`` pictures were rendered now, ``kept`` were complete before; ``computed`` were made
    from others, without optimizing. ``failed`` are the figures that the network cannot have,
    each with the reason.
    """

    paths: tuple[Path, ...]
    index: Path
    made: int
    kept: int
    computed: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


@named_arguments()
def make_figures(  # noqa: PLR0913 - the options of the command
    net: Model,
    slugs: str | Sequence[str] = (),
    recipe: str | Path | Recipe = "article",
    out: str | Path | None = None,
    *,
    seed: int = 0,
    quick: bool = False,
    photos: str | Path | None = None,
    examples: str | Path | None = None,
    layer: str | Sequence[str] = (),
    article: ArticleName = "feature-visualization",
    size: int | Size | str | None = None,
    steps: int | None = None,
    param: Param | None = None,
    precision: Precision | None = None,
    until_converged: bool = False,
    tile: int | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
) -> FigureSet:
    """Make figures of an article for a network as PNG files and HTML pages.

    Like ``kerasviz figures``, this keeps the single pictures in ``out/pictures`` with their
    manifest and page, does not render complete pictures again, and leaves out the figures that the
    network cannot have; the result has the reasons.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        slugs: The names of figures, keys of ``kerasviz.figures.FIGURES``; by default all of the
            article.
        recipe: How to optimize, the name of a recipe or its file.
        out: The folder for the figures, by default ``out/NAME-figures``.
        seed: The seed of the noise that the pictures start from.
        quick: Whether to take at most 128 steps, and only some of hundreds of settings.
        photos: A folder of PNG and JPEG files, or one of them, for the figures of gradients, and
            for those of ``"building-blocks"``, which are about the first, and of
            ``"activation-atlas"``; by default those of the package.
        examples: A folder that :func:`kerasviz.find_examples` made, for the panels of examples.
        article: Which figures are drawn where none are named: ``"feature-visualization"``,
            ``"circuits"``, ``"building-blocks"`` or ``"activation-atlas"``.
        layer: The taps, or one, all of whose units ``appendix-layer`` shows; by default 8 units.
        size: Pixels, a number or (height, width); by default the network's own where it takes no
            other, else the recipe's.
        steps: The updates of the image.
        param: What is optimized: pixels, their Fourier spectrum, a pyramid, 32 x 32 pixels, or a
            small network that paints them.
        precision: The numbers in which convolutions are computed; see :func:`kerasviz.render`.
        until_converged: Whether a picture ends when its score has stopped growing.
        tile: The side of the tiles, in pixels, that the network sees of large pictures.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: Where it is shown, as in :func:`kerasviz.render`.

    Returns:
        The files and the page, the numbers of pictures, and the figures that were left out.

    Raises:
        UsageError: For an unknown figure, photos that cannot be read, a size that the network does
            not take, and a folder with another network's pictures.

    Example:
        >>> kerasviz.make_figures(net, "optimization-progress", steps=4, size=32).index
        PosixPath('out/tiny-figures/index.html')
    """
    wanted = figure_names([slugs] if isinstance(slugs, str) else slugs, article)
    asked = RecipeOptions(recipe, steps, size, param, precision, tile, until_converged)
    usual = quick_recipe(asked, quick)
    net = as_network(net, data).require_images("figures")
    folder = figures_folder(net, out)
    options = figure_options(
        net,
        figure_recipe(asked, usual, net, folder),
        seed=seed,
        quick=quick,
        photos=photos,
        layer=[layer] if isinstance(layer, str) else layer,
        examples=examples,
    )
    command = _command(options, photos, examples)
    with displayed(progress) as display:
        made = write_figures(options, wanted, folder, display, command=command)
        figures = f"{len(made.paths) // 2} figure{'' if len(made.paths) == 2 else 's'}"
        display.end(f"{figures}, {made.made} pictures made, {made.kept} complete")
    return made


def figure_names(slugs: Sequence[str], article: str = "feature-visualization") -> list[str]:
    """Return the names of figures, each once, all of an article by default.

    Raises :class:`UsageError` for an unknown one, and an unknown article.
    """
    check_choice("article", article, ARTICLES)
    for slug in slugs:
        if slug not in FIGURES:
            raise UsageError(f"no figure {slug!r}; near: {near(str(slug), FIGURES)}")
    return list(dict.fromkeys(slugs)) or list(ARTICLES[article].figures)


def figures_folder(net: Network, out: str | Path | None = None) -> Path:
    """Return the folder of a network's figures: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-figures" if out is None else Path(out)


def quick_recipe(recipe: RecipeOptions, quick: bool) -> Recipe:
    """Return the recipe that was asked for; quick figures take fewer steps."""
    chosen = recipe.chosen()
    return chosen.replace(steps=min(chosen.steps, QUICK_STEPS)) if quick else chosen


def figure_recipe(asked: RecipeOptions, usual: Recipe, net: Network, folder: Path) -> Recipe:
    """Return a recipe in the size and the precision for the figures of a network in a folder."""
    taps = net.main_taps or tuple(net.taps)[-1:]
    return asked.resolved(asked.fitted(usual, net), net, taps, folder / PICTURES)


def figure_options(
    net: Network,
    recipe: Recipe,
    *,
    seed: int = 0,
    quick: bool = False,
    photos: str | Path | None = None,
    layer: Sequence[str] = (),
    examples: str | Path | None = None,
) -> FigureOptions:
    """Return the options of figures, with photos and examples opened."""
    return FigureOptions(
        net,
        unless_named(recipe, net),
        seed,
        quick,
        () if photos is None else find_photos(photos),
        tuple(layer),
        None if examples is None else open_examples(examples, net),
    )


def write_figures(
    options: FigureOptions,
    wanted: Sequence[str],
    out: Path,
    progress: Callable[[RenderProgress], None] | None = None,
    begin: Callable[[Sequence[Batch], Mapping[str, str]], None] | None = None,
    command: CommandLine | None = None,
) -> FigureSet:
    """Make figures of the article for a network, as :func:`make_figures` does.

    ``begin`` is called before the first picture, with the batches to render and the figures that
    are left out. ``command`` makes pictures again, by default that of :func:`make_figures`.
    """
    net = options.net
    net.check_size(*options.recipe.size)
    if options.layers and APPENDIX_LAYER.slug not in wanted:
        raise UsageError(f"layers are for the figure {APPENDIX_LAYER.slug}; name that figure too")
    if options.layers:
        layers_of(options)  # a name that is not there is an error now, not a figure that fails
    for photo in options.photos[:MOST]:  # now, not after hours of rendering
        read_photo(photo, options.recipe.size, net.channels)
    if (penalized := FREQUENCY_PENALIZATION).slug in wanted:
        options = replace(options, penalty_factor=weight_factor(penalized, options))
    layouts, failed = choose_all([FIGURES[slug] for slug in wanted], options)
    requests = list(dict.fromkeys(r for layout in layouts for r in layout.requests))
    store = Store(out / PICTURES, net)
    run = FigureRun(store, options, command or _command(options))
    missing = missing_batches(store, requests)
    if begin is not None:
        begin(missing, failed)
    index = out / "index.html"
    if not layouts:
        return FigureSet((), index, 0, 0, failed=failed)
    make_folder(out)
    lost: dict[Request, str] = {}
    try:
        made = render_into(store, requests, progress, lost, missing)
        _leave_out(layouts, failed, lost)
        count = _compute(store, layouts, failed)
    except KeyboardInterrupt:  # the page shows the pictures that are finished
        write_index(store.folder, store.manifest(), run.command.of_store(store))
        raise
    run = replace(run, commands=run.command.of_store(store))
    write_index(store.folder, store.manifest(), run.commands)
    paths: list[Path] = []
    for layout in layouts:
        if layout.figure.layout == "layer":
            layout = write_layers(out, run, layout)
        layout = label_computed(store, layout)
        panels = write_panels(options, layout, store)
        tiles: dict[Tile, str] = {
            t: panels[t] if isinstance(t, ExamplesTile) else _file(store, t) for t in layout.tiles
        }
        notes = (*layout.notes, *activation_notes(store, layout))
        paths += _write(out, replace(layout, notes=notes), tiles, run.origins(layout))
    store.merge()
    present = _present(out)
    slugs = [layout.figure.slug for layout in layouts]
    write_record(out, run, slugs, [figure.slug for figure in present])
    update(index, set_page(net.name, present, out, PICTURES).encode())
    return FigureSet(tuple(paths), index, made.made, made.kept, count, failed)


def _leave_out(
    layouts: list[FigureLayout], failed: dict[str, str], lost: Mapping[Request, str]
) -> None:
    """Leave out the figures whose pictures the network could not compute."""
    for layout in list(layouts):
        reasons = [lost[request] for request in layout.requests if request in lost]
        if reasons:
            failed[layout.figure.slug] = reasons[0]
            layouts.remove(layout)


def _compute(store: Store, layouts: list[FigureLayout], failed: dict[str, str]) -> int:
    """Make the computed pictures of the figures, leaving out those that cannot be computed."""
    gradients, count = GradientCache(store.net), 0
    for layout in list(layouts):
        try:
            count += make_computed(store, layout.computed, gradients)
        except KerasvizError as error:
            failed[layout.figure.slug] = str(error)
            layouts.remove(layout)
    return count


def _command(
    options: FigureOptions, photos: str | Path | None = None, examples: str | Path | None = None
) -> CommandLine:
    """Describe figures made from Python as a command line."""
    words = ["--seed", str(options.seed)] if options.seed else []
    if options.quick:
        words.append("--quick")
    if photos is not None:
        words += ["--photos", str(photos)]
    if examples is not None:
        words += ["--examples", str(examples)]
    for layer in options.layers:
        words += ["--layer", layer]
    return CommandLine.of_figures(options.net, options.recipe, words)


def _file(store: Store, tile: OptimizedTile | GradientTile) -> str:
    """Return the picture file of a tile, relative to the store."""
    if isinstance(tile, GradientTile):
        return f"{tile.file}.png"
    return store.entry(tile.request, tile.step, tile.row).file


def _write(
    out: Path, layout: FigureLayout, files: dict[Tile, str], origins: PictureFacts
) -> list[Path]:
    pictures: dict[Tile, Image.Image] = {}
    for tile, file in files.items():
        pictures[tile] = decode((out / PICTURES / file).read_bytes())[0]
    slug = layout.figure.slug
    image, page = out / f"{slug}.png", out / f"{slug}.html"
    update(image, encode(draw(layout, pictures), "png"))
    links = {tile: f"{PICTURES}/{file}" for tile, file in files.items()}
    pools = reduced(layout.blocks, pictures)
    sizes = {tile: picture.size for tile, picture in pictures.items()}
    update(page, figure_page(layout, links, sizes, pools, origins).encode())
    return [image, page]


def _present(out: Path) -> list[Figure]:
    """Return the figures in a folder, including those of earlier runs."""
    return [f for f in FIGURES.values() if (out / f"{f.slug}.html").is_file()]


def activation_notes(store: Store, layout: FigureLayout) -> list[str]:
    """State the activations of diverse pictures and of the simple one, in one line.

    Empty for figures without diverse pictures, or of several units. Activations are the scores in
    the store, without the diversity term (paper, section "Achieving
    Diversity with Optimization": all pictures should activate the unit).
    """
    facets = [c for c in layout.optimized if any(t.kind == "diversity" for t in _terms(c))]
    simple = [c for c in layout.optimized if c not in facets]
    if not facets or len(simple) != 1:
        return []
    alone, together = (
        [score for tile in tiles if (score := _score(store, tile)) is not None]
        for tiles in (simple, facets)
    )
    words = ", ".join(f"{score:.3g}" for score in together)
    return [f"Activation of the unit: {alone[0]:.3g} in the simple picture, {words} in the others."]


def _terms(tile: OptimizedTile) -> tuple[Term, ...]:
    return tile.request.objective.terms


def _score(store: Store, tile: OptimizedTile) -> float | None:
    return store.entry(tile.request, tile.step, tile.row).score
