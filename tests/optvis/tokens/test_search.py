"""Settings of a search: plain data, and which ids may be chosen."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES
from kerasviz.optvis.tokens.search import SEARCHES, TokenSearch, ids_of, ids_text

BERT = HeldArray.of(np.frombuffer(b"[PAD]\n[CLS]\nthe\n##ing\nd'\xc3\xa9", np.uint8), "vocab.txt")


def test_settings_survive_plain_data() -> None:
    search = SEARCHES["gcg"].replace(forbidden="non-ascii,3-5", tokenizer=BERT)
    assert TokenSearch.from_json(search.to_json()) == search
    words = RECIPES["words"].replace(search=search)
    again = Recipe.from_json(words.to_json())
    assert again == words and again.search is not None and again.search.tokenizer == BERT


def test_recipes_of_images_have_no_search_in_their_data() -> None:
    assert "search" not in RECIPES["fast"].to_json() and "search" in RECIPES["words"].to_json()


def test_forbidden_are_special_tokens_words_and_ids() -> None:
    search = TokenSearch(tokenizer=BERT)
    assert search.allowed(6).tolist() == [False, False, True, True, True, False]
    letters = search.replace(forbidden="non-letters")
    assert letters.allowed(6).tolist() == [False, False, True, True, False, False]
    assert TokenSearch(forbidden="0-1, 4").allowed(6).tolist() == [False, False, 1, 1, False, 1]
    assert TokenSearch().allowed(257)[[0, 255, 256]].tolist() == [True, True, False]


def test_weights_grow_by_one_factor() -> None:
    assert np.allclose(TokenSearch(population=4).weights, [0, 0.1, 1, 10])
    assert TokenSearch(population=1).weights.tolist() == [0]
    assert not TokenSearch(fluency=(0, 0)).weights.any()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"method": "beam"}, "unknown method 'beam'; choose from epo, gcg, greedy, random"),
        ({"children": 0}, "children 0: expected a whole number of 1 or more"),
        ({"fluency": (0, 1)}, "fluency 0 to 1: expected two weights above 0"),
        ({"forbidden": "vowels"}, "forbid 'vowels': expected non-ascii, non-letters, or ids"),
        ({"forbidden": "9-3"}, "ids '9-3': expected a range from the smaller number on"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        TokenSearch(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("search", "vocabulary", "line"),
    [
        (TokenSearch(forbidden="60"), 50, "forbid 60: the network has the ids 0 to 49"),
        (TokenSearch(forbidden="0-48"), 50, "fewer than two of 50 tokens are left"),
        (TokenSearch(tokenizer=BERT), 3, "vocab.txt: it has 5 tokens, the network 3"),
    ],
)
def test_what_does_not_fit_a_network_is_refused(
    search: TokenSearch, vocabulary: int, line: str
) -> None:
    with pytest.raises(UsageError, match=line):
        search.allowed(vocabulary)


def test_ids_as_text() -> None:
    numbers = [3, 4, 5, 9, 11, 12]
    assert (
        ids_text(reversed(numbers)) == "3-5,9,11-12" and ids_of("3-5,9,11-12").tolist() == numbers
    )
    assert ids_text([]) == "" and ids_of("").tolist() == []
