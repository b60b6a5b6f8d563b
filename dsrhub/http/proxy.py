"""The address that a client asked a proxy for: its host, and the path below which the proxy serves dsrhub."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import get_script_prefix, set_script_prefix

PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")


def forwarded(request: HttpRequest, header: str) -> str:
    """What the first of our own proxies said in a header; empty if none did. Each of them appends a value.

    The client can set the values before that to anything.
    """
    values = request.headers.get(header, "").split(",")
    return values[-min(settings.DSRHUB_PROXY_COUNT, len(values))].strip()


class ProxyMiddleware:
    """Take the host and the prefix from X-Forwarded-Host and X-Forwarded-Prefix, each only if its setting is on.

    The prefix becomes the script name, so that all links contain it. The proxy has removed it from the path.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.USE_X_FORWARDED_HOST:
            # Django takes the whole header for one host, a blank one too.
            host = forwarded(request, "X-Forwarded-Host")
            request.META["HTTP_X_FORWARDED_HOST"] = host
            if not host:
                del request.META["HTTP_X_FORWARDED_HOST"]
        if not settings.DSRHUB_FORWARDED_PREFIX:
            return self.get_response(request)
        prefix = forwarded(request, "X-Forwarded-Prefix").rstrip("/")
        if not PREFIX.fullmatch(prefix):
            detail = "X-Forwarded-Prefix is not a path such as /reports. The proxy must set or remove it."
            return JsonResponse({"detail": detail, "code": "bad_request"}, status=400)
        request.META["SCRIPT_NAME"] = prefix
        request.path = prefix + request.path_info
        before = get_script_prefix()
        set_script_prefix(prefix + "/")
        try:
            return self.get_response(request)
        finally:
            set_script_prefix(before)
