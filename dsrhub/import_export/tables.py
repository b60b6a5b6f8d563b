"""Tables that the admin exports. Their rows are read while they are sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from import_export.fields import Field
from import_export.forms import ExportForm
from import_export.resources import Resource

# Rows of one query: they need little memory, and the cost per query does not matter.
PAGE_ROWS = 2000


@dataclass(frozen=True)
class Table:
    """The columns and rows of an export. Values are texts, numbers, days or None. Rows may be a generator.

    `amounts` are the columns of exact amounts with any number of digits.
    """

    columns: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]
    amounts: tuple[str, ...] = ()


class StreamedResource(Resource):  # type: ignore[misc]
    """A table that can be exported from a list of the admin."""

    title: ClassVar[Any]
    columns: ClassVar[tuple[str, ...]]
    amounts: ClassVar[tuple[str, ...]] = ()
    file_name: ClassVar[str]

    @classmethod
    def get_display_name(cls) -> str:
        return str(cls.title)

    def export(self, queryset: QuerySet, export_form: ExportForm, **kwargs: Any) -> Table:
        return Table(self.columns, self.rows(queryset, export_form), self.amounts)

    def download_name(self, queryset: QuerySet, ending: str) -> str:
        """The name of the downloaded file."""
        return dated_name(self.file_name, ending)

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterable[tuple[Any, ...]]:
        """The rows to export for the objects of the list."""
        raise NotImplementedError

    def row_count(self, queryset: QuerySet, most: int) -> int:
        """The number of rows, or any number above `most` if there are more; 0 if it is not known in advance."""
        return 0

    def get_user_visible_fields(self) -> list[Field]:
        return [Field(column_name=column) for column in self.columns]


def dated_name(name: str, ending: str) -> str:
    return f"{name}-{timezone.localdate()}.{ending}"


def rows_by_id(queryset: QuerySet, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of all rows, sorted by id and read page by page. No query stays open while rows are sent."""
    queryset = queryset.order_by("pk").values_list("pk", *columns)
    page = list(queryset[:PAGE_ROWS])
    while page:
        yield from (row[1:] for row in page)
        page = list(queryset.filter(pk__gt=page[-1][0])[:PAGE_ROWS])
