"""Draw results, networks, maps and recipes as HTML fragments for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from kerasviz.network.map import Map
from kerasviz.network.map_rows import folded_rows, map_rows
from kerasviz.network.network import Network
from kerasviz.network.taps import TapTable
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.commands import CommandLine, is_parsed
from kerasviz.rendering.notebook.embedded import EmbeddedImage, embed
from kerasviz.rendering.notebook.html import fill
from kerasviz.rendering.pages import setting_rows, sparkline, term_rows
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.python_calls import python_call
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.rendering_comparison import RenderingComparison
from kerasviz.rendering.request import Request, python_note

#: Pictures on a contact sheet, and rows of a table of taps; more are counted.
MOST = 64
#: Columns of a sheet where the styles are stripped, as GitHub does.
COLUMNS = 4
#: Names of classes that a network's card lists.
NAMED = 5
#: Points of a score curve.
POINTS = 64


@singledispatch
def to_html(view: object) -> str:
    """Return an object as an HTML fragment that stands alone."""
    raise TypeError(f"no view of {type(view).__name__}")


@dataclass(frozen=True)
class SheetTile:
    """Hold a picture of a sheet with its facts."""

    image: EmbeddedImage
    target: str
    facts: str
    curve: str
    first: str
    last: str
    terms: list[tuple[str, str]]


@to_html.register
def _of_rendering(rendering: Rendering) -> str:
    tiles = _tiles(rendering.pictures[:MOST])
    rest = len(rendering) - len(tiles)
    return fill(
        "sheet.html",
        title=rendering.network["name"],
        rows=[tiles[k : k + COLUMNS] for k in range(0, len(tiles), COLUMNS)],
        notes=[
            *([f"and {rest} more: show them by r[{MOST}:]"] if rest else []),
            *([rendering.interruption] if rendering.interrupted else []),
        ],
        ways=_ways(rendering),
    )


def _origin_note(request: Request, net: Network) -> str | None:
    """Say why no call that can be written down makes a picture again; ``None`` where one does."""
    if note := python_note(request.to_json()):
        return f"{request.text}: {note}"
    if not is_parsed(request, net):
        return f"{request.text}: an objective made in Python; r.provenance has its data"
    return None


def _ways(rendering: Rendering) -> list[tuple[str, str]]:
    """Return the ways to make the pictures again: title and text."""
    net, pictures = rendering.net, rendering.pictures
    if net is None:
        return []
    notes = {p.request: _origin_note(p.request, net) for p in pictures}
    ways = []
    if written := [request for request, note in notes.items() if note is None]:
        ways.append(("Python", python_call(net, written)))
    if others := [note for note in notes.values() if note is not None]:
        ways.append(("Not from texts", "\n".join(dict.fromkeys(others))))
    commands: dict[str, None] = {}
    for picture in pictures:
        line = CommandLine.of_python(net, picture.request.recipe.name)
        commands[line.render(net, picture.request, picture.batch)] = None
    if shell := "\n".join(filter(None, commands)):
        ways.append(("Shell", shell))
    return ways


@to_html.register
def _of_picture(picture: Picture) -> str:
    return fill("sheet.html", title="", rows=[_tiles([picture])], notes=[], ways=[])


def _tiles(pictures: Sequence[Picture]) -> list[SheetTile]:
    images = embed([picture.to_pil() for picture in pictures])
    return [_tile(p, image) for p, image in zip(pictures, images, strict=True)]


def _tile(picture: Picture, image: EmbeddedImage) -> SheetTile:
    scores = [float(score) for score in picture.history]
    every = max(1, len(scores) // POINTS)
    shown = sorted({*range(0, len(scores), every), len(scores) - 1}) if scores else []
    curve = sparkline([(float(k), scores[k]) for k in shown])
    steps = f"{picture.steps} step{'' if picture.steps == 1 else 's'}"
    if picture.interrupted:
        steps = f"interrupted after {picture.steps} of {picture.request.recipe.steps} steps"
    facts = [f"score {picture.score:.4g}", steps]
    if picture.seed:
        facts.append(f"seed {picture.seed}")
    return SheetTile(
        image,
        picture.target,
        " · ".join(facts),
        curve,
        f"{scores[0]:.3g}" if scores else "",
        f"{scores[-1]:.3g}" if scores else "",
        term_rows(picture.term_scores, picture.alone),
    )


@to_html.register
def _of_comparison(comparison: RenderingComparison) -> str:
    pairs = comparison.pairs()[: MOST // 2]
    tiles = iter(_tiles([picture for pair in pairs for picture in pair if picture is not None]))
    rows = [[None if picture is None else next(tiles) for picture in pair] for pair in pairs]
    return fill(
        "comparison.html",
        names=[side.network["name"] for side in comparison.sides],
        rows=rows,
        differences=comparison.differences(),
        rest=len(comparison.pairs()) - len(pairs),
    )


@to_html.register
def _of_network(net: Network) -> str:
    return fill(
        "network.html",
        net=net,
        facts=_facts(net),
        rows=_indented(map_rows(net)),
        taps=len(net.taps),
    )


def _facts(net: Network) -> list[tuple[str, str, str]]:
    """Return what is known about a network: name, text, and where it is from."""
    spec, origins = net.input_spec, net.origins
    rows = _inputs(net)
    if spec is None:
        how = "preprocess" if net.medium == "image" else "range_"
        rows.append(("Range", f"not known: load it with {how}=...", ""))
    else:
        numbers = spec.describe(colours=net.medium == "image")
        rows.append(("Range", numbers, origins.get("input", spec.source)))
    if net.trained_size is not None:
        size = "x".join(map(str, net.trained_size))
        rows.append(("Made for", f"images of {size}", origins.get("size", "")))
    if net.labels:
        names = [label.split(",")[0].strip() for label in net.labels[:NAMED]]
        more = ", ..." if len(net.labels) > NAMED else ""
        text = f"{len(net.labels)}: {', '.join(names)}{more}"
        rows.append(("Labels", text, origins.get("labels", "")))
    else:
        rows.append(("Labels", "none: load it with labels=...", ""))
    if "left out" in origins:
        rows.append(("Left out", origins["left out"], ""))
    for reason in dict.fromkeys(net.left_out.values()):
        names = [name for name, other in net.left_out.items() if other == reason]
        rows.append(("Not computed", ", ".join(names[:NAMED]), reason))
    identity = net.identity
    rows.append(("Source", identity.source, f"{identity.format}, {identity.sha256[:12]}"))
    return rows


def _inputs(net: Network) -> list[tuple[str, str, str]]:
    """Return the inputs of a network: an image by its size and channels, others by their axes."""
    image = net.image_input if net.takes_images else None
    rows = []
    for port in net.program.inputs.values():
        taken = image is not None and port.name == image.port.name
        if image is not None and taken and image.medium == "image":
            sides = "x".join("any" if side is None else str(side) for side in image.size)
            size = "any size" if sides == "anyxany" else sides
            text = f"{size}, {image.channels} channel{'' if image.channels == 1 else 's'}"
        else:
            shape = [] if port.shape is None else list(port.shape)
            lengths = ", ".join("any" if length is None else str(length) for length in shape)
            text = f"{port.dtype.name} [{lengths}]"
            if image is not None and taken:
                text += f", a {image.noun}: {', '.join(image.axes)}"
        rows.append(("Input", f"{port.name}: {text}", "held" if port.name in net.data else ""))
    return rows


@to_html.register
def _of_map(network_map: Map) -> str:
    def shape_of(tap: str) -> str:
        value = network_map.flow.values.get(tap)
        return "" if value is None else _sizes(value.shape)

    return fill("map.html", rows=_indented(folded_rows(network_map, shape_of)))


def _sizes(shape: tuple[int | None, ...] | None) -> str:
    """Write a shape without the batch as positions x channels.

    >>> _sizes((None, None, 7, 64)), _sizes((None, 64)), _sizes(None)
    ('?x7 x 64', '64', '')
    """
    sizes = ["?" if size is None else str(size) for size in (shape or ())[1:]]
    return " x ".join(filter(None, ["x".join(sizes[:-1]), *sizes[-1:]]))


def _indented(rows: Sequence[tuple[str, ...]]) -> list[tuple[int, str, str, str]]:
    """Return rows of a map with the depth of each: two spaces before a label are a level."""
    return [
        ((len(label) - len(label.lstrip())) // 2, label.lstrip(), kind, shape)
        for label, kind, shape in rows
    ]


@to_html.register
def _of_taps(taps: TapTable) -> str:
    listed = list(taps.values())
    half = MOST // 2
    cut = listed if len(listed) <= MOST else [*listed[:half], *listed[-half:]]
    rows = [
        (tap.name, _sizes(tap.shape), tap.op, min((a for a in tap.aliases), key=len, default=""))
        for tap in cut
    ]
    if len(cut) < len(listed):
        rows.insert(half, (f"... {len(listed) - len(cut)} more", "", "", ""))
    return fill("taps.html", rows=rows)


@to_html.register
def _of_recipe(recipe: Recipe) -> str:
    return fill("recipe.html", name=recipe.name, rows=setting_rows(recipe.to_json()))
