"""Layouts of the figures of gradients: photos, directions and maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.catalogue.figure import Control, ControlValue
from kerasviz.figures.catalogue.gradient_figures import ATTRIBUTED, CATEGORIES
from kerasviz.figures.layout.arrangements import columns
from kerasviz.figures.layout.context import FigureContext, resolve
from kerasviz.figures.layout.layers import map_layers
from kerasviz.figures.layout.tables import Table
from kerasviz.figures.layout.tiles import GradientTile, OptimizedTile, TileRow
from kerasviz.figures.layout.units import pick_class
from kerasviz.optvis.objectives.objective import layer, logit
from kerasviz.optvis.objectives.structure import IMAGE
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.parameterizations import Fourier, Pixel
from kerasviz.rendering.photos import MOST, Photo, photos_of
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import slug

DIRECTIONS = {"linf": "L-infinity metric", "l2": "L2 metric", "decorrelated": "Decorrelated space"}


def _objectives(context: FigureContext) -> FigureContext:
    """Return the context of the figure ``objectives``, whose pictures are shown again."""
    return resolve(CATALOGUE["objectives"], context.options)


def _kinds(objectives: FigureContext) -> dict[str, OptimizedTile]:
    """Return the pictures of the figure ``objectives`` by the kind of their objective."""
    blocks, _ = columns(objectives)
    return {tile.column.kind: tile for tile in blocks[0].optimized if tile.column is not None}


def _photos(context: FigureContext) -> tuple[tuple[Photo, ...], Request, list[str]]:
    """Return the photos, the request that is differentiated there, and notes on both."""
    net = context.options.net
    k, _ = pick_class(net)
    if k is not None:
        goal = context.request(Target(f"logit:{k}", logit(k)))
        name = f"logit:{net.classes.describe(k)}"
    else:
        tile = _kinds(_objectives(context))["channel"]
        goal, name = tile.request, tile.name
    photos = photos_of(context.options.photos)
    notes = [f"Objective: {name}, the same as in the figure on objectives."]
    if not context.options.photos:
        notes.append(
            "Photos: from scikit-image, in the public domain; --photos FOLDER shows others."
        )
    elif len(context.options.photos) > MOST:
        notes.append(
            f"Photos: the first {MOST} of {len(context.options.photos)}, as many as the article's."
        )
    return photos, goal, notes


def _made(
    context: FigureContext, kind: str, photo: Photo, goal: Request | None, name: str
) -> GradientTile:
    row = photos_of(context.options.photos).index(photo)
    file = f"{context.figure.slug}-{kind}-{row}"
    return GradientTile(file, name, kind, (photo,), context.options.photo_size, goal)


def _attribution(context: FigureContext) -> Table:
    net = context.options.net
    if pick_class(net)[0] is None:
        raise UsageError(
            f"attribution explains the answer of a classifier, and {net.name} has no class logits"
        )
    shown = _objectives(context)
    kinds = _kinds(shown)
    left: list[OptimizedTile] = []
    for kind, word in (("neuron", "Neuron"), ("channel", "Channel")):
        tile = kinds[kind]
        left.append(OptimizedTile(tile.request, tile.step, tile.name, word))
    photos, _, notes = _photos(context)
    (tap,) = map_layers([ATTRIBUTED], net)[0].values()
    photo = _made(context, "photo", photos[0], None, f"Photo: {photos[0].name}")
    found = GradientTile(
        f"{context.figure.slug}-map-0",
        f"gradient x activation at {tap}",
        "attribution",
        photos[:1],
        context.options.photo_size,
        tap=tap,
    )
    method = (
        "Attribution: gradient x activation, of the logit of the top class and summed over the "
        f"channels of {tap}; orange where positive. The article does not name its method."
    )
    blocks = (
        TileRow("Feature visualization", (), tuple(left)),
        TileRow("Attribution", (), (photo, found)),
    )
    return blocks, (), (), [*shown.notes, method, *notes[1:]]


def _artifacts(context: FigureContext) -> Table:
    net = context.options.net
    photos, _, notes = _photos(context)
    taps = list(context.taps.values())
    k, _ = pick_class(net)
    if k is not None:
        target, words = Target(f"logit:{k}", logit(k)), f"logit:{net.classes.describe(k)}"
    else:
        # The derivative of a channel's mean by its own layer would be the same everywhere.
        target, words = Target(taps[-1], layer(taps[-1])), f"the layer {taps[-1]}, squared"
    goal = context.request(target)
    # Of what comes before the last ReLU its output would have no derivative.
    goal = replace(goal, recipe=goal.recipe.replace(pre_activation=False))
    mean = f", a mean over {len(photos)} photos" if len(photos) > 1 else ""
    places = [IMAGE, *taps]
    maps = tuple(
        GradientTile(
            f"{context.figure.slug}-{i:02d}-{slug(tap) if tap != IMAGE else 'input'}",
            "input" if tap == IMAGE else tap,
            "magnitude",
            photos,
            context.options.photo_size,
            goal,
            tap,
            tuple(taps),
            pool=i + 1 < len(places) and _pools(context, tap, places[i + 1]),
        )
        for i, tap in enumerate(places)
    )
    grids = tuple(replace(tile, file=f"{tile.file}-grid", kind="grid", pool=False) for tile in maps)
    more = [
        f"Objective: {words}. Each map is the norm over channels of its derivative"
        f"{mean}; white is the 99.5th percentile.",
        "Grid: each position over the mean of the block around it, averaged over all blocks "
        "(of 8, 4 or 2 positions a side); black is 3/4 of that mean or less, white 5/4 or more. "
        "The numbers compare the position with the most gradient with that with the least.",
        "Bars: orange where a pooling layer makes the maps smaller, as in the article, blue where "
        "a convolution with a stride does.",
    ]
    return (
        (TileRow("Magnitude of the gradient", (), maps), TileRow("The grid in it", (), grids)),
        (),
        (),
        [*more, *notes[1:]],
    )


def _pools(context: FigureContext, first: str, second: str) -> bool:
    """Return whether the network computes a pooling layer between two taps."""
    taps = context.options.net.taps
    names = list(taps)
    start = 0 if first == IMAGE else names.index(taps[first].name) + 1
    between = names[start : names.index(taps[second].name)]
    return any("pool" in taps[name].op.lower() for name in between)


def _colours(context: FigureContext) -> Table:
    net = context.options.net
    if net.channels != 3:
        count = "1 channel" if net.channels == 1 else f"{net.channels} channels"
        raise UsageError(f"decorrelated colours are 3, and images of {net.name} have {count}")
    photos, goal, notes = _photos(context)
    size = _half(context)
    gradient = (
        _made(context, "photo", photos[0], None, f"Photo: {photos[0].name}"),
        replace(_made(context, "l2", photos[0], goal, "Correlated colours"), size=size),
        replace(_made(context, "colours", photos[0], goal, "Decorrelated colours"), size=size),
    )
    blocks = [TileRow("Gradient at a photo", (), gradient), *_in_both_colours(context)]
    return tuple(blocks), (), (), [*notes, WHITENING_NOTE, SCALE_NOTE]


def _half(context: FigureContext) -> tuple[int, int]:
    """Return half the size of photos, so that single pixels are seen, if the network takes it."""
    net, (height, width) = context.options.net, context.options.photo_size
    half = max(1, height // 2), max(1, width // 2)
    logits = net.classes.logits
    fits = net.fitting_size(half) == half
    if fits and (logits is None or logits not in net.taps or net.computes(logits, *half)):
        return half
    return height, width


def _in_both_colours(context: FigureContext) -> list[TileRow]:
    """Return the channel of the figure ``objectives``, optimized with and without decorrelation."""
    space = context.options.recipe.parameterization
    if not isinstance(space, Fourier | Pixel):
        return []
    try:
        unit = _kinds(_objectives(context))["channel"]
    except UsageError:
        return []  # the network has no layer with positions, but it has a gradient
    tiles = []
    for on, words in ((False, "Correlated colours"), (True, "Decorrelated colours")):
        own = unit.request.recipe.replace(parameterization=replace(space, decorrelate=on))
        tiles.append(OptimizedTile(replace(unit.request, recipe=own), unit.step, words))
    return [TileRow(f"Optimized: {unit.name}", (), tuple(tiles))]


WHITENING_NOTE = (
    "Decorrelated gradient: C^(-1/2) g at every pixel, where g is the gradient and C the "
    "covariance of the colours of ImageNet. The article does not give its map. Gradients are those "
    "of the photo at half its size where the network takes that, so that single pixels are seen."
)
SCALE_NOTE = "Grey is no change; the 99.5th percentile of a direction's size is full contrast."
SIGMOID_NOTE = (
    "Decorrelated space: the image is a sigmoid of decorrelated colours and scaled frequencies, so "
    "that little changes where it is black or white already."
)


def _steepest(context: FigureContext) -> Table:
    photos, goal, notes = _photos(context)
    rows, values = [], []
    several = len(photos) > 1
    for k, photo in enumerate(photos):
        tiles = [_made(context, "photo", photo, None, photo.name)]
        for kind, word in DIRECTIONS.items():
            tiles.append(_made(context, kind, photo, goal, f"{photo.name}, {word}"))
        rows.append(TileRow("", (), tuple(tiles), (k,) if several else ()))
        values.append(ControlValue(photo.name, k))
    initial = min(9, len(photos) - 1)  # the article begins with the tenth of its photos
    controls = (Control("unit", "Photo", tuple(values), initial),) if several else ()
    return (
        tuple(rows),
        ("Image", *DIRECTIONS.values()),
        controls,
        [*notes, SCALE_NOTE, SIGMOID_NOTE],
    )


def _spectrum(context: FigureContext) -> Table:
    note = "The article's table, without its pictures. It is the same for every network."
    return (), CATEGORIES, (), [note]


#: The builder of every figure of this kind.
GRADIENT_TABLES: dict[str, Callable[[FigureContext], Table]] = {
    "fv-vs-attribution": _attribution,
    "gradient-artifacts": _artifacts,
    "color-decorrelation": _colours,
    "steepest-descent": _steepest,
    "regularization-spectrum": _spectrum,
}
