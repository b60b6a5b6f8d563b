"""Tables that the admin exports. Their rows are read while they are sent."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from unicodedata import normalize

from django.db.models import QuerySet
from django.utils import timezone
from import_export.fields import Field
from import_export.forms import ExportForm
from import_export.resources import Resource

# Rows of one query: they need little memory, and the cost per query does not matter.
PAGE_ROWS = 2000
# The most characters of a filter, and of all filters, in the name of a file.
FILTER_CHARACTERS, NAME_CHARACTERS = 40, 120


class Filter(NamedTuple):
    """What limits an export: a name and a value for people. `short` stands in the name of the file, else the value."""

    name: str
    value: str
    short: str = ""


@dataclass(frozen=True)
class Table:
    """The columns and rows of an export. Values are texts, numbers, days or None. Rows may be a generator.

    `amounts` are the columns of exact amounts with any number of digits. Only a workbook shows the `title` and the
    `filters`.
    """

    columns: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]
    amounts: tuple[str, ...] = ()
    title: str = ""
    filters: Sequence[Filter] = ()


class StreamedResource(Resource):  # type: ignore[misc]
    """A table that can be exported from a list of the admin."""

    title: ClassVar[Any]
    columns: ClassVar[tuple[str, ...]]
    amounts: ClassVar[tuple[str, ...]] = ()
    file_name: ClassVar[str]

    @classmethod
    def get_display_name(cls) -> str:
        return str(cls.title)

    def export(
        self, queryset: QuerySet, export_form: ExportForm, *, filters: Sequence[Filter] = (), **kwargs: Any
    ) -> Table:
        return Table(self.columns, self.rows(queryset, export_form), self.amounts, str(self.title), filters)

    def options(self, export_form: ExportForm) -> list[Filter]:
        """What the form of the export chooses of the rows."""
        return []

    def download_name(self, queryset: QuerySet, ending: str, filters: Sequence[Filter] = ()) -> str:
        """The name of the downloaded file."""
        return dated_name(self.file_name, ending, filters)

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterable[tuple[Any, ...]]:
        """The rows to export for the objects of the list."""
        raise NotImplementedError

    def row_count(self, queryset: QuerySet, most: int) -> int:
        """The number of rows, or any number above `most` if there are more; 0 if it is not known in advance."""
        return 0

    def get_user_visible_fields(self) -> list[Field]:
        return [Field(column_name=column) for column in self.columns]


def dated_name(name: str, ending: str, filters: Iterable[Filter] = ()) -> str:
    """A name of a file with its filters and the day, such as `dsrs_ES_2020-03-01.csv`."""
    parts = [name, *(_safe(one.short or one.value) for one in filters)]
    limited = "_".join(filter(None, parts))[:NAME_CHARACTERS].rstrip("_")
    return f"{limited}_{timezone.localdate()}.{ending}"


def _safe(text: str) -> str:
    """The letters and digits of a text without accents, which every disk can have in a name; dashes for all others."""
    plain = normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub("[^A-Za-z0-9]+", "-", plain).strip("-")[:FILTER_CHARACTERS].strip("-")


def rows_by_id(queryset: QuerySet, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of all rows, sorted by id and read page by page. No query stays open while rows are sent."""
    queryset = queryset.order_by("pk").values_list("pk", *columns)
    page = list(queryset[:PAGE_ROWS])
    while page:
        yield from (row[1:] for row in page)
        page = list(queryset.filter(pk__gt=page[-1][0])[:PAGE_ROWS])
