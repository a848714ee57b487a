"""Hold the labels of a network's classes."""

from __future__ import annotations

from dataclasses import dataclass

from kerasviz.errors import UsageError, near


@dataclass(frozen=True)
class Classes:
    """Hold the labels of a network's classes and the tap of their logits.

    ``first`` is the number of channels before those of the classes, as in detectors' outputs.
    """

    labels: tuple[str, ...] = ()
    logits: str | None = None
    first: int = 0

    def index(self, label: str, count: int | None) -> int:
        """Return the number of a class given by that number or by any name in its label.

        Raises :class:`UsageError` for an unknown label (similar ones are listed) and for a number
        that is not below ``count``.
        """
        text = label.strip()
        if text.isdigit() and (count is None or int(text) < count):
            return int(text)
        if count is not None and text.isdigit() and not self.is_label(text):
            raise UsageError(f"class {text} is out of range: the classes are 0 to {count - 1}")
        if not self.labels:
            raise UsageError(
                f"class {text!r}: this network has no labels; give the number, or --labels FILE"
            )
        number = self._number(text)
        if number is None:
            raise UsageError(f"unknown class {text!r}; near: {near(text, self._names)}")
        return number

    def is_label(self, text: str) -> bool:
        """Return whether a text is a name in a label."""
        return self._number(text) is not None

    @property
    def _names(self) -> dict[str, int]:
        return {n.strip(): k for k, names in enumerate(self.labels) for n in names.split(",")}

    def _number(self, text: str) -> int | None:
        wanted = text.strip().casefold().replace("_", " ")
        names = sorted(self._names.items(), key=lambda item: item[1])
        return next((k for name, k in names if name.casefold() == wanted), None)

    def describe(self, number: int) -> str:
        """Return a class as its number and the first of its names."""
        known = number < len(self.labels)
        return f"{number} {self.labels[number].split(',')[0].strip()}" if known else str(number)
