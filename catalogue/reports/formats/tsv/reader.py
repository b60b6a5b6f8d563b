"""The content of a TSV report, checked.

A report is UTF-8 text: a header line, then one line per recording, cells separated by tabs. Quotes mean nothing.
Valid lines are handed on untouched, a run of lines at a time. Lines that are valid but not exactly as the database
wants them (`5.0` usages, an ISRC with hyphens, another line end) are read cell by cell and rewritten. Everything else
is a problem.
"""

import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain

from catalogue.reports.cells import (
    CONTROL_CHARACTER,
    ISRC,
    LONGEST_CELL,
    CellError,
    check_length,
    fault_in_utf8,
    id_warning,
    plain_integer,
    plain_isrc,
    plain_number,
)
from catalogue.reports.formats.interface import HEADER_LINE, ContextResult
from catalogue.reports.problems import (
    CommonError,
    CommonWarning,
    ErrorCode,
    Problem,
    ProblemLog,
    RawCells,
    WarningCode,
    shown,
)
from catalogue.reports.totals import LastLine
from dsrhub.files.headings import heading_fault, plain_headings
from dsrhub.files.line_blocks import line_blocks
from dsrhub.texts.invisible import INVISIBLE, is_blank
from dsrhub.values.numbers import DECIMALS, INTEGER_DIGITS

COLUMNS = ("dsp_id", "title", "artists", "isrc", "usages", "revenue")
FIRST_CELL = slice(1)
# A longer line is no report: without a bound, a file without line ends would be held in memory whole.
LONGEST_LINE = 1024 * 1024


class TsvError(ErrorCode):
    """The errors of TSV reports alone."""

    HEADER_MISSING = "header_missing"
    WRONG_SEPARATOR = "wrong_separator"
    QUOTED_HEADINGS = "quoted_headings"
    MISSPELLED_HEADINGS = "misspelled_headings"
    COLUMN_UNKNOWN = "column_unknown"
    COLUMN_MISSING = "column_missing"
    COLUMN_REPEATED = "column_repeated"
    CELL_COUNT = "wrong_cell_count"
    DSP_ID_MISSING = "dsp_id_missing"


# The cells of each column that may go to the database as they were delivered. Text has no control characters: NUL, a
# tab or a line end inside it, and 0x01, which the database's reader would take for a quote and drop. Exponents pass
# where neither their sign nor their size can lead out of range, as Python and Java write doubles.
# Possessive quantifiers (`{1,18}+`) keep a mismatch from being tried in every other way. No group in a cell has
# one: before Python 3.11.5 (Debian 12 has 3.11.2), what a group matched until it failed stayed matched (CPython issue
# 100061).
# A blank is an empty alternative (`|)`), which costs less than an optional group.
# Texts are bounded by LONGEST_CELL. Their classes have the most frequent characters first, so that most are found at
# the first try.
# An id may deserve a warning if it has an invisible character (all of them begin with one of the bytes C2, CD, D8, E1,
# E2, E3, EF, F0 and F3), a space before or behind it, or the form of a number that a spreadsheet has rounded.
TEXT = rb"[ -~\x80-\xff]{0,%d}+"
VISIBLE = rb"\x80-\xc1\xc3-\xcc\xce-\xd7\xd9-\xe0\xe4-\xee\xf1\xf2\xf4-\xff"
VALID_CELL = {
    "dsp_id": rb"(?![0-9](?:[.,][0-9]*|)[eE]\+)[!-~%s][ -~%s]{0,%d}+(?<! )" % (VISIBLE, VISIBLE, LONGEST_CELL - 1),
    "title": TEXT % LONGEST_CELL,
    "artists": TEXT % LONGEST_CELL,
    "isrc": rb"(?:[A-Z]{2}[A-Z0-9]{3}[0-9]{7}|)",
    "usages": rb"(?:-?[0-9]{1,18}+|)",
    "revenue": rb"(?:-?[0-9]{1,%d}+(?:\.[0-9]{1,%d}+|)" % (INTEGER_DIGITS, DECIMALS)
    + rb"|-?[0-9](?:\.[0-9]{1,17}+|)[eE](?:-[0-3]?[0-9]|\+?[0-2]?[0-9])|)",
}


class ReportReader:
    """The lines of a report, checked: the iteration yields blocks that can be loaded as they are.

    `columns` (in their order in the file; none if the header is wrong) are known from the start; `line_count` and
    `problems` are complete when the iteration has ended. A report with an error must not be loaded. Every yielded line
    has the cells of `columns`, in UTF-8, and the line end `line_end`.
    """

    # One context needs no results.
    results: Sequence[ContextResult] = ()

    def __init__(self, chunks: Iterable[bytes], problems: ProblemLog) -> None:
        self.problems = problems
        self.line_number = 0
        self.rewritten_count = 0
        # The present line, if it is read cell by cell.
        self._raw_line = b""
        self._blocks = line_blocks(chunks, LONGEST_LINE)
        # The last block with lines to load: as it was delivered, and checked.
        self._last_blocks = b"", b""
        header, _, self._first_block = next(self._blocks, b"").partition(b"\n")
        self.line_end = b"\r\n" if header.endswith(b"\r") else b"\n"
        self.columns = self._read_header(header)
        cells = rb"\t".join(VALID_CELL[column] for column in self.columns)
        # A text would take the byte order mark of a line for its own.
        start = rb"(?!%s)" % BOM_UTF8 if self.columns[:1] in (("title",), ("artists",)) else b""
        self._valid_lines = re.compile(rb"(?:%s%s%s)*+" % (start, cells, re.escape(self.line_end)))

    @property
    def line_count(self) -> int:
        """The number of lines that were read behind the header."""
        return max(self.line_number - 1, 0)

    @property
    def last_line(self) -> LastLine | None:
        """The last line with its amounts, once the iteration has ended; None if one of them is blank."""
        delivered, line = map(_last_line_of, self._last_blocks)
        cells = dict(zip(self.columns, line.decode().split("\t"), strict=False))
        usages, revenue = cells.get("usages"), cells.get("revenue")
        if not (usages and revenue):
            return None
        return LastLine(self.line_number, Decimal(usages), Decimal(revenue), RawCells(delivered))

    def __iter__(self) -> Iterator[bytes]:
        if self.problems.error_count:
            return
        for block in chain([self._first_block], self._blocks):
            if block:
                checked = self._checked(block)
                if checked:
                    self._last_blocks = block, checked
                yield checked
            if self.problems.has_too_many_errors:
                self.problems.end_at(self.line_number, RawCells(self._raw_line))
                return

    def _read_header(self, header: bytes) -> tuple[str, ...]:
        """The columns; none if they cannot be used."""
        self.line_number, self._raw_line = HEADER_LINE, header.removesuffix(b"\r")
        line = self._without_marks(header.removeprefix(BOM_UTF8).removesuffix(b"\r"))
        if not line or len(header) > LONGEST_LINE:
            self._report(CommonError.LINE_TOO_LONG if line else TsvError.HEADER_MISSING)
            return ()
        cells = line.decode(errors="backslashreplace").split("\t")
        headings = plain_headings(cells)
        if sorted(headings) == sorted(COLUMNS):
            return headings
        if fault := heading_fault(cells, COLUMNS, "\t"):
            self._report(TsvError(fault.code), value=fault.advice)
        elif not set(headings) & set(COLUMNS):
            self._report(TsvError.HEADER_MISSING, value="\t".join(cells))
        else:
            self._report_columns(cells, headings)
        return ()

    def _report_columns(self, cells: Sequence[str], headings: Sequence[str]) -> None:
        """Report the headings that are no columns, in their order as they were delivered, and the missing columns."""
        counts = Counter(headings)
        places = {heading: place for place, heading in enumerate(headings)}
        for heading, place in places.items():
            cell, raw = cells[place], slice(place, place + 1)
            if heading not in COLUMNS:
                self._report(TsvError.COLUMN_UNKNOWN, cell, cell, raw)
            elif counts[heading] > 1:
                self._report(TsvError.COLUMN_REPEATED, heading, cell, raw)
        for column in COLUMNS:
            if column not in counts:
                self._report(TsvError.COLUMN_MISSING, column, raw=slice(len(cells), None))

    def _checked(self, block: bytes) -> bytes:
        # Text that is not UTF-8 would match the expression: then every line of the block is read cell by cell.
        is_utf8 = fault_in_utf8(block) is None
        pieces = []
        at = 0
        while at < len(block) and not self.problems.has_too_many_errors:
            valid = self._valid_lines.match(block, at) if is_utf8 else None
            # Python before 3.11.5 also counts the beginning of the line that is not valid.
            valid_stop = block.rfind(b"\n", at, valid.end()) + 1 if valid else 0
            if valid_stop:
                pieces.append(block[at:valid_stop])
                self.line_number += block.count(b"\n", at, valid_stop)
                at = valid_stop
            else:
                self.line_number += 1
                line_stop = block.find(b"\n", at)
                self._raw_line = block[at : line_stop if line_stop >= 0 else None].removesuffix(b"\r")
                if line_stop - at > LONGEST_LINE or line_stop < 0:
                    self._report(CommonError.LINE_TOO_LONG)
                else:
                    pieces.append(self._rewritten(self._raw_line))
                at = line_stop + 1 or len(block)
        # A block that is valid throughout is one piece, and joining one piece copies nothing.
        return b"".join(pieces)

    def _rewritten(self, line: bytes) -> bytes:
        """The line with its cells as the database wants them. A cell that cannot be read is reported."""
        self.rewritten_count += 1
        line = self._without_marks(line)
        try:
            cells = line.decode().split("\t")
        except UnicodeDecodeError as error:
            position = line.count(b"\t", 0, error.start)
            column = self.columns[position] if position < len(self.columns) else None
            value = line.split(b"\t")[position].decode(errors="backslashreplace")
            self._report(CommonError.NOT_UTF8, column, value, slice(position, position + 1))
            return b""
        if len(cells) != len(self.columns):
            # Those that are too many, or the end of the line.
            self._report(TsvError.CELL_COUNT, None, str(len(cells)), slice(len(self.columns), None))
            return b""
        rewritten = "\t".join(self._plain(column, cell) for column, cell in zip(self.columns, cells, strict=True))
        return rewritten.encode() + self.line_end

    def _without_marks(self, line: bytes) -> bytes:
        """The line without byte order marks at its start: files that were joined have them."""
        if not line.startswith(BOM_UTF8):
            return line
        self._report(CommonWarning.BYTE_ORDER_MARK, raw=FIRST_CELL)
        while line.startswith(BOM_UTF8):
            line = line.removeprefix(BOM_UTF8)
        return line

    def _plain(self, column: str, cell: str) -> str:
        try:
            check_length(cell)
            return self._plain_in_bounds(column, cell)
        except CellError as error:
            self._report(error.code, column, cell)
        return cell

    def _plain_in_bounds(self, column: str, cell: str) -> str:
        if CONTROL_CHARACTER.search(cell):
            self._report(CommonError.CONTROL_CHARACTER, column, cell)
        elif column == "dsp_id":
            self._check_id(cell)
        elif column == "isrc" and cell:
            return self._isrc(cell)
        elif column in ("usages", "revenue") and cell:
            return plain_integer(cell) if column == "usages" else plain_number(cell)
        return cell

    def _check_id(self, cell: str) -> None:
        if is_blank(cell):
            self._report(TsvError.DSP_ID_MISSING, "dsp_id", cell)
        elif warning := id_warning(cell):
            self._report(warning, "dsp_id", cell)

    def _isrc(self, cell: str) -> str:
        """The ISRC in its compact form. Anything else stays as it is, but what a person sees as blank is blank."""
        isrc = plain_isrc(cell)
        if ISRC.fullmatch(isrc):
            return isrc
        blank = is_blank(cell)
        is_invisible = blank or INVISIBLE.search(cell)
        self._report(CommonWarning.INVISIBLE_CHARACTER if is_invisible else CommonWarning.ISRC_INVALID, "isrc", cell)
        return "" if blank else cell

    def _report(
        self,
        code: ErrorCode | WarningCode,
        column: str | None = None,
        value: str | None = None,
        raw: slice | None = None,
    ) -> None:
        """Report a problem of the `raw` cells of the present line: by default of the column, or else of all."""
        problem = Problem(code, self.line_number, column and shown(column), value and shown(value))
        cells = RawCells(self._raw_line, raw) if raw else self.raw_cells(self._raw_line, column)
        self.problems.add(problem, cells)

    def raw_cells(self, line: bytes, column: str | None) -> RawCells:
        if column is None:
            return RawCells(line)
        place = self.columns.index(column)
        return RawCells(line, slice(place, place + 1))


def _last_line_of(block: bytes) -> bytes:
    return block.removesuffix(b"\n").rpartition(b"\n")[2].removesuffix(b"\r")
