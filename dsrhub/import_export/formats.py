"""The file formats of an export: CSV, TSV, XLSX and JSON."""

import json
import re
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from typing import IO, Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from import_export.formats.base_formats import Format
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileSizeError
from xlsxwriter.format import Format as CellFormat
from xlsxwriter.worksheet import Worksheet

from dsrhub.import_export.sheets import TextSheet
from dsrhub.import_export.tables import PAGE_ROWS, Filter, Table
from dsrhub.texts.invisible import INVISIBLE_CHARACTERS
from dsrhub.values.cells import grouped


class DoesNotFit(ValueError):
    """The format cannot hold the exported data. import-export shows a ValueError to the user."""


def too_many_rows(most: int) -> DoesNotFit:
    return DoesNotFit(
        _("A sheet holds %(most)s rows, and this export has more. Choose another format.") % {"most": grouped(most)}
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
        styles = Styles(workbook)
        sheet = workbook.add_worksheet(_sheet_name(table.title), worksheet_class=TextSheet)
        sheet.freeze_panes(1, 0)
        columns = (*table.columns, *(f"{name}_exact" for name in table.amounts))
        amounts = [table.columns.index(name) for name in table.amounts]
        rows = (_with_exact(row, amounts) for row in table.rows)
        first = list(islice(rows, WIDTH_ROWS))
        _set_widths(sheet, [columns, *first])
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, styles.heading)
        for number, row in enumerate(chain(first, rows), start=1):
            if number > self.most_rows:
                raise too_many_rows(self.most_rows)
            for place, value in enumerate(map(_plain, row)):
                if isinstance(value, str):
                    sheet.write_string(number, place, self._checked(value, number, columns[place]), styles.text)
                elif value is not None and (place in amounts or self._is_exact(value)):
                    style = styles.of_number(value, columns[place], is_amount=place in amounts)
                    sheet.write_number(number, place, float(value), style)
                elif value is not None:
                    sheet.write_string(number, place, _digits(value), styles.text)
        self._write_filters(workbook, table, styles)

    def _write_filters(self, workbook: Workbook, table: Table, styles: "Styles") -> None:
        """Write the last sheet: what the rows are, when they were exported, and what limits them."""
        name = "Filters"
        sheet = workbook.add_worksheet(name, worksheet_class=TextSheet)
        facts = [("Content", table.title), ("Exported at", f"{timezone.localtime():%Y-%m-%d %H:%M}")]
        rows = [*facts, *((one.name, one.value) for one in table.filters or [Filter(name, "none")])]
        _set_widths(sheet, rows)
        for number, (heading, value) in enumerate(rows):
            sheet.write_string(number, 0, heading, styles.heading)
            sheet.write_string(number, 1, self._checked(value, number, name), styles.text)

    def _is_exact(self, number: int | Decimal) -> bool:
        return len(_digits(number).strip("-0.").replace(".", "")) <= self.most_digits

    def _checked(self, text: str, row: int, column: str) -> str:
        """The text, unless it is too long: XlsxWriter would cut it."""
        # A character has one or two units, so most texts need not be encoded.
        if (
            len(text) > self.longest_text // 2
            and len(text.encode("utf-16-le", "surrogatepass")) > 2 * self.longest_text
        ):
            limit, place = grouped(self.longest_text), {"row": row + 1, "column": column}
            reason = _("A cell of a sheet holds %(most)s characters, and %(column)s in row %(row)d has more.")
            raise DoesNotFit(f"{reason % {'most': limit, **place}} " + _("Choose another format."))
        return text


class Styles:
    """The formats of cells in a workbook."""

    def __init__(self, workbook: Workbook) -> None:
        # In cells formatted as text, a text stays a text when a user edits it.
        self.text = workbook.add_format({"num_format": "@"})
        self.heading = workbook.add_format({"num_format": "@", "bold": True})
        self._amount = workbook.add_format({"num_format": "#,##0.00"})
        self._count = workbook.add_format({"num_format": "#,##0"})
        self._number = workbook.add_format({"num_format": "0"})

    def of_number(self, number: int | Decimal, column: str, *, is_amount: bool) -> CellFormat | None:
        """The format of a number; None where all of its digits should be seen.

        Amounts have two decimals, unless these would show something as nothing.
        """
        if is_amount:
            return self._amount if number == 0 or abs(Decimal(number)) >= CENT else None
        if number != int(number):
            return None
        return self._number if column in IDS else self._count


EXPORT_FORMATS = [CSV, TSV, XLSX, JSON]
CENT = Decimal("0.01")
# The columns of numbers that name something: they have no thousands separators.
IDS = {"id", "dsr", "line", "message", "subscription_id", "user_number"}
# The rows that the widths of the columns of a sheet come from, and the narrowest and the widest column in characters.
WIDTH_ROWS, LEAST_WIDTH, MOST_WIDTH = 200, 8, 60
# A piece of an export ends with the row that reaches this. Usual rows never do.
PIECE_CHARACTERS = 1024 * 1024
# Where a spreadsheet may see the start of a formula: a sign, after any number of blank or invisible characters and
# apostrophes, at the start of a text or behind what can separate cells and lines. A text that starts with a tab or a
# line end is one too.
SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫"
UNSEEN = rf"\s\x00-\x1f{INVISIBLE_CHARACTERS}"
FORMULA = re.compile(rf"\A(?='*[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?=['{UNSEEN}]*[{SIGNS}])")


def _sheet_name(title: str) -> str:
    """The title without the characters that the name of a sheet cannot have, and not longer than one can be."""
    return re.sub(r"[\[\]:*?/\\]", " ", title)[:31].strip(" '") or "Export"


def _set_widths(sheet: Worksheet, rows: Iterable[Sequence[Any]]) -> None:
    """Make the columns as wide as these rows, as far as that is reasonable."""
    for place, column in enumerate(zip(*rows, strict=True)):
        width = max(map(_width, column)) + 2
        sheet.set_column(place, place, min(max(width, LEAST_WIDTH), MOST_WIDTH))


def _width(value: Any) -> int:
    """The number of characters of a value, as a sheet shows it."""
    if isinstance(value, Decimal):
        return len(f"{value:,.2f}")
    return 0 if value is None else len(f"{value:,}" if isinstance(value, int) else str(value))


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
