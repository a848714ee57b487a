"""Read tokenizers: what token ids are as text, and text as ids."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from kerasviz.errors import UsageError, first_line

#: The name that stands for the tokenizer of a network that reads bytes.
BYTES = "bytes"
#: The files beside a model that may be its tokenizer, in this order.
FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
#: Bytes of the largest file that is read.
_LARGEST = 256 * 2**20
#: Control characters of bytes, and the signs that stand for them (Unicode's control pictures).
_CONTROLS = {**{k: 0x2400 + k for k in range(32)}, 32: 0x2423, 127: 0x2421}
#: What may be forbidden by a word, beside the ids that stand for no text.
KINDS = ("non-ascii", "non-letters")


class Tokenizer(Protocol):
    """Turn ids into text and back."""

    @property
    def size(self) -> int | None:
        """The number of ids, ``None`` where any is known."""

    @property
    def special(self) -> frozenset[int]:
        """The ids that stand for no text, such as padding."""

    def token(self, number: int) -> str:
        """Return one token as it is shown."""

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of several tokens."""

    def ids(self, text: str) -> list[int] | None:
        """Return the ids of a text; ``None`` where the file cannot say."""


@dataclass(frozen=True)
class IdNumbers:
    """Show ids as numbers, where no tokenizer is known."""

    size: int | None = None
    special: frozenset[int] = frozenset()

    def token(self, number: int) -> str:
        """Return the number."""
        return str(number)

    def text(self, ids: Sequence[int]) -> str:
        """Return the numbers with blanks between them."""
        return " ".join(map(str, ids))

    def ids(self, text: str) -> list[int] | None:
        """Return the numbers of a text."""
        return [int(part) for part in text.split()]


@dataclass(frozen=True)
class ByteTokens:
    """Show the ids of a network that reads bytes: 0 to 255 are bytes, those above stand for none.

    >>> ByteTokens(257).text([72, 105, 256]), ByteTokens(257).token(10)
    ('Hi', '\\u240a')
    """

    size: int | None = 256

    @property
    def special(self) -> frozenset[int]:
        """The ids above 255."""
        return frozenset(range(256, self.size or 256))

    def token(self, number: int) -> str:
        """Return a printable character of ASCII, a sign for others, or two hexadecimal digits."""
        if number > 255:
            return "pad"
        if number in _CONTROLS:
            return chr(_CONTROLS[number])
        return chr(number) if number < 127 else f"{number:02x}"

    def data(self, ids: Iterable[int]) -> bytes:
        """Return the bytes of ids, without those that stand for none."""
        return bytes(number for number in ids if number < 256)

    def text(self, ids: Sequence[int]) -> str:
        """Return the bytes as text of Latin-1."""
        return self.data(ids).decode("latin-1")

    def ids(self, text: str) -> list[int] | None:
        """Return the bytes of a text of Latin-1."""
        return list(text.encode("latin-1", "replace"))


@dataclass(frozen=True)
class Vocabulary:
    """Show the tokens of a vocabulary file, one a line, such as BERT's ``vocab.txt``."""

    tokens: tuple[str, ...]

    @property
    def size(self) -> int | None:
        """The number of tokens."""
        return len(self.tokens)

    @cached_property
    def special(self) -> frozenset[int]:
        """The tokens in brackets, such as [PAD] and <s>."""
        ends = {"[": "]", "<": ">"}
        return frozenset(
            k for k, t in enumerate(self.tokens) if len(t) > 2 and ends.get(t[0]) == t[-1]
        )

    def token(self, number: int) -> str:
        """Return a token as the file has it."""
        return self.tokens[number]

    def text(self, ids: Sequence[int]) -> str:
        """Return the tokens with blanks between them, but none before parts of words (##)."""
        words = "".join(f" {self.tokens[k]}" for k in ids)
        return words.replace(" ##", "").strip()

    def ids(self, text: str) -> list[int] | None:
        """Return ``None``: the file does not say how text is split."""
        return None


class LibraryTokenizer:
    """Hold the contents of a ``tokenizer.json``, read by the package tokenizers."""

    def __init__(self, text: str, name: str):
        try:
            library = importlib.import_module("tokenizers")
        except ImportError as error:
            raise UsageError(
                f"{name}: the package tokenizers reads it; install it: "
                "pip install 'kerasviz[words]'"
            ) from error
        try:
            self._tokenizer: Any = library.Tokenizer.from_str(text)
        except Exception as error:
            raise UsageError(f"{name} is no tokenizer ({first_line(error)[:100]})") from error

    @property
    def size(self) -> int | None:
        """The number of ids."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @cached_property
    def special(self) -> frozenset[int]:
        """The ids that the file calls special."""
        added = self._tokenizer.get_added_tokens_decoder()
        return frozenset(int(k) for k, token in added.items() if token.special)

    def token(self, number: int) -> str:
        """Return the text of one token; what is no text by itself as the file spells it."""
        text = str(self._tokenizer.decode([number], skip_special_tokens=False))
        if not text or "\ufffd" in text:
            return str(self._tokenizer.id_to_token(number) or number)
        return text

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def ids(self, text: str) -> list[int] | None:
        """Return the ids of a text, without what the file adds around it."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def read_tokenizer(name: str | Path) -> bytes:
    """Read the contents of ``tokenizer.json``, ``vocab.txt`` or ``vocab.json``.

    The word ``bytes`` stands for itself. Raises :class:`UsageError` for a file that cannot be read.
    """
    if str(name) == BYTES:
        return BYTES.encode()
    path = Path(name)
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"tokenizer {path}: {path.stat().st_size} bytes are too many for one")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"tokenizer {path}: it cannot be read ({first_line(error)}); give tokenizer.json, "
            f"vocab.txt, or {BYTES}"
        ) from error


def tokenizer_of(data: bytes, name: str, vocabulary: int) -> Tokenizer:
    """Return the tokenizer that a file holds, for a network of ``vocabulary`` ids.

    Args:
        data: The contents of the file; JSON is told from a list of lines by them.
        name: The name of the file, for messages.
        vocabulary: The number of ids of the network.

    Raises:
        UsageError: For contents that are no tokenizer, and one of another number of ids.
    """
    if data == BYTES.encode():
        return ByteTokens(max(vocabulary, 256))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"tokenizer {name}: it is no text ({first_line(error)})") from error
    tokenizer = _of_text(text, name)
    _check_size(tokenizer, vocabulary, name)
    return tokenizer


def _of_text(text: str, name: str) -> Tokenizer:
    try:
        data = json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        data = None  # a list of lines may begin with [PAD]
    if isinstance(data, dict) and "model" in data:
        return LibraryTokenizer(text, name)
    if data is not None:
        return _of_words(data, name)
    return Vocabulary(tuple(text.splitlines()))


def _of_words(data: Any, name: str) -> Vocabulary:
    """Return the vocabulary of a JSON list, or of an object of ids by token."""
    if isinstance(data, list) and data and all(isinstance(token, str) for token in data):
        return Vocabulary(tuple(data))
    if isinstance(data, dict) and data and all(isinstance(k, int) for k in data.values()):
        by_id = {number: token for token, number in data.items()}
        if sorted(by_id) == list(range(len(by_id))):
            return Vocabulary(tuple(by_id[k] for k in range(len(by_id))))
    raise UsageError(f"tokenizer {name}: expected tokenizer.json, or ids from 0 on by token")


def default_tokenizer(vocabulary: int) -> Tokenizer:
    """Return the tokenizer of a network of which no file is known.

    With 256 to 260 ids they are bytes; else they are shown as numbers.
    """
    return ByteTokens(vocabulary) if 256 <= vocabulary <= 260 else IdNumbers(vocabulary)


def beside(folder: Path, vocabulary: int) -> Path | None:
    """Return the file in the folder of a model that is its tokenizer, if one fits."""
    for path in (folder / name for name in FILES):
        if path.is_file():
            try:
                tokenizer_of(read_tokenizer(path), path.name, vocabulary)
            except UsageError:  # that of another network, or one that cannot be read here
                continue
            return path
    return None


def _check_size(tokenizer: Tokenizer, vocabulary: int, name: str) -> None:
    """Raise :class:`UsageError` for a tokenizer that is not that of the network.

    Networks often have a few rows more than tokens, up to a round number.
    """
    size = tokenizer.size
    if size is not None and not (size <= vocabulary <= size + max(256, size // 50)):
        raise UsageError(
            f"tokenizer {name}: it has {size} tokens, the network {vocabulary}; give the tokenizer "
            "of this network"
        )


def unusable(tokenizer: Tokenizer, vocabulary: int, kinds: Iterable[str]) -> set[int]:
    """Return the ids that stand for no text, and those of :data:`KINDS`."""
    kinds, found = list(kinds), set(tokenizer.special)
    size = tokenizer.size or vocabulary
    found |= set(range(size, vocabulary))
    for number in range(min(size, vocabulary)):
        if number not in found and not _is_of(plain_token(tokenizer, number), kinds):
            found.add(number)
    return found


def _is_of(token: str, kinds: Iterable[str]) -> bool:
    """Return whether a token has none of the letters that :data:`KINDS` forbid."""
    if "non-letters" in kinds:
        return token.isascii() and token.strip().isalpha()
    return "non-ascii" not in kinds or (token.isascii() and token.isprintable() and token != "")


def plain_token(tokenizer: Tokenizer, number: int) -> str:
    """Return the text of one token, without the marks of parts of words."""
    if isinstance(tokenizer, ByteTokens):
        return tokenizer.text([number])
    return tokenizer.token(number).removeprefix("##")
