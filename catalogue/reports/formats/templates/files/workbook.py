"""The rows of a sheet of a workbook (XLSX), one by one, as texts.

openpyxl reads the workbook. Its own read-only sheets end where the workbook says that they end, and pass over rows
that are out of order and formulas without a value, so the rows come from its parser directly: no line may be lost.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.worksheet._reader import DATA_TAG, FORMULA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.functions import iterparse

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.problems import Problem, shown
from dsrhub.texts.marked import gettext_lazy as _

# All rows of a sheet, and more columns than any report has.
MOST_ROWS, MOST_COLUMNS = 1_048_576, 1000
# Unpacked. The texts of a workbook are held in memory, and so is what describes it; its sheets are not.
MOST_TEXT_BYTES, MOST_OTHER_BYTES, MOST_SHEET_BYTES = 64 * 1024 * 1024, 4 * 1024 * 1024, 2 * 1024 * 1024 * 1024
MOST_PARTS = 1000
TEXTS, SHEETS = "xl/sharedStrings.xml", "xl/worksheets/"
# A larger whole number is not the double that it stands for.
EXACT_INTEGERS = 2**53
UNPACKED = _("%(name)s has %(count)s bytes")
NO_WORKBOOK = _("This is no Excel workbook (XLSX).")
PACKED_WORKBOOK = _("This is a packed workbook. Unpack it.")


class Workbook:
    """An opened workbook. It is read from the file of its delivery.

    Raises DamagedDelivery, as all of its methods do.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._limit = min(delivery.unpacked_limit or MOST_SHEET_BYTES, MOST_SHEET_BYTES)
        if delivery.is_packed:
            raise _damaged(TemplateError.WORKBOOK_DAMAGED, PACKED_WORKBOOK)
        with _damage():
            self._require_bounds(ZipFile(delivery.packed()))
            self._workbook = load_workbook(delivery.packed(), read_only=True, data_only=True, keep_links=False)

    def _require_bounds(self, archive: ZipFile) -> None:
        """A packed megabyte may hold a gigabyte. An archive never yields more than it says of its parts."""
        parts = archive.infolist()
        if len(parts) > MOST_PARTS:
            raise _damaged(TemplateError.WORKBOOK_TOO_LARGE)
        for part in parts:
            is_sheet = part.filename.startswith(SHEETS)
            limit = self._limit if is_sheet else MOST_TEXT_BYTES if part.filename == TEXTS else MOST_OTHER_BYTES
            if part.file_size > limit:
                text = UNPACKED % {"name": part.filename, "count": part.file_size}
                raise _damaged(TemplateError.WORKBOOK_TOO_LARGE, text)

    @property
    def sheets(self) -> tuple[str, ...]:
        """The names of its sheets, in their order."""
        return tuple(sheet.title for sheet in self._workbook.worksheets)

    def rows(self, sheet_name: str = "", decimal: str = ".") -> Iterator[tuple[int, list[str]]]:
        """The rows of a sheet that have cells, each with its number; by default, of the first sheet.

        Numbers have this decimal sign, so that they are read as texts of the sheet are.
        """
        sheets = self._workbook.worksheets
        sheet = next((one for one in sheets if not sheet_name or one.title == sheet_name), None)
        if sheet is None:
            raise _damaged(TemplateError.SHEET_MISSING, sheet_name)
        with _damage(), sheet._get_source() as source:
            book = self._workbook
            parser = _SheetParser(
                source,
                sheet._shared_strings,
                data_only=True,
                epoch=book.epoch,
                date_formats=book._date_formats,
                timedelta_formats=book._timedelta_formats,
            )
            yield from _rows(source, parser, decimal)


def _rows(source: Any, parser: "_SheetParser", decimal: str) -> Iterator[tuple[int, list[str]]]:
    before, data = 0, None
    for event, element in iterparse(source, ("start", "end")):
        if element.tag == DATA_TAG:
            data = element
        elif element.tag == ROW_TAG and event == "end":
            number, cells = parser.parse_row(element)
            if not before < number <= MOST_ROWS:
                raise ValueError(number)  # A row out of order: nobody knows which of two rows counts.
            before = number
            if cells:
                yield number, _texts(cells, number, decimal)
            if data is not None:
                data.clear()  # The rows that were read.


def _texts(cells: list[dict[str, Any]], row: int, decimal: str) -> list[str]:
    width = max(cell["column"] for cell in cells)
    if width > MOST_COLUMNS:
        raise ValueError(width)
    texts = [""] * width
    for cell in cells:
        if cell["data_type"] == NO_VALUE:
            problem = Problem(TemplateError.FORMULA_WITHOUT_VALUE, row, value=str(cell["column"]))
            raise DamagedDelivery(problem)
        texts[cell["column"] - 1] = cell_text(cell["value"], decimal)
    return texts


def cell_text(value: object, decimal: str) -> str:
    """A value of a cell as a text. A number is the shortest decimal of its double; a day is `YYYY-MM-DD`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        value = value if abs(value) <= EXACT_INTEGERS else float(value)
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= EXACT_INTEGERS else value
        return repr(value).replace(".", decimal)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


# The type of a cell whose formula has no value.
NO_VALUE = "formula"


class _SheetParser(WorkSheetParser):  # type: ignore[misc]
    def parse_cell(self, element: Element) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        # A text may be empty, and then it is the value.
        if cell["value"] is None and element.find(FORMULA_TAG) is not None and element.get("t") != "str":
            cell["data_type"] = NO_VALUE
        return cell


@contextmanager
def _damage() -> Iterator[None]:
    """What the libraries raise for a damaged file, as the problem that it is."""
    try:
        yield
    except BadZipFile as error:
        raise _damaged(TemplateError.WORKBOOK_DAMAGED, NO_WORKBOOK) from error
    except (ParseError, zlib.error, EOFError, LookupError, ValueError, TypeError, AttributeError, OSError) as error:
        raise _damaged(TemplateError.WORKBOOK_DAMAGED, shown(str(error))) from error


def _damaged(code: TemplateError, value: str | None = None) -> DamagedDelivery:
    return DamagedDelivery(Problem(code, value=value and str(value)))
