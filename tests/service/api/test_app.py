from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.service_fixtures import state_of, work

from kerasviz.errors import UsageError
from kerasviz.io.images import decode, encode, to_image
from kerasviz.optvis.recipe import media_of_recipe
from kerasviz.optvis.recipes import RECIPE_SUMMARIES, RECIPES
from kerasviz.rendering.pages import TYPEFACE
from kerasviz.service import Limits, ServiceSettings
from kerasviz.service.api.app import create_app
from kerasviz.service.jobs.picture_queue import Queue
from kerasviz.service.jobs.worker import preview_path
from kerasviz.service.networks import Networks

Served = Callable[..., TestClient]
ASK = {"network": "small", "targets": ["relu:1", "relu:2"], "steps": 3, "size": 24}


def events(client: TestClient, address: str) -> list[tuple[str, Any]]:
    with client.stream("GET", address) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line and not line.startswith(":")]
    names, data = lines[::2], lines[1::2]
    assert all(n.startswith("event: ") for n in names) and all(d.startswith("data: ") for d in data)
    return [(n[7:], json.loads(d[6:])) for n, d in zip(names, data, strict=True)]


def test_a_network_is_described_with_its_graph(served: Served) -> None:
    client = served()
    (listed,) = client.get("/api/networks").json()
    assert (listed["name"], listed["loaded"], listed["layers"], listed["classes"]) == (
        "small",
        True,
        3,
        4,
    )
    found = client.get("/api/networks/small").json()
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["relu"]["shape"] == [111, 111, 6] and layers["relu"]["units"] == 6
    assert layers["prob"]["inputs"] == ["logits"] and layers["logits"]["shape"] == [1, 1, 4]
    recipes = [recipe["name"] for recipe in found["recipes"]]
    of_images = [n for n, r in RECIPES.items() if "image" in media_of_recipe(r)]
    assert recipes == of_images and found["recipes"][2]["summary"] == RECIPE_SUMMARIES["fast"]
    assert found["examples"] is False
    assert client.get("/api/networks/no").status_code == 404


def test_a_job_is_made_once_and_its_pictures_are_found_everywhere(served: Served) -> None:
    client = served()
    asked = client.post("/api/renders", json=ASK)
    job = asked.json()
    assert asked.status_code == 202 and asked.headers["location"] == job["url"]
    assert (job["state"], job["rows"], job["pictures"]) == ("accepted", 2, [])
    assert client.post("/api/renders", json=ASK).json()["id"] == job["id"]
    work(client)
    assert client.post("/api/renders", json=ASK).status_code == 200
    done = client.get(job["url"]).json()
    assert (done["state"], done["fraction"], len(done["pictures"])) == ("done", 1.0, 2)
    assert [name for name, _ in events(client, job["events"])] == ["done"]
    for picture in done["pictures"]:
        image = client.get(picture["url"])
        assert "immutable" in image.headers["cache-control"]
        assert decode(image.content)[0].size == (24, 24)
        again = client.get(f"{job['url']}/pictures/{picture['row']}.png")
        assert again.content == image.content
        about = client.get(picture["provenance"]).json()
        assert about["target"] == picture["target"] and about["compiled_batch"] == 2
    wall = client.get("/api/networks/small/layer", params={"layer": "relu"}).json()
    there = [unit["unit"] for unit in wall["units"] if unit["picture"]]
    assert there == [1, 2] and wall["units"][1]["picture"] == done["pictures"][0]["url"]
    words = {"layer": "relu", "unit": 2}
    page = client.get("/api/networks/small/unit", params=words).json()
    (shown,) = page["pictures"]
    assert (shown["kind"], page["previous"], page["next"]) == ("channel", 1, 3)
    assert "relu:2" in shown["command"] and "--batch 2" in shown["command"]
    assert "--preprocess unit" in shown["command"]
    assert client.get(shown["provenance"]).json()["target"] == "relu:2"
    assert [row["id"] for row in client.get("/api/renders").json()] == [job["id"]]


def test_pictures_are_taken_along_as_a_site(served: Served, tmp_path: Path) -> None:
    client = served()
    client.post("/api/renders", json=ASK)
    work(client)
    for query, wanted in (("", 2), ("?layer=relu", 2)):
        answer = client.get(f"/api/networks/small/share{query}")
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
        assert "small-pictures.zip" in answer.headers["content-disposition"]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            names = archive.namelist()
        assert {"small/index.html", "small/manifest.json"} <= set(names)
        assert sum(name.endswith(".png") for name in names) == wanted
    assert client.get("/api/networks/small/share?layer=nothing").status_code == 404
    none = client.get("/api/networks/small/share?layer=logits")
    assert none.status_code == 422 and "no pictures of logits yet" in none.json()["error"]


def test_events_tell_of_progress_previews_and_the_end(served: Served) -> None:
    client = served()
    state = state_of(client)
    job = client.post("/api/renders", json={**ASK, "steps": 40}).json()
    queue = Queue(state.database, "w")
    claim = queue.claim()
    assert claim is not None
    places = [picture.picture_id for picture in claim.pictures]
    preview_path(state.setting.previews, places[1], 0).write_bytes(b"a picture")
    queue.report(places, 16, 0.25, shown=True)
    found = []
    with client.stream("GET", job["events"]) as stream:
        for line in stream.iter_lines():
            found.append(line)
            if line.startswith("data") and "previews/1.png" in line:
                client.delete(job["url"])
    names = [line[7:] for line in found if line.startswith("event")]
    assert names == ["progress", "preview", "preview", "cancelled"]
    progress = json.loads(found[1][6:])
    assert (progress["step"], progress["steps"], progress["score"]) == (32, 80, 0.25)
    assert progress["made"] == 0
    assert client.get(f"{job['url']}/previews/1.png").content == b"a picture"
    assert client.get(f"{job['url']}/previews/0.png").status_code == 404
    assert client.get("/api/renders/no/events").status_code == 404


def test_directions_are_uploaded_and_shown_alone_and_in_balanced_sums(served: Served) -> None:
    client = served(allow_upload=True)
    buffer = io.BytesIO()
    np.savez(buffer, nmf=np.abs(np.random.default_rng(0).normal(size=(3, 6))), short=np.ones(5))
    sent = client.post("/api/directions", params={"name": "v.npz"}, content=buffer.getvalue())
    assert sent.status_code == 201
    assert client.get("/api/directions").json() == [sent.json()]
    assert {a["key"]: (a["vectors"], a["width"]) for a in sent.json()["arrays"]} == {
        "nmf": (3, 6),
        "short": (None, 5),
    }
    again = client.post("/api/directions", params={"name": "v.npz"}, content=buffer.getvalue())
    assert (again.status_code, again.json()) == (200, sent.json())
    other = client.post("/api/directions", params={"name": "v.npz"}, content=b"other")
    assert other.status_code == 409 and "another name" in other.json()["error"]
    targets = ["relu@v.npz:nmf[1]#cosine=2", "relu@v.npz:nmf[0] + logit:1"]
    job = client.post("/api/renders", json={**ASK, "targets": targets, "balance": True}).json()
    wrong = client.post("/api/renders", json={**ASK, "targets": ["relu@v.npz:short"]})
    assert wrong.status_code == 422
    assert wrong.json()["error"] == "direction v.npz:short: 5 numbers, relu has 6 channels"
    assert client.delete("/api/directions/v.npz").status_code == 204
    assert client.delete("/api/directions/v.npz").status_code == 404
    assert client.get("/api/directions").json() == []
    work(client)  # which needs no file: the vectors are in the job
    one, added = client.get(job["url"]).json()["pictures"]
    assert one["target"] == targets[0] and one["term_scores"] == {}
    assert list(added["term_scores"]) == ["relu@v.npz:nmf[0]", "logit:1"]
    assert added["alone"].keys() == added["term_scores"].keys()
    about = client.get(one["provenance"]).json()
    source = about["objective"][0]["source"]
    assert source == {"file": "v.npz", "sha256": sent.json()["sha256"], "key": "nmf", "row": 1}
    gone = client.post("/api/renders", json={**ASK, "targets": ["relu@v.npz:nmf[1]"]})
    assert gone.status_code == 422 and "none was uploaded yet" in gone.json()["error"]


def test_pictures_start_from_photos_that_were_sent(served: Served) -> None:
    client = served(limits=Limits(photos=2))
    draw = np.random.default_rng(0)
    sent = []
    for shape in ((40, 30, 3), (24, 24, 3)):
        data = encode(to_image(draw.random(shape)), "png")
        sent.append(client.post("/api/photos", params={"name": "my cat.png"}, content=data))
    assert [photo.status_code for photo in sent] == [201, 201]
    first, second = (photo.json() for photo in sent)
    assert (first["name"], first["width"], first["height"]) == ("my_cat.png", 30, 40)
    assert client.post("/api/photos", content=data).json()["id"] == second["id"]
    body = {**ASK, "targets": ["relu:1"], "size": 48, "steps": 10, "from": [first["id"]]}
    asked = client.post("/api/renders", json=body)
    assert asked.status_code == 202, asked.text
    job = asked.json()
    assert job["request"]["from"] == [first["id"]]
    work(client)  # which reads the photo beside the pictures
    done = client.get(job["url"]).json()
    assert done["state"] == "done", done["error"]
    (picture,) = done["pictures"]
    assert (picture["target"], picture["recipe"]) == ("relu:1, from my_cat.png", "accentuation")
    assert [snapshot["step"] for snapshot in picture["snapshots"]] == list(range(10))
    start, last, mask = (
        np.asarray(decode(client.get(url).content)[0], float)
        for url in (picture["snapshots"][0]["url"], picture["url"], picture["mask"])
    )
    assert start.shape == last.shape == (48, 48, 3)
    assert mask.shape == (48, 48) and mask.std() > 0
    assert abs(start - last).max() > 0
    again = client.post("/api/renders", json=body)
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    other = client.post("/api/renders", json={**body, "targets": ["inversion:relu"]})
    assert other.status_code == 202, other.text
    style = {"targets": ["style"], "style": second["id"], "from": [first["id"]]}
    other = client.post("/api/renders", json={**body, **style, "steps": 2})
    assert other.status_code == 202, other.text
    dream = {"recipe": "deepdream", "steps": 4, "size": 32}
    other = client.post("/api/renders", json={**body, **dream})
    work(client)
    (dreamt,) = client.get(other.json()["url"]).json()["pictures"]
    assert (dreamt["recipe"], dreamt["mask"], dreamt["snapshots"]) == ("deepdream", None, [])
    for wrong, line in (
        ({"style": second["id"], "from": None}, "the photo that is painted, too"),
        ({"from": ["0" * 16]}, "no photo '0000000000000000'; send it first"),
        ({"from": ["../../x"]}, "no photo '../../x'; send it first"),
        ({"balance": True, "targets": ["relu:1 + relu:2"]}, "pictures from a photo"),
        ({"kind": "neuron"}, "LAYER:UNIT@center"),
        ({"size": 4000}, "at most 512 pixels"),
        ({"param": "low-resolution"}, "cannot hold a photo"),
        ({"targets": ["inversion:relu"], "from": None}, "photo"),
    ):
        refused = client.post("/api/renders", json={**body, **wrong})
        assert refused.status_code == 422 and line in refused.json()["error"], refused.text
    client.post("/api/photos", content=encode(to_image(draw.random((8, 8, 3))), "png"))
    assert client.post("/api/renders", json={**body, "seed": 1}).status_code == 422, "two are kept"


def test_what_is_no_photo_is_refused_in_a_line(served: Served) -> None:
    refused = served().post("/api/photos", params={"name": "a\n.gif"}, content=b"GIF89a")
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("a_.gif: no picture that can be read: ")


def test_the_parameterization_and_transparency_can_be_chosen(served: Served) -> None:
    client = served()
    body = {**ASK, "targets": ["relu:1"], "param": "pixel"}
    job = client.post("/api/renders", json=body).json()
    work(client)
    (picture,) = client.get(job["url"]).json()["pictures"]
    about = client.get(picture["provenance"]).json()
    assert about["recipe"]["parameterization"]["kind"] == "pixel"
    assert body["param"] in client.get("/api/networks/small").json()["params"]
    clear = client.post("/api/renders", json={**body, "alpha": True}).json()
    work(client)
    (picture,) = client.get(clear["url"]).json()["pictures"]
    with Image.open(io.BytesIO(client.get(picture["url"]).content)) as image:
        assert image.mode == "RGBA"
    wrong = client.post("/api/renders", json={**body, "param": "aligned"})
    assert wrong.status_code == 422 and wrong.json()["error"].startswith("param")


def test_directions_are_not_taken_where_uploads_are_off(served: Served) -> None:
    client = served()
    sent = client.post("/api/directions", params={"name": "v.npy"}, content=b"data")
    assert sent.status_code == 403 and "--allow-upload" in sent.json()["error"]
    assert client.delete("/api/directions/v.npy").status_code == 403
    assert client.get("/api/directions").json() == []


def test_a_job_can_be_cancelled_twice_and_asked_for_again(served: Served) -> None:
    client = served()
    job = client.post("/api/renders", json=ASK).json()
    for _ in range(2):
        cancelled = client.delete(job["url"])
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    work(client)
    assert client.get(job["url"]).json()["state"] == "cancelled"
    assert client.post("/api/renders", json=ASK).json()["state"] == "accepted"
    assert client.delete("/api/renders/no").status_code == 404


def test_a_job_that_was_forgotten_says_to_ask_again(served: Served) -> None:
    client = served(limits=Limits(kept=1))
    first, *others = (
        client.post("/api/renders", json={**ASK, "targets": [f"relu:{k}"]}).json() for k in range(3)
    )
    for job in (first, *others[:1]):
        client.delete(job["url"])
    last = client.post("/api/renders", json={**ASK, "targets": ["relu:3"]})
    assert last.status_code == 202 and client.get(others[1]["url"]).status_code == 200
    for address in (first["url"], first["events"], f"{first['url']}/pictures/0.png"):
        found = client.get(address)
        assert found.status_code == 404 and "ask again" in found.json()["error"]
    again = client.post("/api/renders", json={**ASK, "targets": ["relu:0"]})
    assert again.status_code == 202 and again.json()["url"] == first["url"]


@pytest.mark.parametrize(
    ("change", "status", "line"),
    [
        ({"network": "no"}, 404, "no network 'no'; near: small"),
        ({"targets": ["relu:99"]}, 422, "units 0 to 5"),
        ({"targets": ["nothing"]}, 422, "unknown tap"),
        ({"targets": []}, 422, "targets"),
        ({"recipe": "no"}, 422, "choose from article, lucid, fast, vivid"),
        ({"targets": ["caricature:relu"]}, 422, "compares a layer with that of a photo"),
        ({"recipe": "accentuation", "size": 32}, 422, "start from a photo"),
        ({"size": 513}, 422, "at most 512"),
        ({"size": [8, 8, 8]}, 422, "size"),
        ({"steps": 0}, 422, "steps"),
        ({"steps": 10**6}, 422, "at most 4096"),
        ({"kind": "other"}, 422, "kind"),
        ({"seed": -1}, 422, "seed"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    served: Served, change: dict[str, Any], status: int, line: str
) -> None:
    found = served().post("/api/renders", json={**ASK, **change})
    assert found.status_code == status
    assert list(found.json()) == ["error"] and line in found.json()["error"]


def test_a_full_queue_says_when_to_try_again_and_a_full_disk_is_said(
    served: Served, setting: Callable[..., ServiceSettings]
) -> None:
    client = served(limits=Limits(queued=2))
    assert client.post("/api/renders", json=ASK).status_code == 202
    refused = client.post("/api/renders", json={**ASK, "seed": 1})
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    state = state_of(client)
    state.setting = replace(state.setting, limits=Limits(disk_bytes=10))
    assert client.post("/api/renders", json=ASK).status_code == 507


def test_activations_of_an_image_are_those_of_the_network(served: Served) -> None:
    client = served()
    pixels = np.random.default_rng(0).random((224, 224, 3)).astype(np.float32)
    data = encode(to_image(pixels), "png")
    net = state_of(client).networks.get("small")
    shown = np.asarray(decode(data)[0], np.float32)[None] / 255
    wanted = np.asarray(net.activations(shown, ["relu"])["relu"])[0]
    address = "/api/networks/small/activations?layer=relu"
    found = client.post(f"{address}&unit=2", content=data).json()
    assert found["shape"] == [111, 111, 6]
    assert np.allclose(found["map"], wanted[..., 2], rtol=1e-5, atol=1e-6)
    means = wanted.mean((0, 1))
    assert [top["unit"] for top in found["top"]] == np.argsort(-means).tolist()
    assert np.isclose(found["top"][0]["value"], means.max(), rtol=1e-5)
    assert client.post(address, content=data).json()["map"] is None
    assert client.post(address, content=b"no image").status_code == 422
    assert client.post(f"{address}&unit=6", content=data).status_code == 404


def test_large_photos_are_scaled_to_what_the_network_takes(served: Served) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (3000, 2000), (255, 0, 0)).save(buffer, "JPEG")
    address = "/api/networks/small/activations?layer=logits&unit=0"
    found = served().post(address, content=buffer.getvalue()).json()
    assert found["shape"] == [1, 1, 4] and len(found["top"]) == 4


def test_search_finds_units_and_layers(served: Served) -> None:
    client = served()

    def found(text: str) -> list[tuple[str, str, int | None]]:
        answer = client.get("/api/networks/small/search", params={"q": text}).json()
        return [(hit["kind"], hit["layer"], hit["unit"]) for hit in answer]

    assert found("relu:3") == [("unit", "relu", 3)]
    assert found("relu:6") == found("relu:x") == found("") == found("zzz") == []
    assert found("LOG") == [("layer", "logits", None)]


def test_health_metrics_and_documents(served: Served) -> None:
    client = served(workers=0)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    client.get("/api/networks/no")
    client.get("/api/networks/other")
    text = client.get("/metrics").text
    route = 'handler="/api/networks/{name}",method="GET",status="404"'
    assert f"kerasviz_http_requests_total{{{route}}} 2.0" in text
    assert "kerasviz_workers_wanted 0.0" in text and "kerasviz_networks_loaded 1.0" in text
    page = client.get("/docs").text
    for address in ("/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js"):
        assert address in page and client.get(address).status_code == 200
    assert "://" not in page
    document = client.get("/openapi.json").json()
    assert document["paths"]["/api/renders"]["post"]["requestBody"]
    front = client.get("/").text
    assert 'src="page/main.js"' in front and client.get("/page/main.js").status_code == 200
    typeface = client.get("/page/aileron.ttf")
    assert typeface.headers["content-type"] == "font/ttf"
    assert typeface.content == TYPEFACE.read_bytes()


def test_a_service_is_not_ready_while_it_loads_or_without_workers(
    setting: Callable[..., ServiceSettings],
) -> None:
    state = create_app(setting(workers=1)).state.service
    assert state.ready == "loading networks"
    state.loading.set()
    assert state.ready == "no worker lives"
    state.stopping.set()
    assert state.ready == "stopping"


def test_a_data_folder_has_one_service(
    served: Served, setting: Callable[..., ServiceSettings]
) -> None:
    served()
    app = create_app(setting())
    with pytest.raises(UsageError, match="another kerasviz serve works in"), TestClient(app):
        pass
    assert isinstance(app.state.service.failure, UsageError)


def test_a_network_that_cannot_be_loaded_is_said_and_the_others_are_served(
    served: Served, setting: Callable[..., ServiceSettings], tmp_path: Path
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    client = served(models=(*setting().models, str(tmp_path / "bad.onnx")))
    small, bad = client.get("/api/networks").json()
    assert small["loaded"] and not bad["loaded"] and bad["error"]
    assert client.get("/api/networks/bad").status_code == 503
    state = client.get("/v1/models/bad").json()["model_version_status"][0]["state"]
    assert state == "END"


def test_pictures_of_other_numbers_are_not_mixed(
    served: Served, setting: Callable[..., ServiceSettings]
) -> None:
    from kerasviz.network.input_spec import preset
    from kerasviz.zoo.model_source import ModelSource

    client = served()
    client.post("/api/renders", json=ASK)
    work(client)
    networks = Networks(setting(reading=ModelSource(input_spec=preset("caffe"))))
    with pytest.raises(UsageError, match="another --preprocess"):
        networks.get("small")


def test_names_that_clash_are_refused(setting: Callable[..., ServiceSettings]) -> None:
    with pytest.raises(UsageError, match="both be served as 'model'"):
        setting(models=("a/model.onnx", "b/model.keras")).sources()
