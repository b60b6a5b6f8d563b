"""Routes that answer with and without a final slash."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path


def either_slash(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """The documented route, and the same route with or without its final slash. Both answer; neither redirects."""
    other = route.removesuffix("/") if route.endswith("/") else route + "/"
    return [path(route, view, name=name), path(other, undocumented(view))]


def undocumented(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The same view behind a plain function, so that the OpenAPI document leaves it out."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    # As for every view of DRF, which checks the CSRF token itself if a session authenticates the request.
    answer.csrf_exempt = True  # type: ignore[attr-defined]
    return answer
