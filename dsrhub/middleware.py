"""Middleware that answers a request before any view."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, JsonResponse

from dsrhub.readiness import readiness


class HealthMiddleware:
    """Answer `/healthz` while the process lives, and `/readyz` with 200 if it can answer requests, else with 503.

    It comes before the check of the host and the redirect to HTTPS: a supervisor on the same network sends these
    requests to an address, without a host name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            state = readiness()
            return JsonResponse(state, status=200 if state["ready"] else 503, headers={"Cache-Control": "no-store"})
        return self.get_response(request)


class AdminQueryMiddleware:
    """Refuse a NUL in a query of the admin. Its filters would pass it to PostgreSQL, which stores no NUL in a text."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith("/admin/") and "%00" in request.META.get("QUERY_STRING", ""):
            return HttpResponseBadRequest("A query cannot contain a NUL (%00).\n", content_type="text/plain")
        return self.get_response(request)
