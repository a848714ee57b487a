"""Model sources: a file or zoo name with the way to read it, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasviz.network.input_spec import InputSpec
    from kerasviz.network.network import Network

#: Packages that read ONNX files instead of this one.
IMPORTERS = ("onnx-tf",)


@dataclass(frozen=True)
class ModelSource:
    """Name a model file or zoo network, and say how to read it.

    ``imports`` are Python modules with the model's own layers; ``unsafe`` runs code that the file
    carries; ``importer`` reads an ONNX file by another package. ``labels`` are the names of
    classes, ``signature`` is the one to read of a SavedModel. ``axes``, ``rate`` and ``range_``, a
    file of some, describe signals, ``front_end`` what turns sounds into spectrograms.
    """

    path: str = ""
    imports: tuple[str, ...] = ()
    unsafe: bool = False
    importer: str | None = None
    input_spec: InputSpec | None = None
    labels: tuple[str, ...] = ()
    signature: str | None = None
    axes: str | None = None
    rate: int | None = None
    range_: str | None = None
    front_end: str | None = None

    def load(self) -> Network:
        """Load the network, as :func:`kerasviz.zoo.load.load` does."""
        from kerasviz.importers.custom_objects import custom_objects
        from kerasviz.zoo.load import load

        return load(
            self.path,
            custom_objects=custom_objects(self.imports) or None,
            unsafe=self.unsafe,
            input_spec=self.input_spec,
            importer=self.importer,
            labels=self.labels or None,
            signature=self.signature,
            axes=self.axes,
            rate=self.rate,
            range_=self.range_,
            front_end=self.front_end,
        )
