"""Jobs that say how far finished pictures can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.service_fixtures import send_photos, state_of, work
from support.trust_fixtures import stripes

import kerasviz
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store
from kerasviz.rendering.trust_records import read_trust
from kerasviz.service import ServiceSettings
from kerasviz.service.api.app import create_app

ASK = {"network": "small", "steps": 2, "size": 24, "kind": "channel"}


@pytest.fixture
def client(small_model: Path, setting: Callable[..., ServiceSettings]) -> Iterator[TestClient]:
    """A service of a network and a judge, with two pictures of a class and one of another."""
    other = small_model.with_name("judge.keras")
    other.write_bytes(small_model.read_bytes())
    app = create_app(setting(models=(str(small_model), str(other))))
    with TestClient(app, base_url="http://localhost") as client:
        app.state.service.loading.wait(60)
        for seed, targets in ((0, ["logit:1", "logit:2"]), (1, ["logit:1"])):
            client.post("/api/renders", json={**ASK, "targets": targets, "seed": seed})
        work(client)
        yield client


def files_of(client: TestClient) -> list[str]:
    jobs = client.get("/api/renders").json()
    return sorted(picture["file"] for job in jobs for picture in job["pictures"])


def photos() -> list[Any]:
    return [np.asarray(stripes(k, k % 2 == 0), float) / 255 for k in range(6)]


def test_pictures_are_compared_with_photos_each_other_and_a_judge(
    client: TestClient, tmp_path: Path
) -> None:
    files = files_of(client)
    assert len(files) == 3
    sent = send_photos(client, *photos())
    body = {"network": "small", "pictures": files, "photos": sent, "judge": "judge"}
    asked = client.post("/api/trust", json=body)
    assert asked.status_code == 202, asked.text
    job = asked.json()
    assert (job["state"], job["trust"], job["request"]) == ("accepted", None, body)
    folder = state_of(client).setting.data / "trust"
    assert len(list(folder.glob("*/*.png"))) == 6
    work(client)
    done = client.get(job["url"]).json()
    assert (done["state"], done["pictures"]) == ("done", []), done["error"]
    found = done["trust"]["pictures"]
    assert {one["file"] for one in found} == set(files)
    assert not list(folder.iterdir()), "the photos of the job have gone"
    # The numbers are those of Python for the same pictures and photos.
    same = tmp_path / "photos"
    same.mkdir()
    for photo in sent:
        path = state_of(client).photos.find(photo)
        (same / f"{photo}-{path.stem}.png").write_bytes(path.read_bytes())
    net, judge = (state_of(client).networks.get(name) for name in ("small", "judge"))
    pictures = state_of(client).setting.pictures / "small"
    recorded = read_trust(pictures)
    report = kerasviz.trust(pictures, net, images=same, judge=judge, batch=8, progress=False)
    for one in found:
        expected, numbers = report.pictures[one["file"]], one["numbers"]
        assert recorded[one["file"]] == numbers
        for name in ("agreement", "natural", "spectrum"):
            ours = {
                k: v for k, v in numbers.get(name, {}).items() if k not in ("source", "strongest")
            }
            assert ours == {k: expected[name][k] for k in ours}, name
        assert (
            numbers["transfer"]["place"]
            == expected["transfer"]["place"]
            == (numbers["transfer"]["own_place"])
        ), "the judge is the same network"
        assert one["rows"][0][0] == "against photos"
        assert client.get(one["url"]).status_code == 200
    assert sum("agreement" in one["numbers"] for one in found) == 2
    again = client.post("/api/trust", json=body)
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    assert not list(folder.iterdir())
    # Units have the numbers of their pictures, and jobs of trust stand among the others.
    listed = client.get("/api/renders").json()
    assert listed[0]["id"] == job["id"] and len(listed) == 3
    unit = client.get("/api/networks/small/unit", params={"layer": "logits", "unit": 1}).json()
    assert {picture["file"] for picture in unit["pictures"]} < set(files)
    rows = {one["file"]: [list(row) for row in one["rows"]] for one in found}
    assert [picture["trust"] for picture in unit["pictures"]] == [
        rows[picture["file"]] for picture in unit["pictures"]
    ]
    assert client.get(f"{job['url']}/pictures/0.png").status_code == 404


def test_photos_of_classes_are_said_to_be_such(client: TestClient) -> None:
    sent = send_photos(client, *photos())
    body = {
        "network": "small",
        "pictures": files_of(client)[:1],
        "photos": {"1": sent[:3], "other things": sent[3:]},
    }
    job = client.post("/api/trust", json=body).json()
    folder = state_of(client).setting.data / "trust"
    names = sorted(path.name for path in folder.glob("*/*"))
    assert names == ["1", "other things"]
    client.delete(job["url"])
    assert not list(folder.iterdir()), "a cancelled job keeps no photos"


def test_a_job_that_waited_goes_on_after_a_restart(
    client: TestClient, setting: Callable[..., ServiceSettings]
) -> None:
    sent = send_photos(client, *photos())
    body = {"network": "small", "pictures": files_of(client), "photos": sent}
    job = client.post("/api/trust", json=body).json()
    state = state_of(client)
    left = state.setting.data / "trust" / "0123456789abcdef"
    left.mkdir()  # of a job that was killed
    client.__exit__(None, None, None)
    with TestClient(create_app(state.setting), base_url="http://localhost") as restarted:
        state_of(restarted).loading.wait(60)
        assert not left.exists() and len(list(left.parent.iterdir())) == 1
        work(restarted)
        done = restarted.get(job["url"]).json()
        assert done["state"] == "done" and len(done["trust"]["pictures"]) == 3, done["error"]
    client.__enter__()


def test_a_picture_that_was_replaced_is_not_compared(client: TestClient) -> None:
    files = files_of(client)
    job = client.post("/api/trust", json={"network": "small", "pictures": files}).json()
    store = state_of(client).setting.pictures / "small"
    opened = Store(store, state_of(client).networks.get("small"))
    opened.remove_requests(
        [p for p in map(_request_of(opened), opened.entries.values()) if p.seed == 1]
    )
    opened.save()
    work(client)
    failed = client.get(job["url"]).json()
    assert failed["state"] == "failed"
    assert failed["error"].endswith("is another picture now, or none; ask again")


def _request_of(store: Any) -> Callable[[Any], Any]:
    return lambda entry: Request.from_json(entry.target, store.requests[entry.request])


def test_what_cannot_be_compared_is_refused_in_a_line(client: TestClient) -> None:
    only, folder = files_of(client)[-1], state_of(client).setting.data
    for change, status, line in (
        ({"pictures": ["none.png"]}, 404, "no finished picture 'none.png' of small"),
        ({"pictures": ["../../jobs.sqlite"]}, 404, "no finished picture"),
        ({"pictures": []}, 422, "pictures"),
        ({"photos": ["0" * 16]}, 422, "no photo '0000000000000000'; send it first"),
        ({"photos": {"../x": []}}, 422, "photos"),
        ({"photos": ["0" * 16] * 501}, 422, "501 photos; send at most 500"),
        ({"judge": "nobody"}, 404, "no network 'nobody'"),
        ({"tap": "nothing"}, 422, "unknown tap"),
        ({"network": "nobody"}, 404, "no network 'nobody'"),
        ({}, 422, "give photos, a judge, or a second picture of the target"),
    ):
        body = {"network": "small", "pictures": [only], **change}
        refused = client.post("/api/trust", json=body)
        assert refused.status_code == status and line in refused.json()["error"], refused.text
        assert "\n" not in refused.json()["error"] and str(folder) not in refused.text
        assert not list((folder / "trust").glob("*")), "nothing is left of it"
