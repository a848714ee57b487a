"""The database of jobs: SQLite in WAL mode, a connection for each thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasviz.errors import KerasvizError

VERSION = 1
#: Seconds to wait for a transaction of another process.
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

    With ``durable`` a transaction is on the disk when it ends; without, a power failure may undo
    the last ones. Raises :class:`KerasvizError` for a file that is no such database.
    """

    def __init__(self, path: Path, *, durable: bool = True):
        self.path, self.durable = path, durable
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            with self.writing() as connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, VERSION):
                    raise KerasvizError(
                        f"{str(path)!r} has the format {version}; this version reads {VERSION}"
                    )
                for statement in SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise KerasvizError(f"{str(path)!r} cannot be used: {error}") from error

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread, for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that writes all or nothing."""
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
        """Open a transaction that reads one consistent state."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._local = threading.local()
