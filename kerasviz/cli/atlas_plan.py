"""The plan of an atlas as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasviz.atlas.definition import Atlas
    from kerasviz.atlas.plan import AtlasPlan, WorkerEstimate
    from kerasviz.rendering.cost import Clock


def plan_lines(
    atlas: Atlas,
    plan: AtlasPlan,
    clock: Clock,
    price: float | None,
    fine: tuple[WorkerEstimate, WorkerEstimate] | None = None,
) -> list[str]:
    """Write a table of layers, bytes, and the time by the number of workers.

    ``fine`` are workers that would end sooner with ``--fine``, without it and with it.
    """
    layers = plan.layers
    height, width = atlas.recipe.size
    rows = [("layer", "units", "pictures", "batches", "time")]
    rows += [
        (e.tap, f"{e.units:,}", f"{e.pictures:,}", f"{e.batches:,}", _time(e.seconds))
        for e in layers
    ]
    pictures = sum(each.pictures for each in layers)
    if len(layers) > 1:
        units, batches = (sum(getattr(e, name) for e in layers) for name in ("units", "batches"))
        whole = sum(each.seconds for each in layers)
        rows.append(("together", f"{units:,}", f"{pictures:,}", f"{batches:,}", _time(whole)))
    heads = (
        "engine",
        "workers",
        "machines",
        "time",
        "efficiency",
        *["price"] * (price is not None),
    )
    fleets = [heads, *(_fleet(fleet, price) for fleet in plan.estimates)]
    threads = "1 thread" if atlas.threads == 1 else f"{atlas.threads} threads"
    return [
        f"{atlas.network['name']}: {pictures:,} pictures of {width} x {height} pixels, "
        f"{atlas.recipe.steps:,} steps in {atlas.recipe.precision}",
        "",
        *table(rows),
        "",
        *table(fleets),
        *_fine(fine),
        "",
        f"Bytes: about {size_words(plan.picture_bytes)} of pictures and "
        f"{size_words(plan.entry_bytes)} of what is recorded of them.",
        f"Time: from a few steps at {' and '.join(clock.timed)}, timed now in {clock.seconds:.0f} "
        f"s; workers of {threads} as fast as this machine's.",
    ]


def _fine(fleets: tuple[WorkerEstimate, WorkerEstimate] | None) -> list[str]:
    if fleets is None:
        return []
    usual, fine = fleets
    return [
        f"With --fine, {usual.workers:,} workers take {_time(fine.seconds)}, "
        f"not {_time(usual.seconds)}."
    ]


def _fleet(fleet: WorkerEstimate, price: float | None) -> tuple[str, ...]:
    cells = (
        fleet.engine,
        f"{fleet.workers:,}",
        f"{fleet.machines:,}",
        _time(fleet.seconds),
        f"{fleet.efficiency:.0%}",
    )
    return cells if price is None else (*cells, f"{fleet.price(price):,.2f}")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows as lines: the first column aligned left, the numbers right.

    >>> table([("layer", "units"), ("stem", "32")])
    ['layer  units', 'stem      32']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def size_words(count: float) -> str:
    """Write a number of bytes for people.

    >>> size_words(999), size_words(1_234_567), size_words(2.5e10)
    ('999 B', '1.2 MB', '25 GB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.1f} {unit}" if count < 10 and unit != "B" else f"{count:.0f} {unit}"


def _time(seconds: float) -> str:
    """Write a time in seconds in a fitting unit, rounded as an estimate.

    >>> _time(0.2), _time(38), _time(840), _time(6300), _time(1e6)
    ('< 1 s', '38 s', '14 min', '1.8 h', '278 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 0.5 else "< 1 s"
    unit, per = ("min", 60) if seconds < 99.5 * 60 else ("h", 3600)
    return f"{seconds / per:,.{int(seconds / per < 9.95)}f} {unit}"
