"""Tokens: a picture of what was found, with its numbers and its text beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from kerasviz.io.tokenizers import ByteTokens, Tokenizer
from kerasviz.optvis.tokens.find import TokenResult
from kerasviz.optvis.tokens.sequence import TokenSequence
from kerasviz.rendering.media.token_drawing import draw_tokens
from kerasviz.rendering.media.token_record import TokenRecord
from kerasviz.types import Array


@dataclass(frozen=True)
class TokenMedium:
    """Show ids as tokens, with what a search says of them where there was one."""

    tokenizer: Tokenizer
    record: TokenRecord | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of the files beside a picture: a network of bytes has the bytes too."""
        return (".json", ".txt", *((".bin",) if isinstance(self.tokenizer, ByteTokens) else ()))

    def record_of(self, values: Array) -> TokenRecord:
        """Return the record of ids [1, T, 1]; without a search it has the ids only."""
        ids = tuple(int(number) for number in np.ravel(values))
        if self.record is not None and self.record.best.ids == ids:
            return self.record
        alone = TokenResult((TokenSequence(ids, float("nan")),), np.zeros(0, np.float32), 0, 0)
        return TokenRecord("" if self.record is None else self.record.target, alone, self.tokenizer)

    def pil(self, values: Array, opacity: Array | None = None) -> Image.Image:
        """Return the picture of ids [1, T, 1]."""
        return draw_tokens(self.record_of(values))

    def companions(self, values: Array) -> dict[str, bytes]:
        """Return the numbers as ``.json``, the text as ``.txt``, and bytes as ``.bin``."""
        return dict(self.record_of(values).companions())

    def read(self, image: Image.Image, files: Mapping[str, bytes]) -> Array | None:
        """Return the ids of a ``.json`` file, [1, T, 1]; ``None`` without one."""
        if not files.get(".json"):
            return None
        ids = json.loads(files[".json"])["ids"]
        return np.array(ids, np.float32)[None, :, None]
