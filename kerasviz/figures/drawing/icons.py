"""The icons of the figure ``objectives``, as shapes that are drawn in a PNG and in SVG."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

#: Width and height of an icon.
ICON_SIZE = (120, 84)
#: The colour of what is optimized (the article's), and of the rest: readable on white and black.
ORANGE, GREY = "#f5a623", "#8a8a90"


@dataclass(frozen=True)
class Shape:
    """Describe a ``polygon``, ``line``, ``circle`` or ``text``; ``opacity`` is that of ``fill``.

    A circle has its centre as its only point; ``radius`` is the height of the letters of a text.
    """

    kind: str
    points: tuple[tuple[float, float], ...]
    fill: str = ""
    opacity: float = 1.0
    stroke: str = GREY
    width: float = 1.0
    radius: float = 0.0
    text: str = ""

    def rgba(self) -> tuple[int, int, int, int] | None:
        """Return the colour of the fill, if there is one."""
        if not self.fill:
            return None
        red, green, blue = (int(self.fill[i : i + 2], 16) for i in (1, 3, 5))
        return red, green, blue, round(255 * self.opacity)


def icon(kind: str) -> tuple[Shape, ...]:
    """Make the icon of an objective: neuron, channel, layer, logit or probability."""
    if kind in ("logit", "probability"):
        return _classifier(kind)
    return _layer(kind)


def _layer(kind: str) -> tuple[Shape, ...]:
    """Make three planes, one for each channel; what is optimized is orange."""
    shapes = []
    for depth in (2, 1, 0):  # the plane in front is drawn last
        x, y = 14 + 24 * depth, 25 - 9 * depth
        marked = kind == "layer" or (kind == "channel" and depth == 1)
        fill, opacity = (ORANGE, 0.75) if marked else (GREY, 0.22)
        shapes.append(Shape("polygon", _patch(x, y, 0, 1), fill, opacity))
    if kind == "neuron":
        shapes.append(Shape("polygon", _patch(14, 25, 0.16, 0.4), ORANGE, 1.0, ORANGE))
    return tuple(shapes)


def _patch(x: float, y: float, low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Return the corners of a part, ``low`` to ``high`` (0 to 1), of a slanted plane."""
    corners = ((low, low), (high, low), (high, high), (low, high))
    return tuple((x + 44 * u, y + 9 * (1 - u) + 44 * v) for u, v in corners)


def _classifier(kind: str) -> tuple[Shape, ...]:
    """Make inputs, class scores, a softmax and probabilities; the optimized node is orange."""
    inputs = [(8.0, 12.0 + 20 * i) for i in range(4)]
    scores = [(40.0, 22.0 + 20 * i) for i in range(3)]
    outputs = [(112.0, y) for _, y in scores]
    lines = [Shape("line", (a, b), width=0.6) for a in inputs for b in scores]
    lines += [Shape("line", (s, (55, s[1])), width=0.6) for s in scores]
    lines += [Shape("line", ((97, o[1]), o), width=0.6) for o in outputs]
    box = Shape("polygon", ((55, 10), (97, 10), (97, 74), (55, 74)), GREY, 0.15)
    word = Shape("text", ((76, 42),), text="softmax", radius=10)
    marked = scores[1] if kind == "logit" else outputs[1]
    nodes = [
        Shape("circle", (node,), ORANGE if node == marked else "#c9c9ce", radius=5)
        for node in (*inputs, *scores, *outputs)
    ]
    return (*lines, box, word, *nodes)


def arrow(length: float) -> tuple[Shape, ...]:
    """Make an arrow to the right along y = 0."""
    head = ((length - 6, -5), (length, 0), (length - 6, 5))
    shaft = Shape("line", ((0, 0), (length, 0)), width=1.5)
    return (shaft, Shape("line", head[:2], width=1.5), Shape("line", head[1:], width=1.5))


def svg(shapes: tuple[Shape, ...], title: str) -> Markup:
    """Write shapes as an SVG element for a page.

    >>> "polygon" in svg(icon("neuron"), "Neuron")
    True
    """
    parts = [_element(shape) for shape in shapes]
    width, height = ICON_SIZE
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _element(shape: Shape) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
    paint = f'fill="{shape.fill or "none"}" fill-opacity="{shape.opacity:g}" '
    paint += f'stroke="{shape.stroke}" stroke-width="{shape.width:g}"'
    x, y = shape.points[0]
    if shape.kind == "circle":
        return f'<circle cx="{x:g}" cy="{y:g}" r="{shape.radius:g}" {paint}/>'
    if shape.kind == "text":
        return (
            f'<text x="{x:g}" y="{y:g}" fill="{shape.stroke}" font-size="{shape.radius:g}" '
            f'text-anchor="middle" dominant-baseline="central">{escape(shape.text)}</text>'
        )
    return f'<{"polygon" if shape.kind == "polygon" else "polyline"} points="{points}" {paint}/>'
