"""Docstrings as mkdocstrings reads them: examples as a section, roles as code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
_BARE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`([^`]+)`")


class DocstringTexts(griffe.Extension):
    """Rewrite docstrings of this project for the section names and markup of mkdocstrings."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(docstring: str) -> str:
    """Return a docstring with ``Examples:`` for ``Example:``, code in fences, and no roles.

    >>> to_markdown("See :func:`render`.")
    'See `render`.'
    """
    fenced = _BARE.sub(lambda match: f"```pycon\n{match[0]}\n```", docstring)
    return _ROLE.sub(r"`\1`", _EXAMPLE.sub(r"\1Examples:", fenced))
