"""Requests that somebody made to do harm: each is refused in one line, and the service goes on."""

from __future__ import annotations

import base64
import io
import json
import logging
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.hostile import good_keras, onnx_bytes
from support.service_fixtures import READING

from kerasviz.service import Limits, ServiceSettings
from kerasviz.service.api.app import create_app

#: What leads out of a folder, or is no name on any system.
PATHS = (
    *("..", "../..", "../../etc/passwd", "/etc/passwd", "//etc/passwd", "..\\..\\secret", "."),
    *("....//....//secret", "secret.png", "../secret.png", "small/../../secret.png"),
    *(
        "%2e%2e%2fsecret",
        "..%252f..%252fsecret",
        "secret\x00.png",
        "C:\\secret",
        "~root",
        "a" * 5000,
    ),
    *(
        "file:///etc/passwd",
        "\r\nSet-Cookie: a=b",
        "\u2025/secret",
        "small\u0000",
        "'; DROP TABLE jobs;--",
    ),
)
SECRET = b"what nobody may see"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder around the service's data, with a secret."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret").write_bytes(SECRET)
    Image.new("RGB", (4, 4)).save(folder / "secret.png")
    return folder


@pytest.fixture(scope="module")
def client(folder: Path, small_model: Path) -> Iterator[TestClient]:
    setting = ServiceSettings(
        folder / "data",
        models=(str(small_model),),
        workers=0,
        allow_upload=True,
        reading=READING,
        limits=Limits(body_bytes=2 * 2**20, upload_bytes=4 * 2**20, queued=50),
    )
    app = create_app(setting)
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as started:
        assert app.state.service.loading.wait(60)
        yield started


@pytest.fixture(autouse=True)
def _alive(client: TestClient) -> Iterator[None]:
    """Whatever was sent, the service answers afterwards."""
    yield
    assert client.get("/healthz").status_code == 200
    answer = client.get("/api/networks/small/layer", params={"layer": "relu"})
    assert answer.status_code == 200


def refused(answer: Any, *statuses: int) -> str:
    """The line of a refusal, which is one of 4xx."""
    assert answer.status_code in (statuses or range(400, 500)), (answer.status_code, answer.text)
    line = answer.json()["error"]
    assert isinstance(line, str) and line and "\n" not in line and len(line) < 2000
    assert "Traceback" not in line and SECRET.decode() not in answer.text
    return line


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


# -- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_no_name_leads_out_of_the_data_folder(client: TestClient, folder: Path, path: str) -> None:
    """Every parameter of every route, as path segment and as query or body."""
    before = files(folder)
    one = quote(path, safe="")
    twice = quote(one, safe="")
    for name in (one, twice):
        for address in (
            f"/api/networks/{name}",
            f"/api/networks/{name}/layer?layer=relu",
            f"/api/networks/{name}/unit?layer=relu&unit=0",
            f"/api/networks/{name}/search?q=conv",
            f"/api/networks/{name}/provenance?file=x.png",
            f"/api/networks/{name}/example?layer=relu&unit=0&bucket=top&k=0",
            f"/api/networks/small/layer?layer={name}",
            f"/api/networks/small/unit?layer={name}&unit=0",
            f"/api/networks/small/provenance?file={name}",
            f"/api/networks/small/example?layer={name}&unit=0&bucket=top&k=0",
            f"/api/networks/small/example?layer=relu&unit=0&bucket={name}&k=0",
            f"/api/renders/{name}",
            f"/api/renders/{name}/events",
            f"/api/renders/{name}/pictures/0.png",
            f"/api/renders/{name}/previews/0.png",
            f"/api/renders/{name}/pictures/0/provenance",
            f"/api/renders?state={name}",
            f"/api/uploads/{name}",
            f"/pictures/{name}/secret.png",
            f"/pictures/small/{name}",
            f"/v1/models/{name}",
            f"/v1/models/{name}/metadata",
            f"/v1/models/small/versions/{name}",
            f"/page/{name}",
        ):
            answer = client.get(address)
            assert answer.status_code in range(400, 500) or _listed_only(address, answer), address
            assert SECRET.decode() not in answer.text
    for body in (
        {"network": path, "targets": ["conv:0"]},
        {"network": "small", "targets": [path]},
        {"network": "small", "targets": [f"{path}:0"]},
        {"network": "small", "targets": ["conv:0"], "recipe": path},
        {"network": "small", "targets": ["conv:0"], "kind": path},
    ):
        refused(client.post("/api/renders", json=body), 404, 422)
    for given in ({"name": f"../{path}"}, {"name": path + "/x"}, {"name": "n", "preprocess": path}):
        refused(client.post("/api/networks", params=given, content=b"x"), 422)
    refused(client.post(f"/v1/models/{one}:predict", json={"instances": []}), 400, 404, 422)
    refused(client.delete(f"/api/renders/{one}"), 404, 405)
    assert files(folder) == before


def _listed_only(address: str, answer: Any) -> bool:
    """A name that is cut to nothing leaves the address of a list, or of the page itself."""
    return answer.status_code in (200, 307) and address.endswith(("/%2E", "/.", "/..", "?state="))


# -- JSON ----------------------------------------------------------------------------------------

DEEP = b'{"instances": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
POSTS = ("/api/renders", "/v1/models/small:predict", "/api/session")


@pytest.mark.parametrize("address", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"\x00" * 100, b"{}" * 2),
        *(b'{"instances": NaN}', b'{"instances": Infinity}', b'{"instances": -Infinity}'),
        *(b'{"instances": 1e999}', b'{"instances": ' + b"9" * 100_000 + b"}"),
        *(DEEP, DEEP[: len(DEEP) // 2], b'{"a":' * 100_000, b'{"instances": "\\ud800"}'),
        b'{"network": "small", "targets": ["conv:0"], "seed": NaN}',
        b'{"network": "small", "targets": ["\\ud800:0"]}',
        b'{"network": "small", "targets": ["conv:0"], "size": 1e400}',
        b'{"token": "\\ud800"}',
    ],
    ids=range(22),
)
def test_json_that_is_none_or_too_deep_is_refused(
    client: TestClient, address: str, body: bytes
) -> None:
    given = {"content-type": "application/json"}
    if address == "/api/session" and b"token" in body:
        assert client.post(address, content=body, headers=given).status_code in (204, 401, 422)
        return
    refused(client.post(address, content=body, headers=given), 400, 422)


@pytest.mark.parametrize("address", POSTS)
def test_huge_json_is_refused_before_it_is_parsed(client: TestClient, address: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"instances": ['
        for _ in range(3 * 2**20 // 1000):
            yield b"1" * 999 + b","

    refused(client.post(address, content=chunks()), 413)
    refused(client.post(address, content=b"[" + b"1," * 2**20 + b"1]"), 413)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": []}, "targets"),
        ({"targets": ["conv:0"] * 65}, "targets"),
        ({"targets": ["conv:" + "9" * 400]}, ""),
        ({"targets": ["conv:99999999999999999999"]}, ""),
        ({"targets": ["conv:0-99999999999"]}, ""),
        ({"targets": [" + ".join(["conv:0"] * 60)]}, None),
        ({"targets": ["1e999*conv:0"]}, ""),
        ({"targets": ["nan*conv:0"]}, ""),
        ({"targets": [{"a": 1}]}, "targets"),
        ({"targets": "conv:0"}, "targets"),
        ({"size": 513}, "513"),
        ({"size": [1, 2, 3]}, "size"),
        ({"size": -1}, "size"),
        ({"size": 10**30}, "size"),
        ({"size": [64, 10**30]}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": 1}, None),
        ({"steps": 0}, "steps"),
        ({"steps": 4097}, "4097"),
        ({"steps": 10**30}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"kind": "evil"}, "kind"),
        ({"kind": None}, "kind"),
        ({"__proto__": {}}, "__proto__"),
    ],
)
def test_a_render_that_asks_for_too_much_is_refused(
    client: TestClient, change: dict[str, Any], words: str | None
) -> None:
    body = {"network": "small", "targets": ["conv:0"], **change}
    answer = client.post("/api/renders", json=body)
    if words is None:  # it may be possible
        assert answer.status_code in (200, 202, 422), answer.text
    else:
        assert words in refused(answer, 422)


# -- tensors -------------------------------------------------------------------------------------

IMAGE = [[[0.5, 0.5, 0.5]] * 8] * 8


@pytest.mark.parametrize(
    "images",
    [
        *([], [[]], [[[[]]]], [[[[], []]]], 0, "x", None, True, {}, {"b64": "AAAA"}, {"a": 1}),
        *([IMAGE, IMAGE[:4]], [[*IMAGE[:7], [[0.5, 0.5, 0.5]]]], [[[[0.5, 0.5], [0.5]]]]),
        *([IMAGE[0]], [[IMAGE]], [[[[0.5] * 4] * 8] * 8], [[[[0.5]]]]),
        *([[[["0.5"] * 3] * 8] * 8], [[[[None] * 3] * 8] * 8], [[[[True] * 3] * 8] * 8]),
        *([[[[10**400] * 3] * 8] * 8], [[[[1e308] * 3] * 8] * 8], [[[[{}] * 3] * 8] * 8]),
        *([[[[[0.5]] * 3] * 8] * 8], [IMAGE, "x"], [IMAGE, {"images": IMAGE}], [[[[]] * 8] * 8]),
        *([[[[]] * 10**5]], [[[]] * 10**5]),
    ],
    ids=range(30),
)
@pytest.mark.parametrize("key", ["instances", "inputs"])
@pytest.mark.parametrize("signature", ["activations", "serving_default", "serving_bytes"])
def test_tensors_of_the_wrong_kind_or_shape_are_refused(
    client: TestClient, signature: str, key: str, images: Any
) -> None:
    body = {"signature_name": signature, key: images}
    refused(client.post("/v1/models/small:predict", content=json.dumps(body)), 400)


@pytest.mark.parametrize("signature", ["activations", "serving_default"])
def test_an_image_that_leaves_nothing_to_compute_has_no_answer(
    client: TestClient, signature: str
) -> None:
    """Of maps without positions some CPUs refuse the mean, and for others it is NaN."""
    body = {"signature_name": signature, "inputs": [[[[0.5] * 3]]]}
    answer = client.post("/v1/models/small:predict", json=body)
    if answer.status_code == 200:
        found = answer.json()["outputs"]
        logits = found["logits"] if signature == "activations" else found
        assert np.isnan(logits).all() and np.size(logits) == 4
    else:
        refused(answer, 400)


@pytest.mark.parametrize("signature", ["visualize", "no such", "", "__saved_model_init_op", "\r\n"])
@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"tap": [0], "unit": [0], "seed": [0]},
        {"tap": [0], "unit": [0], "seed": [0], "steps": [2**31]},
        {"tap": [0], "unit": [0], "seed": [0], "steps": [0.5]},
        {"tap": [0], "unit": [0], "seed": [0], "steps": ["1"]},
        {"tap": [0, 0], "unit": [0], "seed": [0], "steps": [1]},
        {"tap": [[0]], "unit": [[0]], "seed": [[0]], "steps": [[1]]},
        {"tap": 0, "unit": 0, "seed": 0, "steps": 1},
        {name: [0] * 65 for name in ("tap", "unit", "seed", "steps")},
    ],
    ids=range(9),
)
def test_rows_of_pictures_that_are_none_are_refused(
    client: TestClient, signature: str, inputs: dict[str, Any]
) -> None:
    body = {"signature_name": signature, "inputs": inputs}
    refused(client.post("/v1/models/small:predict", json=body), 400)


def test_numbers_that_name_nothing_make_no_picture(client: TestClient) -> None:
    """As in TensorFlow Serving itself, rows cannot be refused one by one."""
    most, least = 2**31 - 1, -(2**31)
    rows = [(0, most, 0, 1), (most, 0, 0, 1), (least, least, least, least), (0, 0, 0, least)]
    inputs = dict(zip(("tap", "unit", "seed", "steps"), zip(*rows, strict=True), strict=True))
    body = {"signature_name": "visualize_png", "inputs": inputs}
    answer = client.post("/v1/models/small:predict", json=body)
    assert answer.status_code == 200
    assert answer.json()["outputs"]["steps"] == [0, 0, 0, 1]  # the least of steps


# -- the queue -----------------------------------------------------------------------------------


def test_a_full_queue_is_429_with_retry_after(client: TestClient) -> None:
    for seed in range(100):
        body = {"network": "small", "targets": ["conv:0-5"], "seed": seed, "steps": 1}
        answer = client.post("/api/renders", json=body)
        if answer.status_code == 429:
            break
        assert answer.status_code == 202
    assert refused(answer, 429)
    assert int(answer.headers["retry-after"]) > 0
    for job in client.get("/api/renders", params={"limit": 500}).json():
        assert client.delete(job["url"]).status_code == 202


# -- pictures ------------------------------------------------------------------------------------


def png_bomb(side: int) -> bytes:
    """A PNG file of side x side black pixels, a thousandth of their size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row = b"\x00" + bytes(3 * side)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_that_says(width: int, height: int) -> bytes:
    """A PNG file of which the header says more than there is."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))


def text_bomb() -> bytes:
    """A PNG file with a text chunk that unpacks to very much."""
    image = io.BytesIO()
    Image.new("RGB", (8, 8)).save(image, "PNG")
    plain = image.getvalue()
    content = b"kerasviz\x00\x00" + zlib.compress(bytes(300 * 2**20), 9)
    data = b"zTXt" + content
    chunk = struct.pack(">I", len(content)) + data + struct.pack(">I", zlib.crc32(data))
    return plain[:33] + chunk + plain[33:]


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return png_bomb(12_000)


def dropped(client: TestClient, data: bytes) -> Any:
    address = "/api/networks/small/activations"
    return client.post(address, params={"layer": "relu", "unit": 0}, content=data)


def test_an_image_that_unpacks_to_very_much_is_refused(client: TestClient, bomb: bytes) -> None:
    assert len(bomb) < 2 * 2**20
    assert "pixels" in refused(dropped(client, bomb), 422)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"x",
            b"\x89PNG\r\n\x1a\n",
            png_that_says(2**31 - 1, 2**31 - 1),
            b"GIF89a" + bytes(99),
        ),
        *(png_that_says(0, 0), png_that_says(60_000, 60_000), png_that_says(100, 100), text_bomb()),
        *(b"\xff\xd8\xff\xe0" + bytes(100), b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        *(b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run", b"push graphic-context"),
    ],
    ids=range(13),
)
def test_an_image_that_is_none_is_refused(client: TestClient, data: bytes) -> None:
    refused(dropped(client, data), 422)


@pytest.mark.parametrize("count", [1, 40])
def test_an_image_for_a_signature_that_unpacks_to_very_much_is_refused(
    client: TestClient, bomb: bytes, count: int
) -> None:
    """One of very many pixels, and many that are too much together."""
    data = bomb if count == 1 else png_bomb(1200)
    body = {"signature_name": "serving_bytes"}
    rows = [{"b64": base64.b64encode(data).decode()}] * count
    answer = client.post("/v1/models/small:predict", json={**body, "instances": rows})
    assert "pixels" in refused(answer, 400)


# -- uploads -------------------------------------------------------------------------------------


def test_an_upload_is_bounded_and_never_a_path(client: TestClient, folder: Path) -> None:
    before = files(folder)
    for name in ("small", "SMALL"):
        refused(client.post("/api/networks", params={"name": name}, content=b"x"), 409)
    refused(client.post("/api/networks", params={"name": "new"}, content=b""), 422)
    large = (b"x" * 2**20 for _ in range(5))
    refused(client.post("/api/networks", params={"name": "new"}, content=large), 413)
    refused(client.post("/api/networks", content=b"x"), 422)
    refused(client.get("/api/uploads/0123456789abcdef"), 404)
    assert files(folder) == before


def test_without_the_option_nothing_is_uploaded(
    served: Callable[..., TestClient], tmp_path: Path
) -> None:
    client = served()
    before = files(tmp_path)
    for data in (onnx_bytes(), good_keras(tmp_path)):
        answer = client.post("/api/networks", params={"name": "new"}, content=data)
        assert "--allow-upload" in refused(answer, 403)
    assert files(tmp_path) - before == {"good.keras"}


# -- headers -------------------------------------------------------------------------------------


def test_no_name_becomes_a_header(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    evil = "x\r\nSet-Cookie: a=b\r\n\r\n<script>"
    with caplog.at_level(logging.INFO, "kerasviz"):
        for address in (f"/api/networks/{quote(evil)}", f"/{quote(evil)}", f"/page/{quote(evil)}"):
            answer = client.get(address)
            assert "set-cookie" not in answer.headers
            assert not any("\n" in value for value in answer.headers.values())
        body = {"network": "small", "targets": ["conv:0"], "steps": 1}
        answer = client.post("/api/renders", json=body, headers={"X-Client": "a\tb" * 1000})
        assert answer.status_code in (200, 202)
        answer = client.post("/api/networks", params={"name": evil}, content=b"x")
        assert "Set-Cookie" not in answer.headers
    assert not [r for r in caplog.records if "\n" in r.getMessage()]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "localhost.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-length": "99999999999999999999"}, 413),
        ({"content-length": "-1"}, 400),
        ({"content-length": "1, 2"}, 400),
    ],
)
def test_headers_that_lie_are_refused(
    client: TestClient, given: dict[str, str], status: int
) -> None:
    body = json.dumps({"network": "small", "targets": ["conv:0"]})
    headers = {"content-type": "application/json", **given}
    before = client.get("/api/renders").json()
    answer = client.post("/api/renders", content=body, headers=headers)
    refused(answer, status)
    assert client.get("/api/renders").json() == before
    assert "access-control-allow-origin" not in answer.headers


def test_no_answer_allows_another_origin(client: TestClient) -> None:
    asking = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    for method in ("OPTIONS", "GET", "TRACE", "PROPFIND"):
        answer = client.request(method, "/api/renders", headers=asking)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.status_code in (200, 403, 405)
        assert "evil" not in answer.text
