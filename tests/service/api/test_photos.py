"""Jobs of several photos: spectra and facets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from support.facet_fixtures import write_themes
from support.service_fixtures import send_photos, state_of, work

from kerasviz.io.images import decode, encode, to_image
from kerasviz.network.network import Network
from kerasviz.rendering.facet_reports import recorded_facets
from kerasviz.rendering.picture_options import PictureOptions, requests_for
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

Served = Callable[..., TestClient]
ASK: dict[str, Any] = {"network": "small", "targets": ["prob:1"], "steps": 2, "size": 24}


def coloured(seed: int, colour: tuple[float, float, float], side: int = 30) -> Any:
    noise = np.random.default_rng(seed).uniform(-0.2, 0.2, (side, side + 2, 3))
    return np.clip(noise + colour, 0, 1)


#: 25 targets, each of which has two facets besides.
SUMS = ["relu:0-5", *(f"prob:{k}" for k in range(4))]
SUMS += [f"relu:{a} + relu:{b}" for a in range(6) for b in range(a)]
RED, BLUE = (0.8, 0.2, 0.2), (0.2, 0.2, 0.8)


def network_of(client: TestClient) -> Network:
    net: Network = state_of(client).networks.get("small")
    return net


def test_pictures_have_the_spectrum_of_photos_that_were_sent(served: Served) -> None:
    client = served()
    photos = send_photos(client, *(coloured(k, RED, side=40) for k in range(2)))
    body = {**ASK, "recipe": "maco", "spectrum": photos}
    asked = client.post("/api/renders", json=body)
    assert asked.status_code == 202, asked.text
    usual = client.post("/api/renders", json={**body, "spectrum": None}).json()
    work(client)
    (picture,) = client.get(asked.json()["url"]).json()["pictures"]
    (other,) = client.get(usual["url"]).json()["pictures"]
    assert picture["recipe"] == "maco" and picture["sha256"] != other["sha256"]
    about = client.get(picture["provenance"]).json()
    spectrum = about["recipe"]["parameterization"]["spectrum"]
    assert spectrum["name"] == "photos (2 photos)"
    net = network_of(client)
    folder = state_of(client).setting.pictures / "small"
    options = RecipeOptions(
        "maco", 2, 24, spectrum=tuple(state_of(client).photos.find(photo) for photo in photos)
    )
    held: Any = options.chosen().parameterization
    assert spectrum["held"] == held.spectrum.checksum, "as from Python"
    results, notes = verify_pictures(folder, net)
    assert [r.result for r in results] == ["same"] * 2 and not notes
    for wrong, line in (
        ({"recipe": "fast"}, "do not have that of photos"),
        ({"size": 64}, "all photos have less than 64 pixels a side"),
        ({"spectrum": ["0" * 16]}, "no photo '0000000000000000'; send it first"),
        ({"spectrum": []}, "spectrum"),
    ):
        refused = client.post("/api/renders", json={**body, **wrong})
        assert refused.status_code == 422 and line in refused.json()["error"], refused.text
        assert str(folder.parents[1]) not in refused.text


def test_pictures_are_steered_towards_facets_of_photos(served: Served, tmp_path: Path) -> None:
    client = served()
    photos = {
        name: send_photos(client, *(coloured(k, colour) for k in range(3)))
        for name, colour in (("red", RED), ("blue", BLUE))
    }
    body = {**ASK, "facets": photos, "facet_weight": 2}
    asked = client.post("/api/renders", json=body)
    assert asked.status_code == 202, asked.text
    assert (asked.json()["rows"], asked.json()["request"]["facets"]) == (3, photos)
    assert client.post("/api/renders", json=body).json()["id"] == asked.json()["id"]
    work(client)
    done = client.get(asked.json()["url"]).json()
    assert done["state"] == "done", done["error"]
    made = done["pictures"]
    assert [one["target"] for one in made] == ["prob:1", "prob:1, facet red", "prob:1, facet blue"]
    assert len({one["sha256"] for one in made}) == 3
    assert [sorted(one["facets"]) for one in made] == [["blue", "red"]] * 3
    # As the command makes them, of folders of the same photos.
    for name, colour in (("red", RED), ("blue", BLUE)):
        (tmp_path / "themes" / name).mkdir(parents=True)
        for k in range(3):
            data = encode(to_image(coloured(k, colour)), "png")
            (tmp_path / "themes" / name / f"{k}.png").write_bytes(data)
    net = network_of(client)
    store = Store(state_of(client).setting.pictures / "small", net)
    options = PictureOptions.of(0, None, None, False, 2, facets=tmp_path / "themes", facet_weight=2)
    requests = requests_for(net, ["prob:1"], RecipeOptions("fast", 2, 24), options)
    assert [request.text for request in requests[:1]] == ["prob:1"]
    assert {request.key(net) for request in requests} == {
        picture.key for picture in state_of(client).jobs.get(done["id"]).pictures
    }
    reports = recorded_facets(store, requests)
    by_target = {one["target"]: one["facets"] for one in made}
    assert {report.target: report.logits for report in reports} == by_target
    results, notes = verify_pictures(store.folder, net)
    assert [r.result for r in results] == ["same"] * 3 and not notes
    # A facet that is asked for later has its probe of the picture that is already there.
    green = send_photos(client, *(coloured(k, (0.1, 0.9, 0.1)) for k in range(2)))
    later = client.post("/api/renders", json={**body, "facets": {"green": green, **photos}}).json()
    work(client)
    (plain, *_) = client.get(later["url"]).json()["pictures"]
    assert sorted(plain["facets"]) == ["blue", "green", "red"]


def test_the_facets_of_a_folder_are_known_and_units_have_pictures_of_them(
    served: Served, tmp_path: Path
) -> None:
    assert served().get("/api/facets").json() == {}
    colours = {"blue": (60, 60, 200), "red": (200, 60, 60)}
    themes = write_themes(tmp_path / "themes", colours)
    client = served(data=tmp_path / "other", facets=themes)
    found = client.get("/api/facets").json()
    assert {name: len(ids) for name, ids in found.items()} == {"blue": 6, "red": 6}
    assert client.get(f"/api/photos/{found['red'][0]}").json()["name"] == "0.png"
    body = {**ASK, "targets": ["logits:1"], "facets": found, "snapshots": [1, 0, 1]}
    asked = client.post("/api/renders", json=body)
    assert asked.status_code == 202, asked.text
    work(client)
    done = client.get(asked.json()["url"]).json()
    assert done["state"] == "done", done["error"]
    pictures = client.get("/api/networks/small/unit?layer=logits&unit=1").json()["pictures"]
    shown = {one["facet"]: one for one in pictures}
    assert sorted((one["kind"], one["facet"]) for one in pictures) == [
        *(("channel", ""), ("facet", "blue"), ("facet", "red"))
    ]
    assert [one["step"] for one in shown["red"]["snapshots"]] == [0, 1]
    assert client.get(shown["red"]["snapshots"][0]["url"]).status_code == 200
    assert all(one["seconds"] > 0 for one in pictures)


def test_facets_that_cannot_be_are_refused_in_a_line(served: Served) -> None:
    client = served()
    red = send_photos(client, *(coloured(k, RED) for k in range(2)))
    blue = send_photos(client, *(coloured(k, BLUE) for k in range(2)))
    body = {**ASK, "facets": {"red": red, "blue": blue}}
    for change, line in (
        ({"facets": {"red": red[:1]}}, "facet red: 1 photo against 0 of others"),
        ({"facets": {"red": [*red, blue[0]]}}, "facet red: 3 photos against 0 of others"),
        ({"facets": {"../red": red}}, "facets.../red"),
        ({"facets": {}}, "facets"),
        ({"facets": {"red": ["none"]}}, "no photo 'none'; send it first"),
        ({"facet_weight": 1e9}, "facet_weight"),
        ({"targets": ["conv:1"]}, "no main layer is before it"),
        ({"targets": SUMS}, "more than 64 pictures"),
    ):
        refused = client.post("/api/renders", json={**body, **change})
        assert refused.status_code == 422 and line in refused.json()["error"], refused.text
        assert "\n" not in refused.json()["error"]


def test_a_photo_that_was_sent_is_shown_again(served: Served) -> None:
    client = served()
    (photo,) = send_photos(client, coloured(0, RED, side=300))
    about = client.get(f"/api/photos/{photo}").json()
    assert about == {"id": photo, "name": "0.png", "width": 302, "height": 300}
    answer = client.get(f"/api/photos/{photo}/thumbnail.png")
    image, _ = decode(answer.content)
    assert max(image.size) == 128 and answer.headers["content-type"] == "image/png"
    for address in ("/api/photos/0000000000000000", "/api/photos/no/thumbnail.png"):
        missing = client.get(address)
        assert missing.status_code == 404 and "send it first" in missing.json()["error"]
