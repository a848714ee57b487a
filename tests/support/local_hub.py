"""A Hugging Face Hub on 127.0.0.1 with one revision, for the tests of ``hf://``."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def commit_of(files: dict[str, bytes]) -> str:
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


@dataclass
class LocalHub:
    """``files`` by repository and name; ``asked`` are the files whose content was sent."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def hub(local: LocalHub) -> Iterator[LocalHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def _missing(self, code: str) -> None:
            self._answer(404, b"{}", {"X-Error-Code": code, "X-Error-Message": "not here"})

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            api = path.startswith("/api/models/")
            parts = path.removeprefix("/api/models").strip("/").split("/")
            repository = "/".join(parts[:2])
            if repository not in local.files:
                return self._missing("RepoNotFound")
            files = local.files[repository]
            if api:
                return self._answer(200, self._list(files, parts), self._json())
            name = "/".join(parts[4:])  # user/repository/resolve/revision/name
            if name not in files:
                return self._missing("EntryNotFound")
            etag = hashlib.sha1(files[name]).hexdigest()
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit_of(files)}
            if self.command == "GET":
                local.asked.append(name)
            return self._answer(200, files[name], headers)

        do_HEAD = do_GET

        def _json(self) -> dict[str, str]:
            return {"Content-Type": "application/json"}

        def _list(self, files: dict[str, bytes], parts: list[str]) -> bytes:
            siblings = [{"rfilename": name} for name in files]
            about = {
                "id": "/".join(parts[:2]),
                "sha": commit_of(files),
                "siblings": siblings,
                "tags": [],
            }
            return json.dumps(about).encode()

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    local.address = f"http://127.0.0.1:{running.server_port}"
    try:
        yield local
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
