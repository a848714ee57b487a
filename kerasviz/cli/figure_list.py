"""The list of ``kerasviz figures``: what each figure needs, and which cannot be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from kerasviz.cli.taps import aligned

if TYPE_CHECKING:
    from kerasviz.figures.layout.context import FigureOptions
    from kerasviz.figures.layout.tiles import FigureLayout
    from kerasviz.network.network import Network
    from kerasviz.rendering.batching import Batch
    from kerasviz.rendering.cost import Clock

#: Columns of a line of the table.
WIDTH = 100
#: Steps of all rows of all batches above which a few are timed first.
LONG = 20_000


def minutes(seconds: float) -> str:
    """Write a time in seconds for people.

    >>> minutes(20), minutes(70), minutes(1500), minutes(9000)
    ('less than a minute', 'about a minute', 'about 25 minutes', 'about 2.5 hours')
    """
    if seconds < 45:
        return "less than a minute"
    if seconds < 90:
        return "about a minute"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def announcement(
    net: Network,
) -> Callable[[Sequence[Batch], Mapping[str, str]], None]:
    """Make a function that announces the number of pictures and their time."""

    def begin(plans: Sequence[Batch], failed: Mapping[str, str]) -> None:
        from kerasviz.rendering.cost import Clock, pictures_of

        for line in lines_of_failures(failed):
            click.echo(line, err=True)
        if not plans:
            return
        count = pictures_of(plans)
        words = f"rendering {count} picture{'' if count == 1 else 's'}"
        if sum(plan.batch * plan.recipe.steps for plan in plans) >= LONG:
            words += f", {minutes(Clock.of(net, plans).estimate(plans))}"
        click.echo(words, err=True)

    return begin


def lines_of_failures(failed: Mapping[str, str]) -> list[str]:
    """Write a line for each figure that cannot be made."""
    return [f"kerasviz: {slug}: {' '.join(why.split())}" for slug, why in failed.items()]


def figure_lines(options: FigureOptions, slugs: Sequence[str], timed: bool) -> list[str]:
    """Write a table of what figures need for a network, with minutes if ``timed``."""
    from kerasviz.figures import FIGURES
    from kerasviz.figures.layout.build import choose_all
    from kerasviz.rendering.batching import make_batches
    from kerasviz.rendering.cost import Clock, pictures_of
    from kerasviz.rendering.store import unique_requests

    layouts, failed = choose_all([FIGURES[slug] for slug in slugs], options)
    needed = {layout.figure.slug: layout for layout in layouts}
    plans = {slug: make_batches(options.net, layout.requests) for slug, layout in needed.items()}
    requests = unique_requests(options.net, [r for layout in layouts for r in layout.requests])
    together = make_batches(options.net, requests)
    clock = Clock.of(options.net, together) if timed and together else None
    rows = [_header(clock)]
    for slug in slugs:
        cells = ("-", *["-"] * (clock is not None), "")
        if slug in needed:
            count = str(pictures_of(plans[slug]))
            cells = (count, *_minutes(clock, plans[slug]), _wants(needed[slug]))
        rows.append((slug, *cells, FIGURES[slug].title))
    if len(slugs) > 1:
        rows.append(("together", str(pictures_of(together)), *_minutes(clock, together), "", ""))
    notes = [*_notes(options, clock), *_other_articles(slugs)]
    return [*_cut(_right(rows)), "", *notes, *lines_of_failures(failed)]


def _other_articles(slugs: Sequence[str]) -> list[str]:
    """Name the articles of which no figure is listed."""
    from kerasviz.figures.catalogue.articles import ARTICLES

    others = [
        f"{name} ({len(article.figures)})"
        for name, article in ARTICLES.items()
        if not any(slug in article.figures for slug in slugs)
    ]
    return [f"Other articles, --article NAME: {', '.join(others)}."] if others else []


def _header(clock: Clock | None) -> tuple[str, ...]:
    return ("figure", "pictures", *["minutes"] * (clock is not None), "can use", "title")


def _minutes(clock: Clock | None, plans: Sequence[Batch]) -> tuple[str, ...]:
    if clock is None:
        return ()
    if not plans:
        return ("0",)
    whole = clock.estimate(plans) / 60
    return (f"{whole:.0f}" if whole >= 1 else "< 1",)


def _wants(layout: FigureLayout) -> str:
    """Return the options that give a figure more to show."""
    from kerasviz.figures.layout.tiles import ExamplesTile

    places = [place for block in layout.blocks for place in block.places]
    examples = layout.lacks_examples or any(isinstance(p, ExamplesTile) for p in places)
    if any(made.photos for made in layout.computed):
        return "--photos"
    return "--examples" if examples and not layout.figure.seeds else ""


def _right(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Align the numbers of rows at the right of their columns."""
    numbers = len(rows[0]) - 3
    widths = [max(len(row[i]) for row in rows) for i in range(1, 1 + numbers)]
    return [
        (
            row[0],
            *(c.rjust(w) for c, w in zip(row[1 : 1 + numbers], widths, strict=True)),
            *row[-2:],
        )
        for row in rows
    ]


def _cut(rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in aligned(rows)]


def _notes(options: FigureOptions, clock: Clock | None) -> list[str]:
    """Return notes on how the table was made."""
    height, width = options.recipe.size
    steps = f"{options.recipe.steps} steps of {width} x {height} pixels for most pictures"
    shared = "Pictures that figures share are counted once in the last line."
    if clock is None:
        return [
            f"For the article's network, {steps}.",
            shared,
            "Add --model NAME for another network, and for the minutes on this machine.",
        ]
    places = " and ".join(clock.timed)
    return [
        f"For {options.net.name}, {steps}.",
        shared,
        f"Minutes: estimated from a few steps at {places}, timed now in {clock.seconds:.0f} s.",
    ]
