"""Cut the recordings or the texts of a folder into passages that a network takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasviz.errors import UsageError, first_line
from kerasviz.io.files import checksum
from kerasviz.io.sounds import SHORTEST, SOUND_ENDINGS, read_sound
from kerasviz.io.tokenizers import ByteTokens, Tokenizer
from kerasviz.types import Array

#: The endings of files that are texts. A network of bytes reads files of all kinds.
TEXT_ENDINGS = (".txt", ".md", ".text")


@dataclass(frozen=True)
class Passage:
    """A part of a file: the number of its first sample or token, and values [1, T, C].

    What is behind the first ``count`` values is padding. The first ``known`` ones belong to the
    passage before.
    """

    start: int
    values: Array
    count: int
    known: int = 0


class PassageSource(ABC):
    """A folder of files, each of which is cut into passages."""

    #: What the files are called.
    noun: str

    def __init__(self, folder: Path, endings: tuple[str, ...]):
        if not folder.is_dir():
            raise UsageError(
                f"{str(folder)!r} is no folder; name one of {self.noun}s with --images"
            )
        self.folder = folder
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self.files = [p for p in paths if not endings or p.suffix.lower() in endings]
        if not self.files:
            listed = f" ({', '.join(endings)})" if endings else ""
            raise UsageError(f"{str(folder)!r} has no {self.noun}s{listed}")

    def name(self, path: Path) -> str:
        """Return the name of a file below the folder."""
        return path.relative_to(self.folder).as_posix()

    @property
    def checksums(self) -> dict[str, str]:
        """The checksums of all files by name."""
        return {self.name(path): checksum(path.read_bytes()) for path in self.files}

    @property
    @abstractmethod
    def cut(self) -> dict[str, int]:
        """How files are cut, as plain data."""

    @abstractmethod
    def passages(self, path: Path) -> list[Passage]:
        """Cut a file into passages; raise :class:`UsageError` for one that cannot be read."""


class Recordings(PassageSource):
    """Recordings at a rate, in passages of ``samples`` that follow each other."""

    noun = "recording"

    def __init__(self, folder: Path, rate: int, samples: int, channels: int):
        super().__init__(folder, SOUND_ENDINGS)
        self.rate, self.samples, self.channels = rate, samples, channels

    @property
    def cut(self) -> dict[str, int]:
        """The samples of a passage, and their rate."""
        return {"samples": self.samples, "rate": self.rate}

    def passages(self, path: Path) -> list[Passage]:
        """Return passages [1, T, C] in [0, 1]; silence follows the last one.

        A rest of less than a tenth of a passage is left out.
        """
        whole = read_sound(path).at_rate(self.rate).samples
        found = []
        for start in range(0, len(whole), self.samples):
            part = np.clip(whole[start : start + self.samples], -1, 1)
            if start and len(part) < SHORTEST * self.samples:
                break
            wave = (np.pad(part, (0, self.samples - len(part))) + 1) / 2
            values = np.repeat(wave[None, :, None], self.channels, axis=-1)
            found.append(Passage(start, values.astype(np.float32), len(part)))
        return found


class Texts(PassageSource):
    """Texts as ids of a tokenizer, in passages of ``length`` that follow each other.

    A file that is shorter than a passage is one: as long as it is, or with ``padding`` behind it
    where the network takes one length only.
    """

    noun = "text"

    def __init__(self, folder: Path, tokenizer: Tokenizer, length: int, padding: int | None):
        self.bytes = isinstance(tokenizer, ByteTokens)
        super().__init__(folder, () if self.bytes else TEXT_ENDINGS)
        self.tokenizer, self.length, self.padding = tokenizer, length, padding

    @property
    def cut(self) -> dict[str, int]:
        """The tokens of a passage."""
        return {"tokens": self.length}

    def passages(self, path: Path) -> list[Passage]:
        """Return passages of ids [1, T, 1]; the last one begins earlier, to end with the file."""
        ids, found = self._ids(path), []
        for start in range(0, len(ids), self.length):
            first = max(0, min(start, len(ids) - self.length))
            part = ids[first : first + self.length]
            missing = 0 if self.padding is None else self.length - len(part)
            padded = [*part, *([self.padding or 0] * missing)]
            values = np.array(padded, np.float32)[None, :, None]
            found.append(Passage(first, values, len(part), start - first))
        return found

    def _ids(self, path: Path) -> list[int]:
        try:
            data = path.read_bytes()
            text = data.decode("latin-1" if self.bytes else "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{self.name(path)}: {first_line(error)}") from error
        ids = self.tokenizer.ids(text)
        if ids is None:
            raise UsageError(
                "the vocabulary does not say how text is split into tokens; give --tokenizer "
                "tokenizer.json"
            )
        if not ids:
            raise UsageError(f"{self.name(path)}: an empty text")
        return ids
