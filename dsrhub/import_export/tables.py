"""What the admin exports: tables whose rows are read while they are sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import QuerySet
from import_export.fields import Field
from import_export.forms import ExportForm
from import_export.resources import Resource

# Rows of one query: few enough to be no memory to speak of, and many enough that no cost per query is felt.
PAGE_ROWS = 2000


@dataclass(frozen=True)
class Table:
    """What is exported: rows of texts, numbers, days and None, which come when they are asked for."""

    columns: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]


class StreamedResource(Resource):  # type: ignore[misc]
    """What can be exported of a list."""

    title: ClassVar[Any]
    columns: ClassVar[tuple[str, ...]]
    file_name: ClassVar[str]

    @classmethod
    def get_display_name(cls) -> str:
        return str(cls.title)

    def export(self, queryset: QuerySet, export_form: ExportForm, **kwargs: Any) -> Table:
        return Table(self.columns, self.rows(queryset, export_form))

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterable[tuple[Any, ...]]:
        """The rows for the list that is shown."""
        raise NotImplementedError

    def row_count(self, queryset: QuerySet, most: int) -> int:
        """How many rows there will be, or any number above `most`; 0 where that is not known beforehand."""
        return 0

    def get_user_visible_fields(self) -> list[Field]:
        return [Field(column_name=column) for column in self.columns]


def rows_by_id(queryset: QuerySet, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of all rows in the order of their ids, page by page: nothing is held while they are sent."""
    queryset = queryset.order_by("pk").values_list("pk", *columns)
    page = list(queryset[:PAGE_ROWS])
    while page:
        yield from (row[1:] for row in page)
        page = list(queryset.filter(pk__gt=page[-1][0])[:PAGE_ROWS])
