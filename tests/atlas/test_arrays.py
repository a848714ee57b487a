from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.atlas_fixtures import threads
from support.facet_fixtures import themes

from kerasviz.atlas.arrays import array_paths, read_arrays, write_arrays
from kerasviz.atlas.definition import Atlas, agree
from kerasviz.atlas.download import fetched
from kerasviz.atlas.leases import Owner
from kerasviz.atlas.shards import picture_path, read_shards
from kerasviz.atlas.tasks import tasks_of
from kerasviz.atlas.worker import job_of
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.images import decode
from kerasviz.io.storage import Storage
from kerasviz.network.network import Network
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store

__all__ = ["themes"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(2):
        noise = np.random.default_rng(k).integers(0, 256, (20, 22, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{k}.png")
    return folder


@pytest.fixture
def atlas(net: Network, photos: Path) -> Atlas:
    """Pictures with the spectrum of photos, which have an opacity of their own."""
    options = RecipeOptions("maco", 1, 16, precision="float32", spectrum=photos)
    return replace(Atlas.asked(net, ["relu2"], options), threads=threads())


@pytest.fixture
def steered(net: Network, themes: Path) -> Atlas:
    """Pictures that are steered towards red and blue photos."""
    options = RecipeOptions("fast", 1, 16, precision="float32")
    atlas = replace(Atlas.asked(net, ["relu2"], options), threads=threads())
    return atlas.with_facets(net, themes)


def made_by_a_worker(
    atlas: Atlas, number: int, net: Network, model_file: Path, folder: Path
) -> list[Path]:
    """Let a worker make a batch, compare it with what is rendered here, and return its files."""
    storage = Storage(str(folder / "atlas"))
    write_arrays(storage, (atlas.recipe, atlas.facets))
    plain = Atlas.from_json(atlas.to_json())  # as another machine reads it, without photos
    assert plain == atlas
    owner = Owner("here", "another machine", 1, 1)
    worker: Any = job_of(plain, storage, owner, str(model_file)).prepare()
    task = tasks_of(net, atlas.batches(net))[number]
    assert worker(task.payload)["state"] == "made"
    store = Store(folder / "store", net)
    render_into(store, atlas.batches(net)[number].requests)
    theirs = {(e.key, e.row): e.sha256 for e in store.entries.values()}
    ((_, shard),) = read_shards(storage, [task.name])
    assert shard is not None and shard.entries
    assert {(e.key, e.row): e.sha256 for e in shard.entries} == theirs
    return [folder / "atlas" / picture_path(entry) for entry in shard.entries]


def test_workers_make_the_pictures_of_a_spectrum_of_photos(
    atlas: Atlas, net: Network, model_file: Path, tmp_path: Path
) -> None:
    first, *_ = made_by_a_worker(atlas, 0, net, model_file, tmp_path)
    with Image.open(first) as image:
        assert image.mode == "RGBA"


def test_workers_make_the_pictures_of_facets(
    steered: Atlas, net: Network, model_file: Path, tmp_path: Path
) -> None:
    batches = steered.batches(net)
    number = next(
        i
        for i, batch in enumerate(batches)
        if any(term.kind == "facet" for term in batch.requests[0].objective.terms)
    )
    files = made_by_a_worker(steered, number, net, model_file, tmp_path)
    targets = {str((decode(path.read_bytes())[1] or {})["target"]) for path in files}
    assert any(target.startswith("relu2:") for target in targets)
    assert all(target.endswith((", facet blue", ", facet red")) for target in targets)


def test_facets_stand_in_the_place_of_diverse_pictures(
    steered: Atlas, net: Network, themes: Path, tmp_path: Path
) -> None:
    row = steered.layout(net).blocks[0]
    names = ["relu2:0@center", "relu2:0", *(f"relu2:0, facet {f}" for f in ("blue", "red"))]
    assert [tile.request.text for tile in row.optimized] == [*names, "-relu2:0"]
    plain = replace(steered, facets=())
    with pytest.raises(UsageError, match="facets: there blue, red, here none"):
        storage = Storage(str(tmp_path / "atlas"))
        agree(storage, steered)
        agree(storage, plain)
    for k in range(3):
        shutil.copytree(themes / "red", tmp_path / "many" / f"red{k}")
        shutil.copytree(themes / "blue", tmp_path / "many" / f"blue{k}")
    with pytest.raises(UsageError, match="6 folders; an atlas has room for 4 facets"):
        plain.with_facets(net, tmp_path / "many")


def test_arrays_are_read_as_they_were_written_or_said_to_be_damaged(
    atlas: Atlas, tmp_path: Path
) -> None:
    storage = Storage(str(tmp_path / "atlas"))
    plain = Atlas.from_json(atlas.to_json())
    with pytest.raises(KerasvizError, match=r"photos \(2 photos\): .* is missing or damaged"):
        read_arrays(storage, plain)
    write_arrays(storage, atlas.recipe)
    (spectrum,) = array_paths(atlas.recipe)
    found: Any = read_arrays(storage, plain).recipe.parameterization
    original: Any = atlas.recipe.parameterization
    numbers = [p.spectrum.numbers for p in (found, original)]
    np.testing.assert_array_equal(*numbers)
    assert read_arrays(storage, atlas) is atlas, "nothing is read that is known"
    (tmp_path / "atlas" / spectrum).write_bytes(b"damaged")
    with pytest.raises(KerasvizError, match="missing or damaged"):
        read_arrays(storage, plain)


def test_the_arrays_of_pictures_are_downloaded_with_them(
    atlas: Atlas, net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "remote" / "pictures", net)
    render_into(store, atlas.requests(net)[:1])
    store.save()
    copied: list[str] = []
    original: Callable[..., Any] = Storage.read_many

    def noted(storage: Storage, paths: Any) -> Any:
        copied.extend(paths)
        return original(storage, paths)

    monkeypatch.setattr(Storage, "read_many", noted)
    with fetched(str(tmp_path / "remote")) as folder:
        assert set(array_paths(atlas.recipe)) <= set(copied)
        names = [Path(path).name for path in array_paths(atlas.recipe)]
        assert all((folder / name).is_file() for name in names)
