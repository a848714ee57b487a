"""The names and stars that people give units, kept in the data folder."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.files import write_atomically

#: Characters of a name, at most.
LONGEST = 100


@dataclass(frozen=True)
class Note:
    """Hold what was noted of a unit: a ``name``, or "", and whether it has a ``star``."""

    tap: str
    unit: int
    name: str = ""
    star: bool = False


class Notes:
    """Reads and writes the notes of networks, a JSON file each. May be used by many threads."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()

    def of(self, network: str) -> list[Note]:
        """Return the notes of a network, by tap and unit."""
        path = self._path(network)
        if not path.is_file():
            return []
        try:
            return [Note(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as error:
            raise KerasvizError(f"{str(path)!r} is damaged: move it away") from error

    def take(self, network: str, note: Note) -> Note:
        """Keep a note in place of that of the unit before; one without name and star removes it.

        Raises :class:`UsageError` for a name that is too long.
        """
        name = " ".join(note.name.split())
        if len(name) > LONGEST:
            raise UsageError(f"a name of {len(name)} characters; at most {LONGEST}")
        note = Note(note.tap, note.unit, name, note.star)
        with self._lock:
            kept = {(one.tap, one.unit): one for one in self.of(network)}
            kept[note.tap, note.unit] = note
            rows = [asdict(one) for _, one in sorted(kept.items()) if one.name or one.star]
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(rows, indent=1, ensure_ascii=False)
            write_atomically(self._path(network), text.encode())
        return note

    def _path(self, network: str) -> Path:
        return self.folder / f"{network}.json"
