"""Write the index.html of an output folder from its manifest alone."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from kerasviz import __version__
from kerasviz.io.files import write_atomically
from kerasviz.rendering.facet_records import facet_rows, read_facets, unsteered
from kerasviz.rendering.manifest import mask_file
from kerasviz.rendering.media.medium import COMPANIONS, companion_file
from kerasviz.rendering.picture_groups import group_of, in_groups, recipe_words
from kerasviz.rendering.trust_records import BY_LAYER, read_trust, trust_rows

#: Pictures narrower than this, in pixels, are enlarged without smoothing: networks of images this
#: small see single pixels. Larger ones would be mosaics.
PIXEL_ART = 33
#: The width of a column of plots, in pixels.
PLOT = 320
#: The least width of a column of pictures, in pixels, if the window is wide enough.
COLUMN = 176


@dataclass(frozen=True)
class PageTile:
    """Hold a picture and its facts for the page."""

    target: str
    file: str
    size: tuple[int, int] | None  # width, height; None for plots
    zoom: int  # factor of the enlargement without smoothing; 0 for any size, smoothed
    score: str
    seed: int
    row: str
    steps: int
    settings: int  # number of its recipe on the page
    curve: str
    first: str
    last: str
    snapshots: tuple[tuple[int, str], ...]
    command: str  # that renders it again, or ""
    functions: str  # the names of the Python functions that made it
    terms: tuple[tuple[str, str], ...]  # names of the terms of a sum, with what each scores
    facets: tuple[tuple[str, str], ...]  # what the probes of facets say of it
    trust: tuple[tuple[str, str], ...]  # numbers that say how far it can be trusted
    transparent: bool
    group: str  # the layer that it shows
    mask: str = ""  # the file of the mask of a picture that starts from a photo
    beside: tuple[tuple[str, str], ...] = ()  # endings and names of the files beside a plot

    @property
    def classes(self) -> str:
        """Return the classes of its image, for the styles of the page."""
        names = {"pixels": self.zoom, "transparent": self.transparent}
        return " ".join(name for name, holds in names.items() if holds)

    @property
    def moments(self) -> tuple[tuple[int, str], ...]:
        """The snapshots and the finished picture, by step."""
        return (*self.snapshots, (self.steps, self.file))

    @property
    def facts(self) -> str:
        """Return score, steps and seed in one line."""
        score = f"score {self.score} · " if self.score else ""
        steps = f"{self.steps} step{'' if self.steps == 1 else 's'}"
        row = f" · picture {self.row}" if self.row else ""
        row += f" · by the Python function {self.functions}" if self.functions else ""
        return f"{score}{steps} · seed {self.seed}{row}"


def write_index(
    folder: Path, manifest: dict[str, Any], commands: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Write ``index.html`` into a folder of pictures and return its path.

    ``manifest`` is that of a ``Store``; ``commands`` render pictures again, by file. The page
    contains its styles, curves and script, and needs only the picture files beside it. A page with
    the same content is not rewritten. Raises :class:`KerasvizError` if the folder cannot be
    written.
    """
    recipes: list[dict[str, Any]] = []
    noted = read_facets(folder), read_trust(folder)
    pictures = _pictures(manifest, recipes, commands, *noted)
    widest = max((p.size[0] if p.size else PLOT for p in pictures), default=128)
    named = [(str(recipe.get("name") or ""), setting_rows(recipe)) for recipe in recipes]
    page = render_page(
        "index.html",
        network=manifest["network"],
        pictures=pictures,
        groups=in_groups(pictures),
        computed=[_computed(entry) for entry in manifest.get("computed", ())],
        recipes=list(zip(recipe_words(named), (rows for _, rows in named), strict=True)),
        masks=any(tile.mask for tile in pictures),
        functions=any(tile.functions for tile in pictures),
        sums=any(tile.terms or tile.facets for tile in pictures),
        faceted=any(tile.facets for tile in pictures),
        trusted=any(tile.trust for tile in pictures),
        by_layer=BY_LAYER,
        transparent=any(tile.transparent for tile in pictures),
        balanced=any("balance" in request for request in manifest["requests"].values()),
        environments=list(manifest["environments"].values()),
        column=max(COLUMN, min(320, widest * 3 // 2)),
    )
    path = folder / "index.html"
    update(path, page.encode())
    return path


def update(path: Path, data: bytes) -> None:
    """Write a file unless it has the same content."""
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


def render_page(template: str, **values: Any) -> str:
    """Fill a template of ``templates/``; all values are escaped."""
    return _environment().get_template(template).render(version=__version__, **values)


#: The typeface of pages and of pictures with words: Aileron Regular by Sora Sagano (CC0), with the
#: letters that Pillow comes with.
TYPEFACE = Path(__file__).with_name("templates") / "aileron.ttf"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasviz.rendering", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A file name such as "-a+50%.png" as a link that every browser reads as that file.
    environment.filters["link"] = lambda name: quote(str(name), safe="/@+,=~!()")
    environment.filters["seams"] = _seams
    environment.globals["typeface"] = b64encode(TYPEFACE.read_bytes()).decode()
    return environment


def _seams(text: str) -> Markup:
    """Allow line breaks after a slash or underscore, and before a colon or at sign.

    >>> _seams("a_b/c:1")
    Markup('a_<wbr>b/<wbr>c<wbr>:1')
    """
    return Markup(re.sub(r"(?<=[/_])(?=\w)|(?=[:@]\w)", "<wbr>", str(escape(text))))


def _pictures(
    manifest: dict[str, Any],
    recipes: list[dict[str, Any]],
    commands: Mapping[str, str],
    faceted: Mapping[str, Mapping[str, Any]],
    trusted: Mapping[str, Mapping[str, Any]],
) -> list[PageTile]:
    """Return the finished pictures, grouped by target in the order of first appearance.

    Facets stand behind the picture without one. Adds the recipes to ``recipes``; ``faceted`` and
    ``trusted`` are the records of :func:`read_facets` and :func:`read_trust`.
    """
    entries, requests = manifest["pictures"], manifest["requests"]
    moments: dict[tuple[str, int], list[tuple[int, str]]] = {}
    finished: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        if entry["step"] == requests[entry["request"]]["recipe"]["steps"]:
            finished.setdefault(entry["target"], []).append(entry)
        else:
            snapshots = moments.setdefault((entry["key"], entry["row"]), [])
            snapshots.append((entry["step"], entry["file"]))
    copied = {entry["file"] for entry in manifest.get("copied", ())}
    tiles = []
    for entry in _facets_behind(finished, requests):
        request = requests[entry["request"]]
        recipe = request["recipe"]
        if recipe not in recipes:
            recipes.append(recipe)
        curve = [(float(step), float(value)) for step, value in entry["curve"]]
        height, width = recipe.get("final_size") or recipe["size"]
        beside = companions_in(entry["file"], copied)
        tiles.append(
            PageTile(
                target=entry["target"],
                file=entry["file"],
                size=None if beside else (width, height),
                zoom=COLUMN // width if width < PIXEL_ART and not beside else 0,
                score="" if entry["score"] is None else f"{entry['score']:.4g}",
                seed=request["seed"] + entry["row"],
                row=f"{entry['row'] + 1} of {request['rows']}" if request["rows"] > 1 else "",
                steps=recipe["steps"],
                settings=recipes.index(recipe) + 1,
                curve=sparkline(curve),
                first=f"{curve[0][1]:.3g}" if curve else "",
                last=f"{curve[-1][1]:.3g}" if curve else "",
                snapshots=tuple(sorted(moments.get((entry["key"], entry["row"]), []))),
                command=commands.get(entry["file"], ""),
                functions=", ".join(request.get("python", {}).get("functions", ())),
                terms=tuple(term_rows(entry.get("term_scores", {}), _alone(entry, request))),
                facets=_noted(entry, faceted, facet_rows),
                trust=_noted(entry, trusted, trust_rows),
                transparent=entry.get("transparent", False),
                group=group_of(request["objective"]),
                mask=mask if (mask := mask_file(entry["file"])) in copied else "",
                beside=beside,
            )
        )
    return tiles


def companions_in(file: str, files: Container[str]) -> tuple[tuple[str, str], ...]:
    """Return those of some files that stand beside a picture, each with its ending.

    >>> companions_in("conv-7.png", {"conv-7.png", "conv-7.csv", "conv-7.npy"})
    (('npy', 'conv-7.npy'), ('csv', 'conv-7.csv'))
    """
    named = [(suffix[1:], companion_file(file, suffix)) for suffix in COMPANIONS]
    return tuple((kind, name) for kind, name in named if name in files)


def _facets_behind(
    finished: Mapping[str, list[dict[str, Any]]], requests: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return finished pictures by target, each followed by its facets."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for text, entries in finished.items():
        base = unsteered(text, requests[entries[0]["request"]]["objective"])
        group = groups.setdefault(base, [])
        if text == base:
            group[:0] = entries
        else:
            group += entries
    return [entry for group in groups.values() for entry in group]


def _noted(
    entry: dict[str, Any],
    records: Mapping[str, Mapping[str, Any]],
    rows: Callable[[Mapping[str, Any]], list[tuple[str, str]]],
) -> tuple[tuple[str, str], ...]:
    """Return the numbers noted of a picture, none where the file has changed since."""
    record = records.get(entry["file"], {})
    return tuple(rows(record)) if record.get("sha256") == entry["sha256"] else ()


def _alone(entry: dict[str, Any], request: dict[str, Any]) -> dict[str, float]:
    """Return what each term of a balanced sum reached alone."""
    if not request.get("balance"):
        return {}
    from kerasviz.rendering.request import Request

    return Request.from_json(entry["target"], request).alone


def term_rows(scores: Mapping[str, float], alone: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the names of the terms of a sum, each with its score and what it reached alone.

    >>> term_rows({"a:1": 12.345, "b:2": 0.5}, {"a:1": 10.0})
    [('a:1', '12.35, alone 10'), ('b:2', '0.5')]
    """
    after = {name: f", alone {score:.4g}" for name, score in alone.items()}
    return [(name, f"{score:.4g}{after.get(name, '')}") for name, score in scores.items()]


#: Titles of computed pictures by kind.
_KINDS = {
    "photo": "The picture at which gradients are taken",
    "attribution": "Attribution",
    "magnitude": "The magnitude of the gradient",
    "grid": "The grid in the magnitude of the gradient",
    "colours": "The gradient with decorrelated colours",
    "l2": "The gradient",
    "linf": "The sign of the gradient",
    "decorrelated": "The direction of steepest ascent in decorrelated space",
}


def _computed(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a computed picture and its facts for the page."""
    names = [photo["name"] for photo in entry["photos"]]
    source = names[0] if len(names) == 1 else f"{len(names)} photos"
    kind = entry["made"]["kind"]
    height, width = entry["made"]["size"]
    of = "" if kind == "photo" else f", of {source}"
    facts = [f"{_KINDS.get(kind, kind)}{of}; not optimized.", entry["words"]]
    return {
        "file": entry["file"],
        "name": entry["name"],
        "size": (width, height),
        "sharp": kind == "magnitude",
        "classes": "pixels" if kind == "magnitude" else "",
        "facts": " ".join(filter(None, facts)),
    }


def sparkline(curve: Sequence[tuple[float, float]], width: int = 100, height: int = 24) -> str:
    """Return the points of a polyline for (x, y) pairs in a box ``width`` x ``height``, y upwards.

    Values that are not finite are left out; a curve of equal values is a line in the middle.

    >>> sparkline([(0, 1.0), (50, 3.0), (100, 2.0)])
    '0,24 50,0 100,12'
    """
    points = [(x, y) for x, y in curve if abs(y) < float("inf")]
    if len(points) < 2:
        return ""
    left, right = points[0][0], points[-1][0]
    low, high = min(y for _, y in points), max(y for _, y in points)

    def place(x: float, y: float) -> str:
        across = (x - left) / (right - left) * width
        up = (y - low) / (high - low) if high > low else 0.5
        return f"{across:.4g},{(1 - up) * height:.4g}"

    return " ".join(place(x, y) for x, y in points)


def setting_rows(data: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as rows of a table.

    >>> setting_rows({"size": [64, 96], "transform": {"shared": False, "steps": [{"name": "pad"}]}})
    [('size (height x width)', '64 x 96'), ('transform · shared', 'no'),
     ('transform · steps', 'name: pad')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, dict):
            rows += setting_rows(value, f"{name} · ")
        elif key == "size" and isinstance(value, list | tuple):
            rows.append((f"{name} (height x width)", " x ".join(map(str, value))))
        else:
            rows.append((name, _words(value)))
    return rows


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict) and {"name", "source", "key"} <= set(value):
        return str(value["name"])  # of a Python function, whose source the manifest has
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_words(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        joint = "; " if any(isinstance(v, dict | list | tuple) for v in value) else ", "
        return joint.join(_words(v) for v in value)
    return "none" if value is None else str(value)
