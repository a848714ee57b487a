"""A wire to a server on this machine that can be cut and mended: a network that is lost."""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class Wire:
    """Passes connections to ``port`` on to a server at ``server``, unless it is cut."""

    def __init__(self, server: int):
        self.server, self.cuts = server, 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._accept()

    def cut(self) -> None:
        """Refuse new connections and break those that there are."""
        self.cuts += 1
        with self._lock:
            listener, self._listener = self._listener, None
            open_now, self._open = self._open, set()
        if listener is not None:
            _close(listener)
        for end in open_now:
            _close(end)

    def mend(self) -> None:
        """Pass connections on again."""
        deadline = time.monotonic() + 30
        while self._listener is None:
            try:
                self._listener = socket.create_server(("127.0.0.1", self.port))
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        self._accept()

    def _accept(self) -> None:
        threading.Thread(target=self._run, args=(self._listener,), daemon=True).start()

    def _run(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.server))
            except OSError:
                near.close()
                continue
            with self._lock:
                whole = self._listener is listener
                if whole:
                    self._open |= {near, far}
            if not whole:
                near.close()
                far.close()
                continue
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for end in (source, target):
            with self._lock:
                self._open.discard(end)
            _close(end)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
