"""Pages of the documentation as text: their code blocks and links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^()\s]+(?:\([^()\s]*\))?)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after it, its text and its first line's number.

    Words: ``pictures`` shows the pictures of the commands beneath them, ``output`` what they print,
    ``NAME.json`` names the file that the block is.
    """

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def commands(self) -> list[str]:
        """The commands of a block of shell lines, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.partition(" #")[0].strip() for line in lines if line.strip()[:1] not in "#"]


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in their order."""
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        line = text.count("\n", 0, match.start()) + 2
        yield Block(language, tuple(words), match["text"], line)


def replace_blocks(text: str, replacement: Callable[[Block], str]) -> str:
    """Return the page with every fenced block replaced."""
    found = blocks(text)
    return _FENCE.sub(lambda _: replacement(next(found)), text)


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures of a page, outside of code."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
    return [match["target"] for match in _LINK.finditer(prose)]


def sources(folder: Path) -> list[Path]:
    """Return the pages below a folder in their order."""
    return sorted(folder.rglob("*.md"))
