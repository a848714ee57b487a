"""The file of the jobs: SQLite in WAL mode, a connection for each thread, short transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasviz.errors import KerasvizError

__all__ = ["Database"]

VERSION = 1
#: Seconds to wait for the transaction of another process.
PATIENCE = 30.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  network TEXT NOT NULL,
  client TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL,
  created REAL NOT NULL,
  ended REAL,
  ends INTEGER NOT NULL DEFAULT 0,
  error TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number);
CREATE TABLE IF NOT EXISTS pictures (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  network TEXT NOT NULL,
  key TEXT NOT NULL,
  client TEXT NOT NULL,
  batchable TEXT NOT NULL,
  rows INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  cost REAL NOT NULL,
  text TEXT NOT NULL,
  data TEXT NOT NULL,
  asked REAL NOT NULL,
  state TEXT NOT NULL,
  claimant TEXT,
  deaths INTEGER NOT NULL DEFAULT 0,
  step INTEGER NOT NULL DEFAULT 0,
  preview INTEGER NOT NULL DEFAULT 0,
  steps INTEGER NOT NULL,
  score REAL,
  made TEXT,
  error TEXT,
  UNIQUE (network, key)
);
CREATE INDEX IF NOT EXISTS pictures_by_state ON pictures (state, client, asked);
CREATE INDEX IF NOT EXISTS pictures_by_batch ON pictures (state, batchable, asked);
CREATE TABLE IF NOT EXISTS members (
  job INTEGER NOT NULL REFERENCES jobs (number),
  position INTEGER NOT NULL,
  picture INTEGER NOT NULL REFERENCES pictures (place),
  text TEXT NOT NULL,
  PRIMARY KEY (job, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_by_picture ON members (picture);
CREATE TABLE IF NOT EXISTS clients (name TEXT PRIMARY KEY, served REAL NOT NULL) WITHOUT ROWID;
"""


class Database:
    """An SQLite file that threads and processes share.

    With ``durable`` a transaction is on the disk when it ends; without, a loss of power (not of the
    process) may take back the last ones. Raises :class:`KerasvizError` for a file that is none.
    """

    def __init__(self, path: Path, *, durable: bool = True):
        self.path, self.durable = path, durable
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            with self.writing() as connection:
                found = connection.execute("PRAGMA user_version").fetchone()[0]
                if found not in (0, VERSION):
                    raise KerasvizError(
                        f"{str(path)!r} has the format {found}; this version reads {VERSION}"
                    )
                for statement in SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise KerasvizError(f"{str(path)!r} cannot be used: {error}") from error

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread, to read with."""
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            found.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
            found.execute("PRAGMA foreign_keys = ON")
            self._own.connection = found
            with self._lock:
                self._all.append(found)
        return found

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: all of it happens, or nothing."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one moment."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connections of all threads, none of which may use it any more."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._own = threading.local()
