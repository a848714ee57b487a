"""Compare two renderings: their pictures in pairs, and the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from PIL import Image

from kerasviz.io.images import contact_sheet
from kerasviz.rendering.pages import setting_rows
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.show import show
from kerasviz.types import NotebookView


@dataclass(frozen=True, eq=False, repr=False)
class RenderingComparison(NotebookView):
    """Set two renderings side by side.

    Args:
        left: The first rendering.
        right: The second one.

    Example:
        >>> r, other = (kerasviz.render(net, "stem:7", steps=4, size=32, seed=k) for k in (0, 1))
        >>> r.compare(other).differences()
        [('seed', '0', '1')]
    """

    left: Rendering
    right: Rendering

    @property
    def sides(self) -> tuple[Rendering, Rendering]:
        """Left and right."""
        return self.left, self.right

    def pairs(self) -> list[tuple[Picture | None, Picture | None]]:
        """Return pictures of the same target in pairs; ``None`` stands for one without a partner.

        Several pictures of one target are paired in their order.
        """
        pairs: list[tuple[Picture | None, Picture | None]] = []
        for target in dict.fromkeys(picture.target for picture in (*self.left, *self.right)):
            left, right = ([p for p in side if p.target == target] for side in self.sides)
            pairs += zip_longest(left, right)
        return pairs

    def differences(self) -> list[tuple[str, str, str]]:
        """Return the settings in which the pairs differ: name, and its values left and right."""
        pairs = [(left, right) for left, right in self.pairs() if left and right]
        left, right = (
            _settings(side, [pair[k] for pair in pairs] or side.pictures)
            for k, side in enumerate(self.sides)
        )
        return [
            (name, left.get(name, ""), right.get(name, ""))
            for name in {**left, **right}
            if left.get(name) != right.get(name)
        ]

    def to_pil(self) -> Image.Image:
        """Return the pairs as one image of Pillow, a pair in each row."""
        sides = [picture for pair in self.pairs() for picture in pair]
        sizes = [picture.to_pil() for picture in sides if picture is not None]
        blank = Image.new("RGB", sizes[0].size, "white")
        return contact_sheet([blank if p is None else p.to_pil() for p in sides], 2)

    def show(self) -> None:
        """Show the pairs: below the cell of a notebook, else in the system's viewer."""
        show(self)

    def __repr__(self) -> str:
        differing = ", ".join(f"{n} {a or '-'} / {b or '-'}" for n, a, b in self.differences())
        pairs = len(self.pairs())
        return (
            f"<RenderingComparison of {pairs} pair{'' if pairs == 1 else 's'}: "
            f"{differing or 'equal settings'}>"
        )


def _settings(rendering: Rendering, pictures: Sequence[Picture]) -> dict[str, str]:
    """Return the settings of pictures by name; several values of one setting are joined."""
    values: dict[str, dict[str, None]] = {"network": {str(rendering.network["name"]): None}}
    for request in dict.fromkeys(picture.request for picture in pictures):
        rows = [*setting_rows(request.recipe.to_json()), ("seed", str(request.seed))]
        for name, value in rows:
            values.setdefault(name, {})[value] = None
    return {name: " or ".join(texts) for name, texts in values.items()}
