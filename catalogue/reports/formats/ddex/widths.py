"""The cells of records: missing ones at the end are blank, and surplus ones are reported once for each record type."""

import re
from collections.abc import Callable

from catalogue.reports.formats.ddex.cells import BACKSLASH, line_cells, raw_cells, shown_text
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.records import ALL_CELLS
from catalogue.reports.problems import ErrorCode, RawCells, WarningCode

RECORD_TYPE = re.compile(rb"(?:[A-Z]{2}[0-9]{2}|HEAD|FOOT|SRFO)(?:\.[0-9]{0,2})?")
# The cells that are read of a record, those missing at its end included: of a single record, and of all others.
SINGLE_RECORD_CELLS, RECORD_CELLS = 43, 17
BLANKS = [b""] * SINGLE_RECORD_CELLS
# Of cells, where the standard names none.
ANY_NUMBER = 2**31
MOST_TYPES = 1000


class RecordCells:
    """Reads the cells of lines. `report` is called with a problem of the present line: its column, value and cells."""

    def __init__(self, report: Callable[[ErrorCode | WarningCode, str | None, str, RawCells], None]) -> None:
        self._report = report
        # How many cells the record types have that came.
        self._full: dict[bytes, int] = {}
        # The record types whose surplus cells are reported.
        self._surplus: set[bytes] = set()

    def of(self, line: bytes) -> list[bytes]:
        """The cells of a line, with all that are read."""
        cells = line_cells(line) if BACKSLASH in line else line.split(b"\t")
        count = len(cells)
        if count > (self._full.get(cells[0]) or self._full_of(cells[0])):
            self._warn_of_surplus(cells)
        if count < RECORD_CELLS:
            cells += BLANKS[count:RECORD_CELLS]
        return cells

    def _full_of(self, record_type: bytes) -> int:
        """How many cells a record of this type has at most. The type of a broken line is reported."""
        found = record_type.strip()
        if RECORD_TYPE.fullmatch(found) is None:
            self._report(DdexError.RECORD_NOT_EXPECTED, None, shown_text(found), RawCells(record_type, slice(1)))
            return ANY_NUMBER
        full = ALL_CELLS.get(found, ANY_NUMBER)
        if len(self._full) < MOST_TYPES:
            self._full[record_type] = full
        return full

    def _warn_of_surplus(self, cells: list[bytes]) -> None:
        record_type = cells[0]
        surplus = [cell for cell in cells[self._full_of(record_type) :] if cell.strip()]
        if surplus and record_type not in self._surplus:
            self._surplus.add(record_type)
            raw = raw_cells(cells, cells.index(surplus[0], self._full_of(record_type)) + 1)
            self._report(DdexWarning.CELLS_SURPLUS, shown_text(record_type), shown_text(surplus[0]), raw)
