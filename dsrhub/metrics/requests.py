"""The requests of this server by route, method and status.

The processes of one server keep their counters in files of a common folder, which PROMETHEUS_MULTIPROC_DIR names before
prometheus_client is imported (`dsrhub/gunicorn.py`). Without it, as in development, a process shows its own requests.
"""

import os
from http import HTTPMethod
from time import monotonic

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

OWN = CollectorRegistry()
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
REQUESTS = Counter(
    "dsrhub_http_requests", "Requests by route, method and status.", ["route", "method", "status"], registry=OWN
)
DURATIONS = Histogram(
    "dsrhub_http_request_duration_seconds",
    "The time until a response begins, by route and method.",
    ["route", "method"],
    buckets=BUCKETS,
    registry=OWN,
)
# What clients invent must not add labels.
METHODS = {method.value for method in HTTPMethod}
OTHER = "other"


def request_count(request: HttpRequest, response: HttpResponseBase, begun: float) -> None:
    """Count a request that began at a value of `time.monotonic`."""
    found = request.resolver_match
    # Routes with and without a final slash are one.
    route = f"/{found.route.removesuffix('/')}" if found else OTHER
    method = request.method if request.method in METHODS else OTHER
    REQUESTS.labels(route, method, str(response.status_code)).inc()
    DURATIONS.labels(route, method).observe(monotonic() - begun)


def requests_collector() -> Collector:
    """The requests of all processes of this server."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    return OWN
