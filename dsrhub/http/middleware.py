"""Middleware that answers a request before any view, or sets its language."""

import re
from collections.abc import Callable
from itertools import chain
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, JsonResponse
from django.utils import translation
from django.utils.translation import gettext as _

from dsrhub.exceptions import NodeOutOfReach
from dsrhub.http.readiness import readiness
from dsrhub.http.refusals import refused_page


class HealthMiddleware:
    """Answer `/healthz` while the process lives, and `/readyz` with 200 if it can answer requests, else with 503.

    It comes before the check of the host and the redirect to HTTPS: a supervisor on the same network sends these
    requests to an address, without a host name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path_info == "/readyz":
            state = readiness()
            return JsonResponse(state, status=200 if state["ready"] else 503, headers={"Cache-Control": "no-store"})
        return self.get_response(request)


class LanguageMiddleware:
    """Answer in the language of the cookie, or else in the one that the browser prefers.

    Unlike Django's LocaleMiddleware, it ends with the response, so what follows has no language: log entries, and the
    content of streamed responses, such as exports. `CachingMiddleware` says which responses vary with the language.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        language = translation.get_language_from_request(request)
        with translation.override(language):
            return self.get_response(request)


class NodeMiddleware:
    """Say on a page of the admin that a node of the database is out of reach, with status 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, NodeOutOfReach) or not request.path_info.startswith("/admin/"):
            return None
        return refused_page(request, error.message, status=503)


# What a part of a day may be, in a field of a query such as `period_start__year`.
PARTS_OF_DAYS = {"year": range(2, 9999), "month": range(1, 13), "day": range(1, 32)}


class AdminInputMiddleware:
    """Refuse what the admin's lists and fields pass on unchecked, so that it would end as an internal error.

    PostgreSQL stores no NUL in a text. Python has no years but 1 to 9999, and Django also calculates with the days
    before and after a day. Months and days that exceed a C integer fail, too.

    Only the forms of staff are read, after the check of the CSRF token. Others send forms to the sign-in alone, which
    checks its fields.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return _refused_nul()
        if any(not _is_day_known(name, value) for name, values in request.GET.lists() for value in values):
            text = _("A year must be from 2 to 9998, a month from 1 to 12, and a day from 1 to 31.")
            return HttpResponseBadRequest(f"{text}\n", content_type="text/plain")
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if request.path_info.startswith("/admin/") and request.method == "POST" and _is_staff(request):
            fields = chain.from_iterable((name, *values) for name, values in request.POST.lists())
            if any("\0" in str(text) for text in fields):
                return _refused_nul()
        return None


def _is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


def _is_day_known(name: str, value: str) -> bool:
    """Whether a field of a query, such as `day__year` or `day__gte`, has a day or a part of one to calculate with."""
    if name == "q":
        return True
    if part := re.search("__(?:iso_)?(year|month|day)(?:__|$)", name):
        return re.fullmatch("[0-9]{1,4}", value) is not None and int(value) in PARTS_OF_DAYS[part[1]]
    return re.match(r"(0000|0001|9999)-", value.strip()) is None


def _refused_nul() -> HttpResponse:
    text = _("The character NUL cannot be sent to the admin.")
    return HttpResponseBadRequest(f"{text}\n", content_type="text/plain")
