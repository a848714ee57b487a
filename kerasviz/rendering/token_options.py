"""The settings of a search for tokens that a command or a call asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import UsageError, check_choice, whole_number

if TYPE_CHECKING:
    from kerasviz.network.network import Network
    from kerasviz.network.token_input import TokenInput
    from kerasviz.optvis.recipe import Recipe


@dataclass(frozen=True)
class TokenOptions:
    """Hold what is asked for; ``None`` leaves what the recipe or the network says.

    ``tokens`` is the number of tokens, ``tokenizer`` a file or ``"bytes"``, ``forbid`` what is
    never chosen, and ``search`` the name of a method.
    """

    tokens: int | None = None
    tokenizer: str | Path | None = None
    forbid: str | None = None
    search: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the settings that were given."""
        return tuple(name for name, value in vars(self).items() if value is not None)

    def check_medium(self, net: Network) -> None:
        """Raise :class:`UsageError` for settings of tokens where a network takes none."""
        if self.given and net.medium != "tokens":
            raise UsageError(
                f"{self.given[0]}: {net.name} takes {net.image_input.noun}s, no tokens; leave it "
                "out"
            )

    def applied(self, recipe: Recipe, net: Network) -> Recipe:
        """Return a recipe of words with these settings, in a length that the network takes.

        A network of a fixed length keeps padding behind fewer tokens.
        """
        from kerasviz.optvis.tokens.search import SEARCHES

        assert recipe.search is not None
        if recipe.precision != "float32":
            raise UsageError(
                f"precision {recipe.precision}: a search for tokens computes in float32; leave it "
                "out"
            )
        search, (fixed,) = recipe.search, net.image_input.lengths
        if self.search is not None:
            check_choice("search", self.search, SEARCHES)
            kept = {n: getattr(search, n) for n in ("fluency", "rows", "forbidden", "tokenizer")}
            search = SEARCHES[self.search].replace(**kept)
        changes: dict[str, Any] = {}
        if self.forbid is not None:
            changes["forbidden"] = self.forbid
        if search.tokenizer is None:
            changes["tokenizer"] = _held_tokenizer(self.tokenizer, net)
        length = recipe.size[1] if fixed is None else fixed
        length = length if self.tokens is None else whole_number("tokens", self.tokens)
        if fixed is not None:
            if length > fixed:
                raise UsageError(
                    f"tokens {length}: {net.name} takes sequences of {fixed} tokens; give fewer"
                )
            if length < fixed:
                changes |= {"searched": length, "padding": _ids(net).padding}
        search = search.replace(**changes)
        search.allowed(_ids(net).vocabulary)  # says what does not fit before anything runs
        return recipe.replace(search=search, size=(1, fixed or length))


def _ids(net: Network) -> TokenInput:
    from kerasviz.network.token_input import TokenInput

    ids = net.image_input
    assert isinstance(ids, TokenInput)
    return ids


def tokenizer_file(given: str | Path | None, net: Network) -> str | Path | None:
    """Return the file of the tokenizer that was given, or of the one beside the model, if any."""
    from kerasviz.io.tokenizers import beside

    source = Path(net.identity.source)
    if given is None and source.is_file():
        return beside(source.parent, _ids(net).vocabulary)
    return given


def _held_tokenizer(given: str | Path | None, net: Network) -> Any:
    """Return the bytes of a tokenizer's file, or of the one beside the model, if there is any."""
    import numpy as np

    from kerasviz.io.tokenizers import read_tokenizer
    from kerasviz.optvis.held_array import HeldArray

    given = tokenizer_file(given, net)
    if given is None:
        return None
    data = np.frombuffer(read_tokenizer(given), np.uint8)
    return HeldArray.of(data, Path(given).name)
