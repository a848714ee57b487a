"""Metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_fastapi_instrumentator import Instrumentator
from prometheus_fastapi_instrumentator.metrics import Info, default

from kerasviz.service.api.state import ServiceState

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def add_metrics(app: FastAPI, state: ServiceState) -> None:
    """Count and time requests by route, and serve all metrics at ``/metrics``."""
    registry = CollectorRegistry()
    registry.register(_StateCollector(state))
    requests = default(metric_namespace="kerasviz", registry=registry)
    instrumentator = Instrumentator(should_group_status_codes=False, registry=registry)
    instrumentator.add(_limit_methods, requests).instrument(app)
    instrumentator.expose(app, tags=["health"], response_class=Response)


def _limit_methods(info: Info) -> None:
    """Count made-up methods as one, because every label value takes memory."""
    if info.method not in METHODS:
        info.method = "other"


class _StateCollector:
    """Looks up the state of the service each time Prometheus asks."""

    def __init__(self, state: ServiceState):
        self.state = state

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering looks nothing up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the current values."""
        state = self.state
        for subject, counts in state.jobs.counts().items():
            gauge = GaugeMetricFamily(
                f"kerasviz_{subject}", f"{subject.capitalize()} by state.", labels=("state",)
            )
            for name, count in sorted(counts.items()):
                gauge.add_metric((name,), count)
            yield gauge
        loaded = sum(state.networks.loaded(name) for name in state.networks.names())
        limits = state.setting.limits
        gauges = {
            "kerasviz_queue_limit": ("Pictures that may wait.", limits.queued),
            "kerasviz_workers": ("Workers that are alive.", state.workers.alive),
            "kerasviz_workers_wanted": ("Workers that should be alive.", state.setting.workers),
            "kerasviz_ready": ("Whether all work can be done.", int(state.ready is None)),
            "kerasviz_data_bytes": ("Bytes in the data folder.", state.used_bytes()),
            "kerasviz_data_limit_bytes": ("Bytes that it may hold.", limits.disk_bytes),
            "kerasviz_networks_loaded": ("Networks that are loaded.", loaded),
        }
        for name, (description, value) in gauges.items():
            yield GaugeMetricFamily(name, description, value=value)
        yield CounterMetricFamily(
            "kerasviz_worker_deaths", "Workers that ended by themselves.", state.workers.deaths
        )
