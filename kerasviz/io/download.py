"""Download one file: resumable, atomic, and checked by its checksum."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerasviz.errors import ModelError

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 where unknown)

#: Bytes that are read at once.
CHUNK = 1 << 18
#: Attempts to resume after the connection broke off.
ATTEMPTS = 4
#: Seconds without a byte until a connection counts as broken.
TIMEOUT = 30.0


class DownloadError(ModelError):
    """A file that could not be downloaded; the message gives the reason only."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder, in hexadecimal.

    The checksum of a folder covers the sorted relative names of its files and their contents.
    Raises :class:`ModelError` where something cannot be read.
    """
    try:
        if not path.is_dir():
            return str(_digest(path).hexdigest())
        whole = hashlib.sha256()
        files = sorted(
            (file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file()
        )
        for name, file in files:
            whole.update(name.encode() + b"\0" + _digest(file).digest())
        return whole.hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _digest(path: Path) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def download(url: str, target: Path, sha256: str, progress: Progress | None = None) -> Path:
    """Download ``url`` into the file ``target`` and return it.

    An unfinished download is kept as ``<name>.part``. The next call resumes it if the server can
    (HTTP Range), else starts again. ``target`` appears by an atomic rename, only with the right
    SHA-256. ``progress`` gets the bytes so far and in all (0 if unknown). Raises
    :class:`DownloadError` where there is no connection, it keeps breaking off, or the checksum is
    wrong; then nothing is kept.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        resumed = part.exists() and part.stat().st_size > 0
        _fetch_all(url, part, progress)
        if resumed and sha256_of(part) != sha256:  # the part may be of another file
            part.unlink()
            _fetch_all(url, part, progress)
        found = sha256_of(part)
        if found != sha256:
            part.unlink()
            raise DownloadError(f"{url} has the SHA-256 {found}, expected {sha256}")
        os.replace(part, target)
    except OSError as error:
        raise DownloadError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _fetch_all(url: str, part: Path, progress: Progress | None) -> None:
    reason = ""
    for _ in range(ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            if _fetch_rest(url, part, progress):
                return
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            raise DownloadError(f"{url}: {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise DownloadError(f"no connection to {url}: {error.reason}") from error
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        if part.exists() and part.stat().st_size == before:
            break
    raise DownloadError(f"{url}: {reason}; run it again to go on from there")


def _fetch_rest(url: str, part: Path, progress: Progress | None) -> bool:
    """Append the missing bytes; return whether the file is complete, as far as the server tells."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "kerasviz"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # No byte follows: the part is complete, or longer than the file.
        length = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if length and int(length[1]) == have:
            return True
        part.unlink()
        return _fetch_rest(url, part, progress)
    with response:
        follows = re.match(rf"bytes {have}-", response.headers.get("Content-Range", ""))
        if not (response.status == 206 and follows):
            have = 0  # the server sends the file from its start
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else 0
        with part.open("ab" if have else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, total)
    return have == total if total else True
