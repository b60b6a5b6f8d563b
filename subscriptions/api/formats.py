"""The formats of usage: JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.mediatypes import media_type_matches, order_by_precedence


class CSVRenderer(BaseRenderer):
    """Rows under a header. The view defines the columns and the rows."""

    media_type = "text/csv"
    format = "csv"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        view = (renderer_context or {})["view"]
        text = io.StringIO()
        writer = csv.DictWriter(text, view.csv_columns)
        writer.writeheader()
        writer.writerows(view.csv_rows(data))
        return text.getvalue().encode()


class ByParameterOrHeader(DefaultContentNegotiation):
    """The format of the parameter `format`, or else of the header `Accept`, or else the first one.

    A client that accepts neither format gets JSON instead of an error.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderers = list(renderers)
        wanted = request.query_params.get("format")
        accepted = [name for group in order_by_precedence(self.get_accept_list(request)) for name in group]
        for renderer in renderers:
            if renderer.format == wanted:
                return renderer, renderer.media_type
        for name in [] if wanted else accepted:
            for renderer in renderers:
                if media_type_matches(renderer.media_type, name):
                    return renderer, renderer.media_type
        return renderers[0], renderers[0].media_type
