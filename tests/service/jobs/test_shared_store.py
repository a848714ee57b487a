from __future__ import annotations

import numpy as np
from support.signals import matcher

from kerasviz.rendering.render import render
from kerasviz.service.jobs.shared_store import SharedStore


def test_files_beside_pictures_are_told(tmp_path):
    net = matcher(np.ones((5, 2)), (30,), "batch,time,channel")
    made = render(net, "best:0", steps=2, progress=False)
    store = SharedStore(tmp_path, net)
    (files,) = store.add(list(made)).values()
    (picture,) = files
    assert picture["recipe"] == "signal"
    assert [entry["file"] for entry in picture["beside"]] == ["best-0.npy", "best-0.csv"]
    assert store.found([made[0].request]) == {made[0].request: files}
    (tmp_path / "best-0.csv").unlink()
    assert store.found([made[0].request]) == {}
