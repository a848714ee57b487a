"""The queue of pictures for workers: claim a batch, report, finish, give back.

The order is fair between clients: the least served one comes next, with its oldest picture. A batch
is filled with pictures of the same kind, client by client in turn. All updates are conditional on
the worker's claim, so that a worker whose pictures were given to another changes nothing.
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

#: Workers that may end during a picture before it fails.
DEATHS = 3
#: The row of ``clients`` with the service that a returning client starts from.
CLOCK = ""


@dataclass(frozen=True)
class Claimed:
    """A picture that a worker renders now."""

    picture_id: int
    key: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A batch of a network: pictures of one recipe and structure; ``batch`` rows with padding."""

    network: str
    batch: int
    pictures: tuple[Claimed, ...]


class Queue:
    """The queue as the worker ``worker_id`` uses it."""

    def __init__(self, database: Database, worker_id: str, clock: Any = time.time):
        self.database, self.worker_id, self.clock = database, worker_id, clock

    def claim(self, without: str = "") -> Claim | None:
        """Claim the next batch; ``None`` if nothing waits. Pictures of a text can be left out."""
        with self.database.writing() as connection:
            order = _clients(connection, without)
            if not order:
                return None
            first = connection.execute(
                "SELECT * FROM pictures WHERE state = 'waiting' AND client = ?"
                " AND text != ? ORDER BY asked, place LIMIT 1",
                (order[0], without),
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

    def report(self, places: Sequence[int], step: int, score: float | None, *, shown: bool) -> None:
        """Report the progress of a batch; ``shown`` if its previews were written."""
        with self.database.writing() as connection:
            connection.executemany(
                "UPDATE pictures SET step = ?, score = ?,"
                " preview = CASE WHEN ? THEN ? ELSE preview END"
                " WHERE place = ? AND claimant = ? AND state = 'running'",
                [(step, score, shown, step, place, self.worker_id) for place in places],
            )

    def wanted(self, places: Sequence[int]) -> bool:
        """Tell whether a job still wants any of these pictures from this worker."""
        marks = ",".join("?" * len(places))
        row = self.database.connection.execute(
            f"SELECT 1 FROM pictures p JOIN members m ON m.picture = p.place"
            f" JOIN jobs j ON j.number = m.job WHERE p.place IN ({marks})"
            " AND p.state = 'running' AND p.claimant = ? AND j.state IN ('accepted', 'running')"
            " LIMIT 1",
            (*places, self.worker_id),
        ).fetchone()
        return row is not None

    def beside(self, places: Sequence[int]) -> list[Claimed]:
        """Return the pictures of all jobs that have one of these pictures."""
        marks = ",".join("?" * len(places))
        rows = self.database.connection.execute(
            "SELECT DISTINCT p.place, p.key, p.text, p.data FROM members m"
            " JOIN members n ON n.job = m.job JOIN pictures p ON p.place = n.picture"
            f" WHERE m.picture IN ({marks}) ORDER BY p.place",
            tuple(places),
        ).fetchall()
        return [
            Claimed(row["place"], row["key"], row["text"], json.loads(row["data"])) for row in rows
        ]

    def finish(self, place: int, made: Sequence[dict[str, Any]]) -> bool:
        """Record the files of a picture, and return whether it was still this worker's."""
        return self._end(place, "done", json.dumps(list(made)), None)

    def fail(self, place: int, error: str) -> bool:
        """Record why a picture cannot be rendered."""
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

    def give_back(self, places: Sequence[int] | None = None, *, died: bool = False) -> int:
        """Queue this worker's pictures again, or some of them; ``died`` counts against them."""
        which, values = "claimant = ?", (self.worker_id,)
        with self.database.writing() as connection:
            if places is not None:
                which += f" AND place IN ({','.join(str(int(place)) for place in places)})"
            return give_back(connection, which, values, died, self.clock())

    def give_back_all(self) -> int:
        """Queue the pictures of an earlier service's workers again."""
        with self.database.writing() as connection:
            return give_back(connection, "TRUE", (), False, self.clock())


def give_back(
    connection: sqlite3.Connection,
    which: str,
    values: tuple[Any, ...],
    died: bool,
    now: float,
) -> int:
    """Queue running pictures again, or fail those during which too many workers ended."""
    held = connection.execute(
        f"SELECT place, deaths FROM pictures WHERE state = 'running' AND {which}", values
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


def _clients(connection: sqlite3.Connection, without: str) -> list[str]:
    """List the clients with waiting pictures, the least served one first."""
    rows = connection.execute(
        "SELECT p.client AS name, MIN(p.asked) AS asked,"
        " MAX(COALESCE(c.served, 0), COALESCE((SELECT served FROM clients WHERE name = ?), 0))"
        " AS served FROM pictures p LEFT JOIN clients c ON c.name = p.client"
        " WHERE p.state = 'waiting' AND p.text != ? GROUP BY p.client ORDER BY served, asked",
        (CLOCK, without),
    ).fetchall()
    return [str(row["name"]) for row in rows]


def _filled(
    connection: sqlite3.Connection, first: sqlite3.Row, order: Sequence[str]
) -> list[sqlite3.Row]:
    """Fill a batch with pictures of the same kind, client by client in turn."""
    rows = connection.execute(
        "SELECT * FROM pictures WHERE state = 'waiting' AND batchable = ? AND network = ?"
        " AND deaths = 0 ORDER BY asked, place LIMIT ?",
        (first["batchable"], first["network"], 64 * first["batch"]),
    ).fetchall()
    by_client = {name: [r for r in rows if r["client"] == name] for name in order}
    turns = [row for row in chain(*zip_longest(*by_client.values())) if row is not None]
    turns.sort(key=lambda row: row["place"] != first["place"])  # stable: it comes first
    chosen: list[sqlite3.Row] = []
    for row in turns:
        if sum(r["rows"] for r in chosen) + row["rows"] <= first["batch"]:
            chosen.append(row)
    return chosen or [first]


def _charge(connection: sqlite3.Connection, chosen: Sequence[sqlite3.Row]) -> None:
    """Add the cost of pictures to the service that their clients have received.

    A returning client starts from the present client's value: absence earns no credit.
    """
    clock = connection.execute("SELECT served FROM clients WHERE name = ?", (CLOCK,)).fetchone()
    start = 0.0 if clock is None else float(clock[0])
    for k, row in enumerate(chosen):
        known = connection.execute(
            "SELECT served FROM clients WHERE name = ?", (row["client"],)
        ).fetchone()
        served = max(start, 0.0 if known is None else float(known[0]))
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
