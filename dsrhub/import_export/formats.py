"""The file formats of an export: CSV, TSV, XLSX and JSON."""

import json
import re
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import IO, Any, ClassVar

from django.utils.translation import gettext as _
from import_export.formats.base_formats import Format
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileSizeError

from dsrhub.import_export.sheets import TextSheet
from dsrhub.import_export.tables import PAGE_ROWS, Table
from dsrhub.invisible import INVISIBLE_CHARACTERS


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

    def export_data(self, table: Table, *, bom: bool = False, **kwargs: Any) -> Iterator[bytes]:
        """The bytes of the file. With `bom`, a CSV starts with a byte order mark; the other formats have none."""
        raise NotImplementedError


class CSV(ExportFormat):
    """For spreadsheets. Every text is quoted, and a text that looks like a formula gets an apostrophe."""

    title = "CSV"
    content_type = "text/csv; charset=utf-8"

    def export_data(self, table: Table, *, bom: bool = False, **kwargs: Any) -> Iterator[bytes]:
        start = BOM_UTF8 if bom else b""
        for rows in _pages(chain([table.columns], table.rows)):
            yield start + _encoded("".join(",".join(map(_csv_cell, row)) + "\r\n" for row in rows))
            start = b""


class TSV(ExportFormat):
    """The format of delivered reports. Texts are written as they are: the format has no quotes and no formulas."""

    title = "TSV"
    content_type = "text/tab-separated-values; charset=utf-8"

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        for rows in _pages(chain([table.columns], table.rows)):
            yield _encoded("".join("\t".join(map(_tsv_cell, row)) + "\r\n" for row in rows))


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
            yield _encoded(separator + ",\n".join(objects))
            separator = ",\n"
        yield b"[]\n" if separator == "[\n" else b"\n]\n"


class XLSX(ExportFormat):
    """A sheet. Spreadsheets calculate with 15 digits: each amount is also a text, in a column `<name>_exact`."""

    title = "XLSX"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    most_rows: ClassVar[int] = 2**20 - 1  # without the header
    longest_text = 32_767  # in units of UTF-16
    most_digits = 15

    def export_data(self, table: Table, **kwargs: Any) -> Iterator[bytes]:
        """Write the sheet to the disk, then send it. So an error can still be shown on the page."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is sent after this method returns
        try:
            with Workbook(file, {"constant_memory": True}) as workbook:
                self._write(workbook, table)
        except FileSizeError as error:
            raise DoesNotFit(_("The sheet has more than 4 GB. Choose another format.")) from error
        file.seek(0)
        return _sent(file)

    def _write(self, workbook: Workbook, table: Table) -> None:
        # In cells formatted as text, a text stays a text when a user edits it.
        text_format = workbook.add_format({"num_format": "@"})
        sheet = workbook.add_worksheet(worksheet_class=TextSheet)
        columns = (*table.columns, *(f"{name}_exact" for name in table.amounts))
        amounts = [table.columns.index(name) for name in table.amounts]
        for number, row in enumerate(chain([columns], (_with_exact(row, amounts) for row in table.rows))):
            if number > self.most_rows:
                raise too_many_rows(self.most_rows)
            for place, value in enumerate(map(_plain, row)):
                if isinstance(value, str):
                    sheet.write_string(number, place, self._checked(value, number, columns[place]), text_format)
                elif value is not None and (place in amounts or self._is_exact(value)):
                    sheet.write_number(number, place, float(value))
                elif value is not None:
                    sheet.write_string(number, place, _digits(value), text_format)

    def _is_exact(self, number: int | Decimal) -> bool:
        return len(_digits(number).strip("-0.").replace(".", "")) <= self.most_digits

    def _checked(self, text: str, row: int, column: str) -> str:
        """The text, unless it is too long: XlsxWriter would cut it."""
        # A character has one or two units, so most texts need not be encoded.
        if (
            len(text) > self.longest_text // 2
            and len(text.encode("utf-16-le", "surrogatepass")) > 2 * self.longest_text
        ):
            limit, place = f"{self.longest_text:,}", {"row": row + 1, "column": column}
            reason = _("A cell of a sheet holds %(most)s characters, and %(column)s in row %(row)d has more.")
            raise DoesNotFit(f"{reason % {'most': limit, **place}} " + _("Choose another format."))
        return text


EXPORT_FORMATS = [CSV, TSV, XLSX, JSON]
# A piece of an export ends with the row that reaches this. Usual rows never do.
PIECE_CHARACTERS = 1024 * 1024
# Where a spreadsheet may see the start of a formula: a sign, after any number of blank or invisible characters and
# apostrophes, at the start of a text or behind what can separate cells and lines. A text that starts with a tab or a
# line end is one too.
SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫"
UNSEEN = rf"\s\x00-\x1f{INVISIBLE_CHARACTERS}"
FORMULA = re.compile(rf"\A(?='*[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?=['{UNSEEN}]*[{SIGNS}])")


def _with_exact(row: tuple[Any, ...], amounts: Iterable[int]) -> tuple[Any, ...]:
    """The row with its amounts as texts at the end."""
    return (*row, *(None if row[place] is None else _digits(row[place]) for place in amounts))


def _encoded(text: str) -> bytes:
    """The text in UTF-8. Half of a surrogate pair, which is no character, is written as `\\ud83d`."""
    return text.encode(errors="backslashreplace")


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
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (str, int, Decimal)):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _digits(number: int | Decimal) -> str:
    """The number without an exponent, with all its digits."""
    return f"{number:f}" if isinstance(number, Decimal) else str(number)


def _csv_cell(value: Any) -> str:
    value = _plain(value)
    if isinstance(value, str):
        return '"' + FORMULA.sub("'", value).replace('"', '""') + '"'
    # Numbers are no formulas, negative ones included.
    return "" if value is None else _digits(value)


def _tsv_cell(value: Any) -> str:
    value = _plain(value)
    if isinstance(value, str):
        # Reports have no tabs and line breaks in their texts, but notes that people enter may.
        return re.sub("[\t\r\n]", " ", value)
    return "" if value is None else _digits(value)


def _json(value: Any) -> str:
    value = value if isinstance(value, bool) else _plain(value)
    return _digits(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(64 * 1024):
            yield piece
