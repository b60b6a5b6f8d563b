"""CSV, the second format of usage."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer


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
