"""What the database forgets: jobs that ended long ago. Their pictures stay in the store."""

from __future__ import annotations

import sqlite3

__all__ = ["forget"]

#: The share of jobs beyond those that are kept at which they are looked for: not at every request.
SLACK = 20


def forget(connection: sqlite3.Connection, keep: int) -> int:
    """Remove the jobs that ended first, but for the last ``keep``; returns how many.

    With them go the pictures that no other job has, which are found in the store if they are asked
    for again, and the clients who are owed nothing. A few more jobs than ``keep`` may stay.
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
