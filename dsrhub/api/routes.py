"""Routes that answer with and without a final slash."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path


def either_slash(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A route as it is documented, and the same with or without its final slash: both answer, none redirects."""
    other = route.removesuffix("/") if route.endswith("/") else route + "/"
    return [path(route, view, name=name), path(other, undocumented(view))]


def undocumented(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The same view behind a plain function, which the OpenAPI document leaves out."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    # As DRF does for its views: it checks by itself, where a session signs the caller in.
    answer.csrf_exempt = True  # type: ignore[attr-defined]
    return answer
