"""Counts requests, and answers `/metrics`."""

from collections.abc import Callable
from hmac import compare_digest
from time import monotonic

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from dsrhub.metrics.collectors import ApplicationCollector
from dsrhub.metrics.requests import request_count, requests_collector

PATH = "/metrics"
METHODS = ("GET", "HEAD")


class MetricsMiddleware:
    """Without a token in the settings, nothing is counted, and `/metrics` is an address like any that does not exist.

    It comes before the check of the host and the redirect to HTTPS, as Prometheus sends its requests to an address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.DSRHUB_METRICS_TOKEN:
            return self.get_response(request)
        if request.path_info == PATH:
            return _metrics(request)
        begun = monotonic()
        response = self.get_response(request)
        request_count(request, response, begun)
        return response


def _metrics(request: HttpRequest) -> HttpResponse:
    if request.method not in METHODS:
        return HttpResponseNotAllowed(METHODS)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    known = settings.DSRHUB_METRICS_TOKEN.encode()
    if scheme.lower() != "bearer" or not compare_digest(token.strip().encode(errors="replace"), known):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"})
    registry = CollectorRegistry()
    registry.register(requests_collector())
    registry.register(ApplicationCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})
