"""Pictures as a site in one file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from support import tiny

from kerasviz.optvis.objectives.objective import channel, neuron
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.service.gallery import Gallery
from kerasviz.service.sharing import site_of


def test_it_is_a_folder_of_pictures_with_all_that_makes_them_again(tmp_path: Path) -> None:
    net = tiny.network()
    store = Store(tmp_path / "made", net)
    quick = recipe("fast").replace(steps=1, size=(16, 24))
    objectives = {
        "relu1:1": channel("relu1", 1),
        "relu1:2@center": neuron("relu1", 2),
        "joined:3": channel("joined", 3),
    }
    render_into(store, [Request(text, each, quick) for text, each in objectives.items()])
    gallery = Gallery(tmp_path / "made", net, CommandLine("tiny", (), "fast"))

    def unpacked(name: str, tap: str | None) -> Path:
        with site_of(gallery, "tiny", tap) as archive, zipfile.ZipFile(archive) as read:
            read.extractall(tmp_path / name)
        return tmp_path / name / "tiny"

    whole, part = unpacked("whole", None), unpacked("part", net.taps["relu1"].name)
    for folder, count in ((whole, 3), (part, 2)):
        page = (folder / "index.html").read_text()
        listed = json.loads((folder / "manifest.json").read_text())
        assert len(listed["pictures"]) == len(list(folder.glob("*.png"))) == count
        assert page.count('<figure class="card"') == count
        for entry in listed["pictures"]:
            assert (folder / entry["file"]).read_bytes() == (
                tmp_path / "made" / entry["file"]
            ).read_bytes()
            assert entry["request"] in listed["requests"]
    assert len(json.loads((part / "manifest.json").read_text())["requests"]) == 2
    # The folder is a store: a run into it finds its pictures.
    again = Store(whole, net)
    assert again.complete(Request("joined:3", objectives["joined:3"], quick))
    assert np.asarray(Image.open(next(whole.glob("*.png")))).shape == (16, 24, 3)
