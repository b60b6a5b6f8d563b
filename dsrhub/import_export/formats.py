"""The file formats of an export: CSV, TSV, XLSX and JSON."""

import csv
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import IO, Any, ClassVar

from django.utils.translation import gettext as _
from import_export.formats.base_formats import Format
from xlsxwriter import Workbook

from dsrhub.import_export.tables import PAGE_ROWS, Table


class DoesNotFit(ValueError):
    """The format cannot hold the exported data. import-export shows a ValueError to the user."""


def too_many_rows(most: int) -> DoesNotFit:
    return DoesNotFit(
        _("A sheet holds %(most)s rows, and this export has more. Choose another format.") % {"most": f"{most:,}"}
    )


class ExportFormat(Format):  # type: ignore[misc]
    """Writes a table as bytes, piece by piece."""

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
    """For spreadsheets. A text that a spreadsheet would read as a formula gets an apostrophe before it."""

    title = "CSV"
    content_type = "text/csv; charset=utf-8"

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        writer = csv.writer(lines := _Lines())
        for rows in _pages(chain([table.columns], table.rows)):
            writer.writerows([_harmless(_plain(value)) for value in row] for row in rows)
            yield lines.take()


class TSV(ExportFormat):
    """The format of delivered reports. Texts are written as they are: the format has no quotes and no formulas."""

    title = "TSV"
    content_type = "text/tab-separated-values; charset=utf-8"

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        for rows in _pages(chain([table.columns], table.rows)):
            yield "".join("\t".join(_tsv_cell(value) for value in row) + "\r\n" for row in rows).encode()


class JSON(ExportFormat):
    """A list of objects. Numbers have all their digits; a reader that uses doubles loses some of them."""

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
    """A sheet. Spreadsheets calculate with about 15 digits; the other formats keep all of them."""

    title = "XLSX"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    most_rows: ClassVar[int] = 2**20 - 1  # without the header
    longest_text = 32_767

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        """Write the sheet to the disk, then send it. So an error can still be shown on the page."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is sent after this method returns
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
            raise DoesNotFit(_("A cell of a sheet holds %d characters. Choose another format.") % self.longest_text)
        return str(_harmless(text))


EXPORT_FORMATS = [CSV, TSV, XLSX, JSON]
# A piece of an export ends with the row that reaches this. Usual rows never do.
PIECE_CHARACTERS = 1024 * 1024
FORMULA = re.compile(r"[=+\-@\t\r]")


class _Lines:
    """A file for the csv module to write to. `take` returns and removes the text written so far."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.write = self._lines.append

    def take(self) -> bytes:
        text = "".join(self._lines)
        self._lines.clear()
        return text.encode()


def _pages(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in pieces to be sent, each with few characters: a row may have many."""
    page, characters = [], 0
    for row in rows:
        page.append(row)
        characters += sum(len(value) for value in row if isinstance(value, str))
        if len(page) == PAGE_ROWS or characters >= PIECE_CHARACTERS:
            yield page
            page, characters = [], 0
    if page:
        yield page


def _plain(value: Any) -> str | int | Decimal | None:
    """The value as a text, a number or None."""
    if value is None or isinstance(value, (str, int, Decimal)):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _harmless(value: str | int | Decimal | None) -> str | int | None:
    """The value as a cell that no spreadsheet reads as a formula. Numbers are safe, negative ones included."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str) and FORMULA.match(value):
        return "'" + value
    return value


def _tsv_cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    # Reports have no tabs and line breaks in their texts, but notes that people enter may.
    return f"{value:f}" if isinstance(value, Decimal) else re.sub("[\t\r\n]", " ", str(value))


def _json(value: Any) -> str:
    value = _plain(value)
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(64 * 1024):
            yield piece
