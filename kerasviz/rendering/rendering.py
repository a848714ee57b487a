"""Hold rendered pictures: look at them, save them, compare them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.files import make_folder
from kerasviz.io.images import contact_sheet
from kerasviz.network.network import Network
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.facet_reports import FacetReport, report_facets
from kerasviz.rendering.latent_reports import LatentReport, report_latents
from kerasviz.rendering.pages import write_index
from kerasviz.rendering.picture import Picture, network_provenance, provenance
from kerasviz.rendering.plot import plot_scores
from kerasviz.rendering.show import show
from kerasviz.rendering.store import Store
from kerasviz.types import Array, NotebookView

if TYPE_CHECKING:
    from kerasviz.rendering.rendering_comparison import RenderingComparison

#: Targets in the ``repr`` of a rendering.
NAMED = 3


@dataclass(frozen=True, eq=False, repr=False)
class Rendering(NotebookView):
    """Hold the pictures of :func:`render`, in the order of the targets.

    A notebook shows them as a contact sheet. They are a sequence: ``r[0]`` is a picture, ``r[:4]``
    a rendering of four.

    Args:
        pictures: The pictures.
        net: The network that they are of; ``None`` after pickling, which leaves it out.
        environment: What else decides their last bits; see :func:`environment`.
        missing: The targets that had not begun when the run was interrupted.
        network: The network of the provenance: name, format, SHA-256 and input description.

    Example:
        >>> r = kerasviz.render(net, ["block3b:6", "block3b:7"], steps=4, size=32)
        >>> len(r), r[1].target, r[1].image.shape
        (2, 'block3b:7', (32, 32, 3))
        >>> r.save("pictures")
        PosixPath('pictures/index.html')
    """

    pictures: tuple[Picture, ...]
    net: Network | None
    environment: dict[str, str]
    missing: tuple[str, ...] = ()
    network: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.net is not None:
            object.__setattr__(self, "network", network_provenance(self.net))

    # -- a sequence of pictures --------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> Rendering: ...

    def __getitem__(self, index: int | slice) -> Picture | Rendering:
        if isinstance(index, slice):
            return replace(self, pictures=self.pictures[index], missing=())
        return self.pictures[index]

    def __repr__(self) -> str:
        shown = [f"{p.target} (score {p.score:.4g})" for p in self.pictures[:NAMED]]
        more = f" and {len(self) - NAMED} more" if len(self) > NAMED else ""
        sizes = dict.fromkeys("x".join(map(str, p.image.shape[:2])) for p in self.pictures)
        note = f"; {self.interruption}" if self.interrupted else ""
        return (
            f"<Rendering of {self.network['name']}: {_count(len(self))}"
            f"{' of ' if sizes else ''}{' and '.join(sizes)}: {', '.join(shown)}{more}{note}>"
        )

    # -- the numbers -------------------------------------------------------------------------

    @property
    def images(self) -> Array:
        """All images, [N, H, W, C] in [0, 1]; :class:`UsageError` where their sizes differ."""
        shapes = dict.fromkeys(picture.image.shape for picture in self.pictures)
        if len(shapes) > 1:
            sizes = " and ".join("x".join(map(str, shape)) for shape in shapes)
            raise UsageError(f"the pictures are {sizes}; take them one by one from .pictures")
        return np.stack([p.image for p in self.pictures])

    @property
    def opacities(self) -> Array:
        """The opacities of all images, [N, H, W] in [0, 1]; those of opaque ones are 1."""
        shape = self.images.shape[1:3]
        opacities = [p.opacity for p in self.pictures]
        return np.stack([np.ones(shape, np.float32) if o is None else o for o in opacities])

    @property
    def scores(self) -> Array:
        """The scores of the finished images, [N]."""
        return np.array([p.score for p in self.pictures], np.float32)

    def facets(self) -> list[FacetReport]:
        """Report what the probes of facets say of the pictures of targets that have facets.

        Example:
            >>> kerasviz.render(net, "block3b:7", facets="themes").facets()  # doctest: +SKIP
        """
        return report_facets(self._required_net(), self.pictures)

    def latents(self) -> list[LatentReport]:
        """Report whether the latents of autoencoders are on in their pictures.

        A picture in which its latent is off does not show it.
        """
        net = self._required_net()
        return [
            report
            for picture in self.pictures
            for report in report_latents(net, picture.request, picture.image, picture.opacity)
        ]

    @property
    def losses(self) -> Array:
        """Minus the score at every step, on the transformed images, [N, steps].

        NaN after the last step of a picture that has ended early.
        """
        steps = max(len(p.history) for p in self.pictures)
        ends = [(0, steps - len(p.history)) for p in self.pictures]
        padded = [
            np.pad(p.history, end, constant_values=np.nan)
            for p, end in zip(self.pictures, ends, strict=True)
        ]
        return -np.stack(padded)

    @property
    def snapshots(self) -> dict[int, Array]:
        """The images [N, H, W, C] by step number; 0 is the initial noise."""
        steps = self.pictures[0].snapshots
        return {step: np.stack([p.snapshots[step] for p in self.pictures]) for step in steps}

    def _required_net(self) -> Network:
        if self.net is None:
            raise UsageError(
                "this rendering was pickled, which leaves out its network; give it one: "
                "dataclasses.replace(r, net=net)"
            )
        return self.net

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: networks hold graphs, which no other process can take."""
        return {**vars(self), "net": None}

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """Everything that is needed to render each picture again."""
        return [provenance(p, self.network, self.environment) for p in self.pictures]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run before all pictures were finished."""
        return bool(self.missing) or any(p.interrupted for p in self.pictures)

    @property
    def interruption(self) -> str:
        """Say what an interrupted run lacks, ``""`` for a complete one."""
        parts = []
        if running := [p for p in self.pictures if p.interrupted]:
            steps = f"{running[0].steps} of {running[0].request.recipe.steps}"
            parts.append(f"{_count(len(running))} interrupted after step {steps}")
        if self.missing:
            parts.append(f"{_count(len(self.missing))} not begun")
        return ", ".join(parts)

    # -- looking and keeping -----------------------------------------------------------------

    def to_pil(self, columns: int | None = None) -> Image.Image:
        """Return a contact sheet as one image of Pillow; that of a picture is ``r[0].to_pil()``.

        Args:
            columns: The number of pictures in a row; by default about as many as rows.
        """
        return contact_sheet([picture.to_pil() for picture in self.pictures], columns)

    def show(self) -> None:
        """Show the contact sheet: below the cell of a notebook, else in the system's viewer."""
        show(self)

    def plot(self, axes: Any = None) -> Any:
        """Draw the score of every picture over the steps with matplotlib; return the axes.

        Args:
            axes: Where to draw; by default a new figure.

        Raises:
            UsageError: Without matplotlib.
        """
        return plot_scores(self.pictures, axes)

    def compare(self, other: Rendering) -> RenderingComparison:
        """Set two renderings side by side; a notebook shows each pair, and what differs."""
        from kerasviz.rendering.rendering_comparison import RenderingComparison

        return RenderingComparison(self, other)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Save the pictures as ``kerasviz render`` does, and return the path of the page.

        ``kerasviz verify`` checks the folder, and the command continues it. Interrupted pictures
        are left out: to the command they are still to be made.

        Args:
            folder: A new folder, or one with pictures of the same network.

        Raises:
            UsageError: For a folder with another network's pictures, and where no picture is
                finished.
        """
        open_ended = {p.request for p in self.pictures if p.interrupted}
        finished = [p for p in self.pictures if p.request not in open_ended]
        if not finished:
            raise UsageError(f"nothing to save in {str(folder)!r}: no picture is finished")
        net = self._required_net()
        store = Store(Path(folder), net)
        make_folder(store.folder)
        store.remove_requests({picture.request for picture in finished})
        for picture in finished:
            store.add(picture, self.environment)
        store.merge()
        line = CommandLine.of_python(net, finished[0].request.recipe.name)
        return write_index(store.folder, store.manifest(), line.of_store(store))


def _count(number: int) -> str:
    return f"{number} picture{'' if number == 1 else 's'}"
