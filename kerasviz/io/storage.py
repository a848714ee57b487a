"""Storage: a local folder or a bucket, with whole files and retries over the network."""

from __future__ import annotations

import errno
import io
import logging
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.files import Content, remove_leftovers, write_atomically, write_content

Result = TypeVar("Result")

# Errors are retried or raised in one line here. The handler keeps Python from printing what gcsfs
# logs, with tracebacks; a program that has set up logging gets all of it.
logging.getLogger("gcsfs").addHandler(logging.NullHandler())

#: Seconds for which an unreachable storage is tried again.
PATIENCE = 300.0
#: The same before it was reached once: the address may be wrong.
FIRST = 15.0
#: The longest pause between two attempts, in seconds.
PAUSE = 20.0
#: Files that are read or written at once over a network.
AT_ONCE = 32
#: The protocols that need an extra of kerasviz.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
#: Errors that no retry changes.
FINAL = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
}
#: Names of exceptions of object store libraries, other than :class:`OSError`, that may pass.
PASSING = {"ConnectionError", "HTTPClientError", "HttpError", "ClientError", "TimeoutError"}


class StorageRefusedError(KerasvizError):
    """A storage that refuses to read or write, however often it is tried."""


class Storage:
    """Files under a folder or an address such as ``s3://bucket/atlas``, by their relative paths.

    A file appears whole or not at all. Failures of the network or a server are tried again, with
    growing pauses, for ``patience`` seconds, then raised as :class:`KerasvizError`. A full disk, a
    missing permission and a missing bucket raise :class:`StorageRefusedError` at once.
    """

    def __init__(self, url: str, patience: float = PATIENCE):
        self.patience = patience
        self.url, self.local = url, local_folder(url)
        self._folders: set[Path] = set()  # that exist
        if self.local is not None:
            self.url = str(self.local)
            return
        protocol = url.partition("://")[0]
        try:
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            extra = EXTRAS.get(protocol)
            how = f"pip install 'kerasviz[{extra}]'" if extra else str(error)
            raise UsageError(f"{url!r} needs a package that is not here: {how}") from error
        except ValueError as error:
            raise UsageError(
                f"{url!r}: expected a folder, s3://BUCKET/PATH, gs://BUCKET/PATH or another "
                f"address that fsspec knows ({error})"
            ) from error
        self._root = root.rstrip("/")
        if not self._root and protocol in EXTRAS:
            raise UsageError(f"{url!r} names no bucket; expected {protocol}://BUCKET/PATH")

    def __repr__(self) -> str:
        return f"<Storage {self.url}>"

    def address(self, path: str) -> str:
        """Return the full path or address of a file, for messages."""
        return f"{self.url.rstrip('/')}/{path}"

    # -- one file ----------------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        """Read the bytes of a file; ``None`` if there is no file."""

        def run() -> bytes | None:
            try:
                if self.local is not None:
                    return (self.local / path).read_bytes()
                return bytes(self._fs.cat_file(self._full(path)))
            except FileNotFoundError:
                return None

        return self._patiently("read", path, run)

    def write(self, path: str, data: Content) -> None:
        """Write or replace a file."""

        def run() -> None:
            if self.local is not None:
                write_atomically(self._local_path(path), data)
            else:
                write_content(buffer := io.BytesIO(), data)
                self._fs.pipe_file(self._full(path), buffer.getvalue())

        self._patiently("write", path, run)

    def write_new(self, path: str, data: bytes) -> bool:
        """Write a file unless it exists, and return whether it was written.

        Of several processes that do so at once, one gets True. It may be more than one on an object
        store without such an operation.
        """
        if self.local is not None:
            return self._patiently("write", path, lambda: _link(self._local_path(path), data))
        return not self.exists(path) and self._patiently(
            "write", path, partial(self._create, self._full(path), data)
        )

    def _create(self, full: str, data: bytes) -> bool:
        try:
            self._fs.pipe_file(full, data, mode="create")
        except FileExistsError:
            return False
        except NotImplementedError:
            self._fs.pipe_file(full, data)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            self._fs.pipe_file(full, data)
        return True

    def exists(self, path: str) -> bool:
        """Return whether a file exists."""
        if self.local is not None:
            return (self.local / path).is_file()
        return self._patiently("read", path, lambda: bool(self._fs.exists(self._full(path))))

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""

        def run() -> None:
            with suppress(FileNotFoundError):
                if self.local is not None:
                    (self.local / path).unlink()
                else:
                    self._fs.rm_file(self._full(path))

        self._patiently("remove", path, run)

    # -- many files --------------------------------------------------------------------------

    def names(self, folder: str) -> set[str]:
        """Return the names of the files in a folder; none if there is no folder."""

        def run() -> set[str]:
            try:
                if self.local is not None:
                    paths: Iterable[str] = os.listdir(self.local / folder)
                else:
                    paths = self._fs.ls(self._full(folder), detail=False)
            except FileNotFoundError:
                return set()
            names = {path.rstrip("/").rpartition("/")[2] for path in paths}
            return {name for name in names if not name.startswith(".")}  # no temporary files

        return self._patiently("list", folder, run)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield the bytes of files, ``None`` for missing ones; over a network many at once.

        Only the files that are read at once are in memory.
        """
        for start in range(0, len(paths), AT_ONCE):
            chunk = paths[start : start + AT_ONCE]
            contents: dict[str, Any] = {}
            if self.local is None:
                full = [self._full(path) for path in chunk]
                # Files that fail are tried again below, one by one.
                with suppress(OSError):
                    contents = self._fs.cat(full, on_error="omit")
            for path in chunk:
                data = contents.get(self._full(path)) if contents else None
                yield path, data if isinstance(data, bytes) else self.read(path)

    def write_many(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write files; over a network many at once."""
        if self.local is not None:
            for path, data in files:
                self.write(path, data)
            return
        for start in range(0, len(files), AT_ONCE):
            chunk = {self._full(path): data for path, data in files[start : start + AT_ONCE]}
            self._patiently("write", files[start][0], partial(self._fs.pipe, chunk))

    def tidy(self, folder: str) -> None:
        """Remove the leftovers of killed writers in a folder and the folders in it."""
        if self.local is not None and (self.local / folder).is_dir():
            for parent, _, _ in os.walk(self.local / folder):
                remove_leftovers(Path(parent))

    # -- patience ----------------------------------------------------------------------------

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if self.local is None else path

    def _local_path(self, path: str) -> Path:
        """Return the path of a local file, after making its folder."""
        assert self.local is not None
        local = self.local / path
        if local.parent not in self._folders:
            local.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(local.parent)
        return local

    def _patiently(self, verb: str, path: str, run: Callable[[], Result]) -> Result:
        latest, pause = time.monotonic() + self.patience, 0.25
        while True:
            try:
                return run()
            except Exception as error:
                cause = error.__cause__ if isinstance(error, KerasvizError) else error
                line = f"cannot {verb} {self.address(path)!r}: {_reason(cause or error)}"
                passing = isinstance(cause, OSError) or bool(_names(cause) & PASSING)
                if not passing and not _is_foreign(cause):
                    raise
                if not passing or (isinstance(cause, OSError) and _is_final(cause)):
                    raise StorageRefusedError(line) from error
                if time.monotonic() + pause > latest:
                    waited = f" (tried for {self.patience:.0f} s)" if self.patience else ""
                    raise KerasvizError(line + waited) from error
                # Many workers should not try again at the same time.
                time.sleep(pause * random.uniform(0.75, 1.25))
                pause = min(PAUSE, 2 * pause)


def local_folder(url: str) -> Path | None:
    """Return the folder that a path or ``file://`` address names; ``None`` for other addresses.

    >>> local_folder("file:///tmp/atlas"), local_folder("s3://bucket/atlas")
    (PosixPath('/tmp/atlas'), None)
    """
    if url.startswith("file://"):
        return Path(url.removeprefix("file://")).absolute()
    return None if "://" in url else Path(url).absolute()


def _link(path: Path, data: bytes) -> bool:
    """Write a new file unless it exists; of several processes one succeeds."""
    if path.exists():
        return False
    whole = path.with_name(f".kerasviz-{os.getpid()}-{random.getrandbits(64):016x}.part")
    write_atomically(whole, data)
    try:
        os.link(whole, path)
    except FileExistsError:
        return False
    except OSError:  # no hard links here
        if path.exists():
            return False
        os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)
    return True


def _is_final(error: OSError) -> bool:
    kinds = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
    return isinstance(error, kinds) or error.errno in FINAL


def _is_foreign(error: BaseException | None) -> bool:
    """Return whether an exception is of a package such as botocore, not Python or kerasviz."""
    return type(error).__module__.partition(".")[0] not in ("builtins", "kerasviz")


def _names(error: BaseException | None) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _reason(error: BaseException) -> str:
    """Say an error in one line."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(reason).split())[:300]
