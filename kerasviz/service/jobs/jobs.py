"""Jobs: accepted requests, their progress and their results.

A job wants pictures; a picture that several jobs want is rendered once. Both are rows of a
``Database``, so that they outlive the process. A picture is waiting, running, done, failed or
cancelled; a job is accepted, running, done, failed or cancelled.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kerasviz.errors import KerasvizError
from kerasviz.service.jobs.database import Database

LIVE = ("accepted", "running")
ENDED = ("done", "failed", "cancelled")


class DiskFullError(KerasvizError):
    """The data folder has reached its limit, or the disk is full."""


class QueueFullError(KerasvizError):
    """The queue is full; ``retry_after`` are the seconds to wait before the next attempt."""

    def __init__(self, line: str, retry_after: int):
        super().__init__(line)
        self.retry_after = retry_after


@dataclass(frozen=True)
class PictureRequest:
    """A picture that a job requests.

    ``key`` identifies it within its network. Pictures with the same ``batchable`` fit into one
    batch of ``batch`` rows, of which it takes ``rows``. ``data`` is the request as JSON; ``cost``
    has no unit and only serves comparison.
    """

    key: str
    text: str
    data: str
    batchable: str
    rows: int
    batch: int
    steps: int
    cost: float


@dataclass(frozen=True)
class JobPicture:
    """A picture of a job with its progress and, when it is done, its files.

    ``preview`` is the step of the latest preview, 0 if there is none; ``made`` has ``row``,
    ``file``, ``sha256`` and ``score`` of each row.
    """

    picture_id: int
    key: str
    text: str
    rows: int
    state: str
    step: int
    steps: int
    preview: int
    score: float | None
    made: tuple[dict[str, Any], ...]
    error: str | None


@dataclass(frozen=True)
class RenderJob:
    """A job at one moment; ``position`` counts the pictures ahead of it in the queue."""

    id: str
    network: str
    client: str
    request: dict[str, Any]
    state: str
    created: float
    ended: float | None
    ends: int
    error: str | None
    pictures: tuple[JobPicture, ...]
    position: int | None

    @property
    def step(self) -> int:
        """Steps taken so far, over all pictures."""
        return sum(p.steps if p.state == "done" else p.step for p in self.pictures)

    @property
    def steps(self) -> int:
        """Steps of all pictures."""
        return sum(p.steps for p in self.pictures)


class Jobs:
    """The jobs of a service; at most ``queued`` pictures wait, and ``kept`` ended jobs stay."""

    def __init__(
        self,
        database: Database,
        queued: int = 2000,
        clock: Any = time.time,
        kept: int = 10_000,
    ):
        self.database, self.queued, self.clock, self.kept = database, queued, clock, kept

    # -- writing -----------------------------------------------------------------------------

    def accept(
        self,
        job: str,
        network: str,
        client: str,
        request: dict[str, Any],
        pictures: Sequence[PictureRequest],
        exists: Callable[[dict[str, Any]], bool] = lambda made: True,
    ) -> bool:
        """Accept a job, whose name depends on its pictures, and return whether it is new.

        A known job stays as it is unless it failed, was cancelled, or lost a file: ``exists`` tells
        of an entry of ``made`` whether its file exists. Raises :class:`QueueFullError`.
        """
        now = self.clock()
        with self.database.writing() as connection:
            existing = connection.execute(
                "SELECT number, state FROM jobs WHERE id = ?", (job,)
            ).fetchone()
            if existing is not None and existing["state"] in LIVE:
                return False
            known = {asked.key: _known(connection, network, asked.key) for asked in pictures}
            kept = {key for key, row in known.items() if _usable(row, exists)}
            if existing is not None and existing["state"] == "done" and len(kept) == len(known):
                return False
            new = {a.key: a for a in pictures if a.key not in kept}
            self._check_room(connection, client, sum(a.rows for a in new.values()))
            for asked in new.values():
                _ask(connection, network, client, asked, now)
            number = _write_job(connection, (job, network, client, json.dumps(request), now))
            connection.execute("DELETE FROM members WHERE job = ?", (number,))
            connection.executemany(
                "INSERT INTO members SELECT ?, ?, place, ? FROM pictures"
                " WHERE network = ? AND key = ?",
                [(number, k, a.text, network, a.key) for k, a in enumerate(pictures)],
            )
            end_finished_jobs(connection, [number], now)
            forget(connection, self.kept)
        return True

    def _check_room(self, connection: sqlite3.Connection, client: str, rows: int) -> None:
        """Check that a client leaves a quarter of the queue to the others."""
        taken = dict(
            connection.execute(
                "SELECT client, SUM(rows) FROM pictures WHERE state IN ('waiting', 'running')"
                " GROUP BY client"
            ).fetchall()
        )
        total, of_client = sum(taken.values()), taken.get(client, 0)
        if total + rows > self.queued or of_client + rows > self.queued - self.queued // 4:
            raise QueueFullError(
                f"the queue is full ({total} of {self.queued} pictures wait); try again later",
                max(1, min(60, total // 10)),
            )

    def cancel(self, job: str) -> bool:
        """Cancel a job that has not ended; pictures of other jobs are still rendered."""
        with self.database.writing() as connection:
            changed = connection.execute(
                "UPDATE jobs SET state = 'cancelled', ended = ?, ends = ends + 1"
                " WHERE id = ? AND state IN ('accepted', 'running')",
                (self.clock(), job),
            ).rowcount
            if changed:
                drop_unwanted(connection)
        return bool(changed)

    # -- reading -----------------------------------------------------------------------------

    def get(self, job: str) -> RenderJob | None:
        """Return the job with a name."""
        with self.database.reading() as connection:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
            return None if row is None else _job(connection, row)

    def list(self, state: str | None = None, limit: int = 50) -> list[RenderJob]:
        """List the last jobs, newest first, optionally of one state."""
        where, values = ("WHERE state = ?", (state,)) if state else ("", ())
        with self.database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM jobs {where} ORDER BY created DESC, number DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
            return [_job(connection, row) for row in rows]

    def live_keys(self) -> set[str]:
        """Return the keys of the pictures that wait or run."""
        rows = self.database.connection.execute(
            "SELECT key FROM pictures WHERE state IN ('waiting', 'running')"
        ).fetchall()
        return {str(row[0]) for row in rows}

    def counts(self) -> dict[str, dict[str, int]]:
        """Count jobs and pictures by state."""
        counts = {}
        for table in ("jobs", "pictures"):
            rows = self.database.connection.execute(
                f"SELECT state, COUNT(*) FROM {table} GROUP BY state"
            ).fetchall()
            counts[table] = {str(state): int(count) for state, count in rows}
        return counts


def _known(connection: sqlite3.Connection, network: str, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT place, state, made FROM pictures WHERE network = ? AND key = ?", (network, key)
    ).fetchone()
    return row


def _usable(row: sqlite3.Row | None, exists: Callable[[dict[str, Any]], bool]) -> bool:
    """Tell whether a picture need not be queued again."""
    if row is None or row["state"] in ("failed", "cancelled"):
        return False
    return row["state"] != "done" or all(exists(made) for made in json.loads(row["made"]))


def _ask(
    connection: sqlite3.Connection, network: str, client: str, asked: PictureRequest, now: float
) -> None:
    connection.execute(
        "INSERT INTO pictures (network, key, client, batchable, rows, batch, cost, text, data,"
        " asked, state, steps) VALUES (:network, :key, :client, :batchable, :rows, :batch, :cost,"
        " :text, :data, :asked, 'waiting', :steps)"
        " ON CONFLICT (network, key) DO UPDATE SET client = excluded.client,"
        " asked = excluded.asked, state = 'waiting', claimant = NULL, deaths = 0, step = 0,"
        " preview = 0, score = NULL, made = NULL, error = NULL",
        {**asdict(asked), "network": network, "client": client, "asked": now},
    )


def _write_job(connection: sqlite3.Connection, values: tuple[Any, ...]) -> int:
    row = connection.execute(
        "INSERT INTO jobs (id, network, client, request, state, created)"
        " VALUES (?, ?, ?, ?, 'accepted', ?) ON CONFLICT (id) DO UPDATE SET"
        " client = excluded.client, state = 'accepted', created = excluded.created,"
        " ended = NULL, error = NULL RETURNING number",
        values,
    ).fetchone()
    return int(row[0])


def end_finished_jobs(connection: sqlite3.Connection, jobs: Iterable[int], now: float) -> None:
    """Update the states of jobs from those of their pictures; a job ends only once."""
    for job in jobs:
        rows = connection.execute(
            "SELECT p.state, p.error FROM members m JOIN pictures p ON p.place = m.picture"
            " WHERE m.job = ?",
            (job,),
        ).fetchall()
        states = [row["state"] for row in rows]
        if any(state in ("waiting", "running") for state in states):
            started = any(state != "waiting" for state in states)
            connection.execute(
                "UPDATE jobs SET state = ? WHERE number = ? AND state IN ('accepted', 'running')",
                ("running" if started else "accepted", job),
            )
            continue
        error = next((row["error"] for row in rows if row["state"] != "done"), None)
        good = all(state == "done" for state in states)
        connection.execute(
            "UPDATE jobs SET state = ?, ended = ?, ends = ends + 1, error = ?"
            " WHERE number = ? AND state IN ('accepted', 'running')",
            ("done" if good else "failed", now, error, job),
        )


def drop_unwanted(connection: sqlite3.Connection) -> None:
    """Cancel the waiting pictures that no live job wants."""
    connection.execute(
        "UPDATE pictures SET state = 'cancelled' WHERE state = 'waiting' AND NOT EXISTS ("
        "SELECT 1 FROM members m JOIN jobs j ON j.number = m.job"
        " WHERE m.picture = pictures.place AND j.state IN ('accepted', 'running'))"
    )


def _job(connection: sqlite3.Connection, row: sqlite3.Row) -> RenderJob:
    pictures = connection.execute(
        "SELECT p.*, m.text AS words FROM members m JOIN pictures p ON p.place = m.picture"
        " WHERE m.job = ? ORDER BY m.position",
        (row["number"],),
    ).fetchall()
    position = None
    if row["state"] == "accepted":
        first = min(p["asked"] for p in pictures)
        position = connection.execute(
            "SELECT COUNT(*) FROM pictures WHERE state = 'waiting' AND asked < ?", (first,)
        ).fetchone()[0]
    columns = ("id", "network", "client", "state", "created", "ended", "ends", "error")
    return RenderJob(
        **{column: row[column] for column in columns},
        request=json.loads(row["request"]),
        pictures=tuple(_job_picture(p) for p in pictures),
        position=position,
    )


def _job_picture(row: sqlite3.Row) -> JobPicture:
    columns = ("key", "rows", "state", "step", "steps", "score", "error")
    return JobPicture(
        **{column: row[column] for column in columns},
        picture_id=row["place"],
        text=row["words"],
        preview=row["preview"] if row["state"] == "running" else 0,
        made=tuple(json.loads(row["made"])) if row["made"] else (),
    )


#: Old jobs are removed once 1/20 more than allowed have ended, not at every request.
SLACK = 20


def forget(connection: sqlite3.Connection, keep: int) -> int:
    """Remove all but the last ``keep`` ended jobs, and return how many.

    Pictures that no other job has and clients without jobs go too; the store keeps the files. A few
    more jobs than ``keep`` may stay.
    """
    ended = connection.execute(
        "SELECT COUNT(*) FROM jobs WHERE state IN ('done', 'failed', 'cancelled')"
    ).fetchone()[0]
    if ended <= keep + keep // SLACK:
        return 0
    old = connection.execute(
        "SELECT number FROM jobs WHERE state IN ('done', 'failed', 'cancelled')"
        " ORDER BY ended DESC, number DESC LIMIT -1 OFFSET ?",
        (keep,),
    ).fetchall()
    numbers = [(row[0],) for row in old]
    connection.executemany("DELETE FROM members WHERE job = ?", numbers)
    connection.executemany("DELETE FROM jobs WHERE number = ?", numbers)
    connection.execute(
        "DELETE FROM pictures WHERE state IN ('done', 'failed', 'cancelled') AND NOT EXISTS"
        " (SELECT 1 FROM members WHERE picture = pictures.place)"
    )
    connection.execute(
        "DELETE FROM clients WHERE name != '' AND name NOT IN (SELECT client FROM jobs)"
    )
    return len(numbers)
