"""What is written beside a picture of tokens: its numbers as JSON, and its text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasviz.io.tokenizers import ByteTokens, IdNumbers, Tokenizer
from kerasviz.optvis.tokens.find import TokenResult
from kerasviz.optvis.tokens.sequence import TokenSequence

#: Bytes in a line of a hexadecimal view.
LINE = 16


@dataclass(frozen=True)
class TokenRecord:
    """Hold the result of a search with what its ids mean."""

    target: str
    result: TokenResult
    tokenizer: Tokenizer

    @property
    def best(self) -> TokenSequence:
        """The sequence of the largest value."""
        return self.result.best

    @property
    def tokens(self) -> list[str]:
        """The tokens of the best sequence as they are shown."""
        return [self.tokenizer.token(number) for number in self.best.ids]

    def text(self, sequence: TokenSequence) -> str:
        """Return the text of a sequence."""
        return self.tokenizer.text(sequence.ids)

    def comes_back(self, sequence: TokenSequence) -> bool | None:
        """Return whether the text becomes the same ids again; ``None`` where that is unknown.

        Where it does not, the text is another input than the one that was found.
        """
        if isinstance(self.tokenizer, IdNumbers):
            return None
        if isinstance(self.tokenizer, ByteTokens):
            return max(sequence.ids) < 256
        ids = self.tokenizer.ids(self.text(sequence))
        return None if ids is None else tuple(ids) == sequence.ids

    def to_json(self) -> dict[str, Any]:
        """Return plain data: the best sequence, the front, and other tokens at each position."""
        return {
            "target": self.target,
            **self._about(self.best),
            "front": [self._about(each) for each in self.result.front],
            "replacements": [
                {**each.to_json(), "tokens": [self.tokenizer.token(k) for k, _ in each.best]}
                for each in self.result.replacements
            ],
            "evaluated": self.result.evaluated,
        }

    def _about(self, sequence: TokenSequence) -> dict[str, Any]:
        same = self.comes_back(sequence)
        data = sequence.to_json()
        if math.isnan(data["value"]):  # of ids that no search was made for
            del data["value"]
        return {
            **data,
            "tokens": [self.tokenizer.token(number) for number in sequence.ids],
            "text": self.text(sequence),
            **({} if same is None else {"text_has_these_ids": same}),
        }

    def companions(self) -> Mapping[str, bytes]:
        """Return the files beside the picture by their suffixes."""
        files = {
            ".json": json.dumps(self.to_json(), indent=1, ensure_ascii=False).encode() + b"\n",
            ".txt": self.as_text().encode("utf-8", "replace"),
        }
        if isinstance(self.tokenizer, ByteTokens):
            files[".bin"] = self.tokenizer.data(self.best.ids)
        return files

    def as_text(self) -> str:
        """Return the front as text, the best first; of bytes a hexadecimal view of the best."""
        value = "" if math.isnan(self.best.value) else f": {self.best.value:.6g}"
        lines = [f"{self.target}{value}"]
        if isinstance(self.tokenizer, ByteTokens):
            return "\n".join([*lines, *hexadecimal(self.tokenizer.data(self.best.ids))]) + "\n"
        lines.append("value\tcross-entropy\tids\ttext")
        for each in self.result.front:
            entropy = "-" if each.cross_entropy is None else f"{each.cross_entropy:.6g}"
            ids = " ".join(map(str, each.ids))
            changed = "\t(its text has other ids)" if self.comes_back(each) is False else ""
            lines.append(f"{each.value:.6g}\t{entropy}\t{ids}\t{self.text(each)!r}{changed}")
        return "\n".join(lines) + "\n"


def hexadecimal(data: bytes) -> Sequence[str]:
    """Return lines with the place of bytes, the bytes, and their text.

    >>> hexadecimal(b"PK\\x03\\x04")
    ['00000000  50 4b 03 04                                      PK..']
    """
    lines = []
    for first in range(0, len(data), LINE):
        part = data[first : first + LINE]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        lines.append(f"{first:08x}  {part.hex(' '):<{3 * LINE - 1}}  {text}")
    return lines
