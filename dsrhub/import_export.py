"""What the imports and exports of all admins share: files of any size, and none of them in memory.

The buttons, forms and pages are django-import-export's. Where it would read a file or make one in memory, an upload is
a path here, and an export a stream of rows.
"""

import csv
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from import_export.admin import ExportMixin
from import_export.fields import Field
from import_export.formats.base_formats import Format
from import_export.forms import ExportForm
from import_export.resources import Resource
from import_export.tmp_storages import BaseStorage
from xlsxwriter import Workbook

# --- Uploads ---------------------------------------------------------------------------------------------------


class UploadStorage(BaseStorage):  # type: ignore[misc]
    """An upload in the folder that servers and workers share. What is read of it is its path."""

    def save(self, upload: TemporaryUploadedFile) -> None:
        """Take over an upload, without copying it where the folder is on the disk of the temporary files."""
        self.name = uuid4().hex
        settings.DSRHUB_UPLOAD_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.link(upload.temporary_file_path(), self.read())
        except OSError:
            shutil.copyfile(upload.temporary_file_path(), self.read())

    def read(self) -> Path:
        return settings.DSRHUB_UPLOAD_DIR / Path(self.name).name

    def remove(self) -> None:
        self.read().unlink(missing_ok=True)


class PathFormat(Format):  # type: ignore[misc]
    """A format whose data set is the path of the file: whoever imports it reads it piece by piece."""

    def __init__(self, encoding: str | None = None) -> None:
        pass

    def can_import(self) -> bool:
        return True

    def create_dataset(self, path: Path) -> Path:
        return path


class PathImportMixin:
    """Goes before import-export's ImportMixin: uploads stay files."""

    tmp_storage_class = UploadStorage

    def write_to_tmp_storage(self, import_file: TemporaryUploadedFile, input_format: Format) -> UploadStorage:
        storage = self.tmp_storage_class()
        storage.save(import_file)
        return storage


# --- Rows ------------------------------------------------------------------------------------------------------

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


# --- Formats of an export --------------------------------------------------------------------------------------


class DoesNotFit(ValueError):
    """A format cannot hold what is exported. A ValueError is what import-export shows to people."""


def too_many_rows(most: int) -> DoesNotFit:
    return DoesNotFit(
        _("A sheet holds %(most)s rows, and these are more: choose another format.") % {"most": f"{most:,}"}
    )


class ExportFormat(Format):  # type: ignore[misc]
    """Makes bytes from a table, piece by piece."""

    title: ClassVar[str]
    content_type: ClassVar[str]
    most_rows: ClassVar[int | None] = None

    def get_title(self) -> str:
        return self.title

    def get_extension(self) -> str:
        return self.title.lower()

    def get_content_type(self) -> str:
        return self.content_type

    def can_export(self) -> bool:
        return True

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        raise NotImplementedError


class CSV(ExportFormat):
    """For spreadsheets, which take a text that begins like a formula for one: it gets an apostrophe before it."""

    title = "CSV"
    content_type = "text/csv; charset=utf-8"

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        writer = csv.writer(lines := _Lines())
        for rows in _pages(chain([table.columns], table.rows)):
            writer.writerows([_harmless(_plain(value)) for value in row] for row in rows)
            yield lines.taken()


class TSV(ExportFormat):
    """As reports are delivered: texts byte for byte, as quotes and formulas mean nothing in it."""

    title = "TSV"
    content_type = "text/tab-separated-values; charset=utf-8"

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        for rows in _pages(chain([table.columns], table.rows)):
            yield "".join("\t".join(_tsv_cell(value) for value in row) + "\r\n" for row in rows).encode()


class JSON(ExportFormat):
    """A list of objects. Numbers have all their digits: they are as exact as the program that reads them."""

    title = "JSON"
    content_type = "application/json"

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        names = [json.dumps(column) for column in table.columns]
        separator = "[\n"
        for rows in _pages(table.rows):
            objects = (
                "{" + ", ".join(f"{name}: {_json(value)}" for name, value in zip(names, row, strict=True)) + "}"
                for row in rows
            )
            yield (separator + ",\n".join(objects)).encode()
            separator = ",\n"
        yield b"[]\n" if separator == "[\n" else b"\n]\n"


class XLSX(ExportFormat):
    """A sheet. Spreadsheets calculate with some 15 digits: who needs all of them takes another format."""

    title = "XLSX"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    most_rows: ClassVar[int] = 2**20 - 1  # and the header
    longest_text = 32_767

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        """The sheet is made first, on the disk, and then sent: what does not fit is told on the page."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - sent after this has returned
        with Workbook(file, {"constant_memory": True}) as workbook:
            sheet = workbook.add_worksheet()
            for number, row in enumerate(chain([table.columns], table.rows)):
                if number > self.most_rows:
                    raise too_many_rows(self.most_rows)
                for place, value in enumerate(_plain(cell) for cell in row):
                    if isinstance(value, str):
                        sheet.write_string(number, place, self._text(value))
                    elif value is not None:
                        sheet.write_number(number, place, float(value))
        file.seek(0)
        return _sent(file)

    def _text(self, text: str) -> str:
        if len(text) > self.longest_text:
            raise DoesNotFit(_("A cell of a sheet holds %d characters: choose another format.") % self.longest_text)
        return str(_harmless(text))


EXPORT_FORMATS = [CSV, TSV, XLSX, JSON]
FORMULA = re.compile(r"[=+\-@\t\r]")


class _Lines:
    """A file that csv writes to, and that is emptied now and then."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.write = self._lines.append

    def taken(self) -> bytes:
        text = "".join(self._lines)
        self._lines.clear()
        return text.encode()


def _pages(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    rows = iter(rows)
    while page := list(islice(rows, PAGE_ROWS)):
        yield page


def _plain(value: Any) -> str | int | Decimal | None:
    """The value as a text, a number or None."""
    if value is None or isinstance(value, (str, int, Decimal)):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _harmless(value: str | int | Decimal | None) -> str | int | None:
    """The value as a cell that no spreadsheet takes for a formula. Numbers are none, negative ones included."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str) and FORMULA.match(value):
        return "'" + value
    return value


def _tsv_cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    # Reports have no such characters, but what people wrote may.
    return f"{value:f}" if isinstance(value, Decimal) else re.sub("[\t\r\n]", " ", str(value))


def _json(value: Any) -> str:
    value = _plain(value)
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(64 * 1024):
            yield piece


# --- The Export button -----------------------------------------------------------------------------------------


def streamed(table: Table, file_format: ExportFormat, file_name: str) -> StreamingHttpResponse:
    """A table as a file to keep."""
    response = StreamingHttpResponse(file_format.export_data(table), content_type=file_format.get_content_type())
    name = f"{file_name}-{timezone.localdate()}.{file_format.get_extension()}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class StreamedExportForm(ExportForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource"].label = _("What")
        self.fields["format"].initial = "0"


class StreamingExportMixin(ExportMixin):  # type: ignore[misc]
    """import-export's Export button, behind which rows are sent as they are read.

    `resource_classes` are StreamedResources.
    """

    export_form_class = StreamedExportForm
    export_template_name = "admin/dsrhub/export.html"

    def get_export_formats(self) -> list[type[ExportFormat]]:
        return EXPORT_FORMATS

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if self.has_export_permission(request):
            title = _("Export selected %(verbose_name_plural)s")
            actions["export_selected"] = (type(self).export_selected, "export_selected", title)
        return actions

    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseRedirect:
        """Lead to the Export button's page, with the selection as its filter."""
        if request.POST.get("select_across") == "1":
            return HttpResponseRedirect("export/?" + request.GET.urlencode())
        ids = ",".join(str(pk) for pk in queryset.order_by().values_list("pk", flat=True))
        return HttpResponseRedirect("export/?" + urlencode({"id__in": ids}))

    def export_action(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().export_action(request)
        except IncorrectLookupParameters:
            # As the list itself answers to a filter that makes no sense.
            return HttpResponseRedirect("../?e=1")
        return response

    def _do_file_export(
        self, file_format: ExportFormat, request: HttpRequest, queryset: QuerySet, export_form: ExportForm
    ) -> StreamingHttpResponse:
        resource: StreamedResource = self.choose_export_resource_class(export_form, request)()
        most = file_format.most_rows
        if most is not None and resource.row_count(queryset, most) > most:
            raise too_many_rows(most)
        table = resource.export(queryset=queryset, export_form=export_form)
        return streamed(table, file_format, resource.file_name)
