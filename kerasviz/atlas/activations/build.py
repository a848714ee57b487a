"""Build an activation atlas from its samples: cells, icons on workers, sheets and the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kerasviz.analysis.atlas_cells import typical_points
from kerasviz.atlas.activations.definition import ActivationAtlas, agree_on, recorded_definition
from kerasviz.atlas.activations.icons import IconGrid, icon_grids, too_few
from kerasviz.atlas.activations.page import GridFiles, grid_data, write_page
from kerasviz.atlas.activations.points import lay_out
from kerasviz.atlas.activations.samples import ActivationSamples
from kerasviz.atlas.activations.sampling import PositionSampling
from kerasviz.atlas.activations.sheets import icon_reader, photo_crops, write_sheets
from kerasviz.atlas.assemble import SiteBuilder
from kerasviz.atlas.make import recorded_as
from kerasviz.atlas.picture_run import PictureRun
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.worker_options import WorkerOptions
from kerasviz.examples.datasets import Source
from kerasviz.examples.kept_fields import kept_field
from kerasviz.io.files import make_folder
from kerasviz.io.storage import Storage
from kerasviz.network.network import Network
from kerasviz.rendering.store import Store, unique_requests


@dataclass(frozen=True)
class PhotoCrops:
    """Name the photos that were sampled, of which cells show crops."""

    source: Source
    sampling: PositionSampling

    def of(
        self, samples: ActivationSamples, points: Sequence[Sequence[int]]
    ) -> dict[int, Image.Image]:
        """Return a crop for each of some points, of cells, as far as their photos are there."""
        assert samples.positions is not None
        sampled = self.sampling.sampled
        field = kept_field(sampled.net, sampled.tap, sampled.size)
        every = sorted({point for some in points for point in some})
        found = photo_crops(
            self.source, samples.positions, every, field, self.sampling.map, sampled.batch
        )
        return dict(found)


@dataclass(frozen=True)
class AtlasBuild:
    """Build an atlas into a storage, and ``report`` how far it is."""

    net: Network
    atlas: ActivationAtlas
    storage: Storage
    workers: WorkerOptions
    report: Callable[[float, str], None]

    def run(
        self,
        samples: ActivationSamples,
        layout: str | os.PathLike[str] | None,
        crops: PhotoCrops | None,
        notes: Sequence[str],
    ) -> tuple[str, list[IconGrid], RunProgress]:
        """Return the address of the page, the grids, and what was rendered."""
        engine = self.workers.maker()
        if recorded_definition(self.storage) is not None:
            agree_on(self.storage, self.atlas)
        points = self.atlas.classes.points(samples)
        samples = samples if points is None else samples.of(points)
        folder = make_folder(SiteBuilder(self.storage).folder)
        grids = self._grids(samples, layout, folder)
        atlas = agree_on(self.storage, self.atlas)
        net = recorded_as(self.net, atlas.work)
        requests = unique_requests(net, [r for grid in grids for r in grid.requests])
        run = PictureRun(
            net,
            atlas.work,
            self.storage,
            engine,
            requests,
            {"watch": self._watch, "about": self.workers.to_json()},
        )

        def assemble(store: Store) -> str:
            data = [self._grid(store, grid, samples, crops, run.say) for grid in grids]
            index = write_page(folder, net, atlas, samples, data, notes)
            store.merge()
            if self.storage.local is None:
                run.builder.upload()
            return self.storage.address(index.relative_to(folder).as_posix())

        return run.finish(assemble), grids, run.progress

    def _grids(
        self, samples: ActivationSamples, layout: str | os.PathLike[str] | None, folder: Path
    ) -> list[IconGrid]:
        """Lay the samples out, and cut them into the cells of all grids."""
        atlas = self.atlas
        if len(samples) <= atlas.least:
            raise too_few(atlas, samples)

        def say(text: str) -> None:
            self.report(0.0, text)

        places = lay_out(samples, layout, atlas.classes, atlas.work.seed, folder, say)
        say("averaging cells")
        return icon_grids(self.net, atlas, samples, places)

    def _grid(
        self,
        store: Store,
        grid: IconGrid,
        samples: ActivationSamples,
        crops: PhotoCrops | None,
        say: Callable[[str], None],
    ) -> dict[str, object]:
        """Write the sheets of a grid, and return its data for the page."""
        out = store.folder.parent
        by_key = {entry.key: entry for entry in store.entries.values()}
        entries = [by_key[request.key(store.net)] for request in grid.requests]
        name = f"icons-{grid.grid}"
        icons = write_sheets(store, out, name, len(entries), icon_reader(store, entries))
        files = GridFiles(icons, _size(store, entries))
        if crops is not None and self.atlas.examples and len(grid.cells):
            say(f"cutting crops for {len(grid.cells):,} cells of {grid.grid} x {grid.grid}")
            points = typical_points(
                samples.values, samples.photos, grid.cells, grid.means, self.atlas.examples
            )
            files = _with_crops(store, out, grid, files, points, crops.of(samples, points))
        return grid_data(grid, files, samples, self.atlas.classes.numbers)

    def _watch(self, progress: RunProgress) -> None:
        words = f"{progress.finished:,} of {progress.pictures:,} icons"
        if progress.alive:
            words += f", {progress.alive} worker{'' if progress.alive == 1 else 's'}"
        self.report(progress.finished / max(1, progress.pictures), progress.stage or words)


def _size(store: Store, entries: Sequence[object]) -> tuple[int, int]:
    """Return (height, width) of an icon on its sheet."""
    if not entries:
        return 1, 1
    width, height = icon_reader(store, entries)(0).size  # type: ignore[arg-type]
    return height, width


def _with_crops(
    store: Store,
    out: Path,
    grid: IconGrid,
    files: GridFiles,
    points: Sequence[Sequence[int]],
    crops: dict[int, Image.Image],
) -> GridFiles:
    """Write the sheets of crops, cell by cell, and return the files with them."""
    tiles: list[Image.Image] = []
    numbers: list[list[int]] = []
    for some in points:
        known = [crops[point] for point in some if point in crops]
        numbers.append(list(range(len(tiles), len(tiles) + len(known))))
        tiles += known
    sheets = write_sheets(store, out, f"crops-{grid.grid}", len(tiles), tiles.__getitem__)
    return GridFiles(files.icons, files.size, sheets, numbers)
