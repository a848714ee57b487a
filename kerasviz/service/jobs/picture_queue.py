"""The queue of pictures, as workers see it: claim a batch, report, finish, give back.

The order is fair between clients: the one that was served least comes next, its oldest picture
first. A batch is filled up with pictures of the same kind, client by client in turn. Everything
that a worker writes names it as the claimant, so that one whose work was given to another changes
nothing any more.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import drop_unwanted, end_finished_jobs

__all__ = ["DEATHS", "Claim", "Claimed", "Queue"]

#: So many workers may die of a picture before it is given up.
DEATHS = 3
#: The row of ``clients`` that holds the time that a client who was away starts with.
CLOCK = ""


@dataclass(frozen=True)
class Claimed:
    """A picture that a worker makes now."""

    picture_id: int
    key: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A batch of a network: pictures of one recipe and structure, ``batch`` rows with padding."""

    network: str
    batch: int
    pictures: tuple[Claimed, ...]


class Queue:
    """The queue, as the worker ``claimant`` sees it."""

    def __init__(self, database: Database, worker_id: str, clock: Any = time.time):
        self.database, self.worker_id, self.clock = database, worker_id, clock

    def claim(self) -> Claim | None:
        """The next batch, ``None`` if nothing waits."""
        with self.database.writing() as connection:
            order = _clients(connection)
            if not order:
                return None
            first = connection.execute(
                "SELECT * FROM pictures WHERE state = 'waiting' AND client = ?"
                " ORDER BY asked, place LIMIT 1",
                (order[0],),
            ).fetchone()
            chosen = [first] if first["deaths"] else _filled(connection, first, order)
            places = [row["place"] for row in chosen]
            connection.executemany(
                "UPDATE pictures SET state = 'running', claimant = ?, step = 0, preview = 0,"
                " score = NULL WHERE place = ?",
                [(self.worker_id, place) for place in places],
            )
            _charge(connection, chosen)
            end_finished_jobs(connection, _jobs_of(connection, places), self.clock())
        return Claim(
            network=first["network"],
            batch=first["batch"],
            pictures=tuple(
                Claimed(row["place"], row["key"], row["text"], json.loads(row["data"]))
                for row in chosen
            ),
        )

    def report(self, places: Sequence[int], step: int, score: float, *, shown: bool) -> None:
        """Say how far a batch is; ``shown`` if its intermediate pictures were written."""
        with self.database.writing() as connection:
            connection.executemany(
                "UPDATE pictures SET step = ?, score = ?,"
                " preview = CASE WHEN ? THEN ? ELSE preview END"
                " WHERE place = ? AND claimant = ? AND state = 'running'",
                [(step, score, shown, step, place, self.worker_id) for place in places],
            )

    def wanted(self, places: Sequence[int]) -> bool:
        """Whether a job wants any of these pictures, and they are still this worker's."""
        marks = ",".join("?" * len(places))
        found = self.database.connection.execute(
            f"SELECT 1 FROM pictures p JOIN members m ON m.picture = p.place"
            f" JOIN jobs j ON j.number = m.job WHERE p.place IN ({marks})"
            " AND p.state = 'running' AND p.claimant = ? AND j.state IN ('accepted', 'running')"
            " LIMIT 1",
            (*places, self.worker_id),
        ).fetchone()
        return found is not None

    def finish(self, place: int, made: Sequence[dict[str, Any]]) -> bool:
        """Note the files of a finished picture; whether it was still this worker's."""
        return self._end(place, "done", json.dumps(list(made)), None)

    def fail(self, place: int, error: str) -> bool:
        """Note why a picture cannot be made."""
        return self._end(place, "failed", None, error)

    def _end(self, place: int, state: str, made: str | None, error: str | None) -> bool:
        with self.database.writing() as connection:
            changed = connection.execute(
                "UPDATE pictures SET state = ?, made = ?, error = ?, claimant = NULL"
                " WHERE place = ? AND claimant = ? AND state = 'running'",
                (state, made, error, place, self.worker_id),
            ).rowcount
            end_finished_jobs(connection, _jobs_of(connection, [place]), self.clock())
        return bool(changed)

    def give_back(self, *, died: bool = False) -> int:
        """Queue again what this worker held; ``died`` counts against the pictures."""
        with self.database.writing() as connection:
            return give_back(connection, "claimant = ?", (self.worker_id,), died, self.clock())

    def give_back_all(self) -> int:
        """Queue again what the workers of an earlier service held: none of them lives."""
        with self.database.writing() as connection:
            return give_back(connection, "TRUE", (), False, self.clock())


def give_back(
    connection: sqlite3.Connection,
    which: str,
    words: tuple[Any, ...],
    died: bool,
    now: float,
) -> int:
    """Queue running pictures again; those of which too many workers died have failed."""
    held = connection.execute(
        f"SELECT place, deaths FROM pictures WHERE state = 'running' AND {which}", words
    ).fetchall()
    for row in held:
        deaths = row["deaths"] + died
        lost = deaths >= DEATHS
        connection.execute(
            "UPDATE pictures SET state = ?, claimant = NULL, deaths = ?, step = 0, error = ?"
            " WHERE place = ?",
            (
                "failed" if lost else "waiting",
                deaths,
                f"{deaths} workers ended while they made it (out of memory?)" if lost else None,
                row["place"],
            ),
        )
    drop_unwanted(connection)
    end_finished_jobs(connection, _jobs_of(connection, [row["place"] for row in held]), now)
    return len(held)


def _clients(connection: sqlite3.Connection) -> list[str]:
    """The clients with pictures that wait, the one that was served least first."""
    rows = connection.execute(
        "SELECT p.client AS name, MIN(p.asked) AS asked,"
        " MAX(COALESCE(c.served, 0), COALESCE((SELECT served FROM clients WHERE name = ?), 0))"
        " AS served FROM pictures p LEFT JOIN clients c ON c.name = p.client"
        " WHERE p.state = 'waiting' GROUP BY p.client ORDER BY served, asked",
        (CLOCK,),
    ).fetchall()
    return [str(row["name"]) for row in rows]


def _filled(
    connection: sqlite3.Connection, first: sqlite3.Row, order: Sequence[str]
) -> list[sqlite3.Row]:
    """A batch around a picture: others of its kind, client by client in turn."""
    rows = connection.execute(
        "SELECT * FROM pictures WHERE state = 'waiting' AND batchable = ? AND network = ?"
        " AND deaths = 0 ORDER BY asked, place LIMIT ?",
        (first["batchable"], first["network"], 64 * first["batch"]),
    ).fetchall()
    own = {name: [r for r in rows if r["client"] == name] for name in order}
    turns = [row for row in chain(*zip_longest(*own.values())) if row is not None]
    turns.sort(key=lambda row: row["place"] != first["place"])  # stable: it comes first
    chosen: list[sqlite3.Row] = []
    for row in turns:
        if sum(r["rows"] for r in chosen) + row["rows"] <= first["batch"]:
            chosen.append(row)
    return chosen or [first]


def _charge(connection: sqlite3.Connection, chosen: Sequence[sqlite3.Row]) -> None:
    """Add what pictures cost to what their clients were served.

    A client that was away starts with what the present one had: nobody saves up for later.
    """
    clock = connection.execute("SELECT served FROM clients WHERE name = ?", (CLOCK,)).fetchone()
    start = 0.0 if clock is None else float(clock[0])
    for k, row in enumerate(chosen):
        found = connection.execute(
            "SELECT served FROM clients WHERE name = ?", (row["client"],)
        ).fetchone()
        served = max(start, 0.0 if found is None else float(found[0]))
        pairs = [(row["client"], served + row["cost"])]
        if k == 0:
            pairs.append((CLOCK, served))
        connection.executemany(
            "INSERT INTO clients VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET"
            " served = excluded.served",
            pairs,
        )


def _jobs_of(connection: sqlite3.Connection, places: Sequence[int]) -> list[int]:
    marks = ",".join("?" * len(places))
    rows = connection.execute(
        f"SELECT DISTINCT job FROM members WHERE picture IN ({marks})", tuple(places)
    ).fetchall()
    return [int(row[0]) for row in rows]
