"""The page of the service by axe-core: contrast, names, roles, in every view, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.axe import violations
from support.running_service import running, small_network

from kerasviz.network.input_spec import preset
from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

#: The views, each with what is there when it is complete.
VIEWS = {
    "#/": ".cards li",
    "#/small": ".flow",
    "#/small/layer?layer=mixed": ".tile",
    "#/small/layer?layer=mixed&sort=peak&show=dead": ".ordered strong",
    "#/small/layer?layer=mixed&sort=likeness&like=2": ".amount:visible",
    "#/small/unit?layer=mixed&unit=2": ".partners",
    "#/small/compose?target=mixed:1": ".composer",
    "#/small/compare?target=mixed:1&with=wide:3&by=vivid": ".sides .slot",
    "#/jobs": "h1:text-is('Jobs')",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """A service without workers; it is not started without a browser."""
    folder = tmp_path_factory.mktemp("axe")
    model = small_network(folder / "small.onnx")
    reading = ModelSource(input_spec=preset("unit"))
    with running(ServiceSettings(folder / "data", (str(model),), workers=0, reading=reading)) as at:
        yield at


@pytest.fixture
def undescribed(tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A service of a network that nobody has described."""
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    model = small_network(tmp_path / "small.onnx")
    with running(ServiceSettings(tmp_path / "data", (str(model),), workers=0)) as at:
        yield at


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_violation(open_page: Callable[..., Any], address: str, scheme: str) -> None:
    page = open_page(f"{address}/#/", color_scheme=scheme).page
    page.set_default_timeout(60_000)
    for place, complete in VIEWS.items():
        page.goto(f"{address}/{place}")
        page.locator(complete).first.wait_for()
        assert violations(page) == [], place


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nor_has_the_choice_of_a_preset(
    open_page: Callable[..., Any], undescribed: str, scheme: str
) -> None:
    watched = open_page(f"{undescribed}/#/small", color_scheme=scheme)
    watched.page.locator(".preset").first.wait_for(timeout=60_000)
    assert violations(watched.page) == []
    assert "status of 409" in watched.problems.pop()
    watched.page.context.close()
