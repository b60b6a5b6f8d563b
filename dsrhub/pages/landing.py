"""The first page of the site: for people what this is and where to go, and for programs the same addresses as JSON."""

from typing import NamedTuple

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from dsrhub.http.negotiation import preferred


class Place(NamedTuple):
    """An address, with its name for programs and its description for people."""

    name: str
    view: str
    description: Promise
    arguments: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return reverse(self.view, args=self.arguments)


DOORS = (
    Place("admin", "admin:index", _("The back office: import, review, search and export")),
    Place("documentation", "docs", _("The REST API: every operation, to try in the browser")),
    Place("graphql", "graphql", _("GraphQL: ask for just the fields that you need")),
    Place("openapi", "openapi", _("The OpenAPI document, to generate clients")),
)
# Those that need no parameters. The documentation has all.
ENDPOINTS = (
    Place("dsrs", "dsr-list", _("The DSRs")),
    Place("messages", "message-list", _("The DDEX messages")),
    Place("top_resources", "top-percentile", _("The recordings with the top 10 % of the revenue"), ("10",)),
    Place("artists", "artists", _("The artists with the most revenue")),
)


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """JSON only for clients that prefer it: a client without a preference, such as curl, gets the page."""
    accept = request.headers.get("Accept", "")
    if preferred(accept, ["text/html", "application/json"]) == "application/json":
        places = {place.name: request.build_absolute_uri(place.address) for place in (*DOORS, *ENDPOINTS)}
        response: HttpResponse = JsonResponse({"name": "dsrhub", **places})
    else:
        context = {**admin.site.each_context(request), "doors": DOORS, "endpoints": ENDPOINTS}
        response = render(request, "dsrhub/landing.html", context)
    patch_vary_headers(response, ["Accept"])
    return response
