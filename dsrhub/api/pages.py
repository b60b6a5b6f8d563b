"""Lists in pages: which page a request asks for, and the `Link` header to the next page."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from django.utils.http import urlencode
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dsrhub.api.fields import WholeNumberField, exact_field
from dsrhub.api.parameters import Parameters
from dsrhub.database.pages import next_place

PAGE_LIMIT = 1000
LARGEST_PAGE = 10_000


class PageParameters(Parameters):
    """Selects a page of a list. Rows are sorted by a whole number, and a page starts after the cursor's number."""

    limit = WholeNumberField(
        min_value=1, max_value=LARGEST_PAGE, default=PAGE_LIMIT, help_text="At most this many rows."
    )
    cursor = WholeNumberField(
        min_value=-(2**63), max_value=2**63 - 1, default=None, help_text="From the `Link` header of the previous page."
    )
    exact = exact_field()


def page_response(
    request: Request,
    rows: Sequence[Any],
    serializer: type[serializers.Serializer[Any]],
    *,
    limit: int,
    exact: bool,
    key: str,
) -> Response:
    """An array of at most `limit` rows. Pass one row more, if there is one: it shows that another page follows. So
    does a page that is CutShort.

    The header `Link` leads to that page, which starts after the `key` of the last row, or where the page is CutAt.
    """
    response = Response(serializer(rows[:limit], many=True, context={"exact": exact}).data)
    cursor = next_place(rows, limit, attrgetter(key))
    if cursor is not None:
        response["Link"] = link_to_next(request, limit=limit, cursor=cursor)
    return response


def link_to_next(request: Request, *, limit: int, cursor: Any) -> str:
    """The value of the header `Link` (RFC 8288): the address of the page that starts after the cursor."""
    return link_to(request, limit=limit, cursor=cursor)


def link_to(request: Request, **parameters: Any) -> str:
    """The same for the address of the request with other values of some parameters."""
    query = request.query_params.dict() | parameters
    return f'<{request.build_absolute_uri(request.path)}?{urlencode(query)}>; rel="next"'
