"""What is measured, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from kerasviz.service.api.state import ServiceState
from kerasviz.service.middleware.asgi import App, Message, Receive, Scope, Send

__all__ = ["Metrics", "MetricsMiddleware"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Metrics:
    """The numbers of one service."""

    def __init__(self, state: ServiceState):
        self.state = state
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kerasviz_requests",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "kerasviz_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Present(state))

    def page(self) -> bytes:
        """All numbers, in Prometheus' text format."""
        return generate_latest(self.registry)


class _Present:
    """The numbers that are looked up when they are asked for."""

    def __init__(self, state: ServiceState):
        self.state = state

    def describe(self) -> list[Metric]:
        """Nothing: so that registering looks nothing up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The numbers now."""
        state = self.state
        for what, counts in state.jobs.counts().items():
            gauge = GaugeMetricFamily(
                f"kerasviz_{what}", f"{what.capitalize()} by state.", labels=("state",)
            )
            for name, count in sorted(counts.items()):
                gauge.add_metric((name,), count)
            yield gauge
        single = {
            "kerasviz_queue_limit": ("The most pictures that wait.", state.setting.limits.queued),
            "kerasviz_workers": ("Workers that live.", state.workers.alive),
            "kerasviz_workers_wanted": ("Workers that should live.", state.setting.workers),
            "kerasviz_ready": ("Whether all work can be done.", int(state.ready is None)),
            "kerasviz_data_bytes": ("Bytes in the data folder.", state.used_bytes()),
            "kerasviz_data_limit_bytes": ("The most of them.", state.setting.limits.disk_bytes),
            "kerasviz_networks_loaded": (
                "Networks that are loaded.",
                sum(state.networks.loaded(name) for name in state.networks.names()),
            ),
        }
        for name, (words, value) in single.items():
            yield GaugeMetricFamily(name, words, value=value)
        yield CounterMetricFamily(
            "kerasviz_worker_deaths", "Workers that ended by themselves.", state.workers.deaths
        )


class MetricsMiddleware:
    """A middleware that counts requests by their route."""

    def __init__(self, app: App, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            # Paths and methods are what clients make of them: only those that are known count.
            route = _route(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            spent = time.perf_counter() - began
            self.metrics.seconds.labels(method, route).observe(spent)


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    path = getattr(route, "path", None)
    if path is not None:
        return str(path)
    return "/page" if str(scope.get("path", "")).startswith("/page/") else "other"
