"""Requests made of the OpenAPI document: whatever fits it or not, no server error."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.service_fixtures import READING

from kerasviz.service import Limits, ServiceSettings
from kerasviz.service.api.app import create_app

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = 10
#: Names that are there, so that more than the refusal of an unknown one is reached.
KNOWN: dict[str, Any] = {
    "name": "small",
    "network": "small",
    "layer": "relu",
    "unit": 1,
    "version": "1",
    "targets": ["conv:0", "2*conv:1"],
    "recipe": "fast",
    "kind": "channel",
    "size": 32,
    "steps": 2,
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Iterator[TestClient]:
    setting = ServiceSettings(
        tmp_path_factory.mktemp("schema"),
        models=(str(small_model),),
        workers=0,
        allow_upload=True,
        reading=READING,
        limits=Limits(steps=2, side=32, rows=2, queued=100),
    )
    app = create_app(setting)
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as started:
        assert app.state.service.loading.wait(60)
        yield started


MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


def _each(strategy: Any, ask: Callable[[Any], None]) -> None:
    settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(case=strategy)(lambda case: ask(case)))()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_request_makes_the_server_fail(client: TestClient) -> None:
    """What fits the document, and what does not, for each operation of it."""
    api = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operations = [found.ok() for found in api.get_all_operations()]
    statuses: Counter[int] = Counter()

    def ask(case: Any, known: bool) -> None:
        for place in (case.path_parameters, case.query, case.body):
            if known and isinstance(place, dict):
                place.update({k: v for k, v in KNOWN.items() if k in place})
        sent = case.as_transport_kwargs(base_url="http://localhost")
        data = sent.pop("data", None)
        response = client.request(**sent, content=data)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=list(CHECKS))

    # With many optional fields, few requests that are drawn name what there is in all of them.
    fields = ("network", "targets", "recipe", "kind", "size", "steps")
    accepted = client.post("/api/renders", json={name: KNOWN[name] for name in fields})
    statuses[accepted.status_code] += 1
    for operation in operations:
        for mode in MODES:
            strategy = operation.as_strategy(generation_mode=mode)
            with contextlib.suppress(Unsatisfiable):  # without a parameter, all requests fit
                _each(strategy, partial(ask, known=mode == GenerationMode.POSITIVE))
    assert len(operations) > 20 and sum(statuses.values()) > 300
    assert {200, 202, 404, 422} <= set(statuses), statuses
