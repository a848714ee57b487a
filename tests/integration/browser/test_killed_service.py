"""The page while its service is killed and started again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from service_process import ServiceProcess
from support.running_service import small_network

#: Milliseconds that anything may take: a service that starts has to import TensorFlow.
PATIENCE = 120_000
#: Steps of pictures that take long enough to be killed.
STEPS = 1500


@pytest.fixture
def service(tmp_path: Path, browser: Any) -> Iterator[ServiceProcess]:
    """A service in processes of its own, whose port stays."""
    model = small_network(tmp_path / "small.onnx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = ServiceProcess(tmp_path / "data", port, [model, "--preprocess", "unit"])
    process.start()
    process.wait("/readyz")
    yield process
    process.kill(workers=True)


@pytest.mark.slow
def test_the_page_says_so_continues_and_loses_nothing(
    open_page: Callable[..., Any], service: ServiceProcess
) -> None:
    address = f"http://127.0.0.1:{service.port}"
    watched = open_page(f"{address}/#/small/unit?layer=first&unit=2")
    page = watched.page
    page.set_default_timeout(PATIENCE)
    page.get_by_role("button", name="Star").click()
    page.get_by_role("button", name="Starred").wait_for()
    body = {"network": "small", "targets": ["first:1", "mixed:3"], "size": 16}
    short = service.ask("POST", "/api/renders", {**body, "steps": 2})[1]
    page.goto(f"{address}/#/jobs/{short['id']}")
    page.locator(".badge[data-state=done]").wait_for()
    page.goto(f"{address}/#/small/unit?layer=first&unit=2")
    page.get_by_label("Size").fill("16")
    page.get_by_label("Steps").fill(str(STEPS))
    page.get_by_label("Steps").press("Tab")
    page.get_by_role("button", name="Render all").click()
    page.wait_for_function("() => document.querySelector('.slot progress').value > 0")

    service.kill(workers=True)
    line = page.locator(".connection[data-state=away]")
    line.wait_for()
    assert "\n" not in line.inner_text() and "does not answer" in line.inner_text()
    page.get_by_label("Your name for it").fill("typed meanwhile")
    page.keyboard.press("Enter")

    service.start()
    service.wait()
    page.locator(".connection[data-state=back]").wait_for()
    # The pictures that were queued are made, and what was typed is kept.
    page.wait_for_function(
        "() => document.querySelectorAll('.slot img[src^=\"/pictures/\"]').length == 7"
    )
    page.locator(".connection").wait_for(state="detached")
    notes = service.insist("/api/networks/small/notes")
    assert notes == [{"layer": "first", "unit": 2, "name": "typed meanwhile", "star": True}]
    again = service.insist(f"/api/renders/{short['id']}")
    assert again["state"] == "done" and len(again["pictures"]) == 2
    for picture in again["pictures"]:
        answer = page.request.get(f"{address}{picture['url']}")
        assert answer.status == 200
    assert all("ERR_" in problem or "net::" in problem for problem in watched.problems)
    watched.problems.clear()
