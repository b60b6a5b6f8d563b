"""The content of a TSV report, checked.

A report is UTF-8 text: a header line, then one line per recording, cells separated by tabs. Quotes mean nothing.
Valid lines are handed on untouched, a run of lines at a time. Lines that are valid but not exactly as the database
wants them (`5.0` usages, an ISRC with hyphens, another line end) are read cell by cell and rewritten. Everything else
is a problem.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from catalogue.reports.cells import (
    ISRC,
    LONGEST_CELL,
    CellError,
    check_length,
    plain_integer,
    plain_isrc,
    plain_number,
)
from catalogue.reports.problems import (
    CommonError,
    CommonWarning,
    ErrorCode,
    Problem,
    ProblemLog,
    WarningCode,
    shown,
)
from dsrhub.values import DECIMALS, INTEGER_DIGITS

COLUMNS = ("dsp_id", "title", "artists", "isrc", "usages", "revenue")
# The header is line 1.
HEADER_LINE = 1
# A longer line is no report: without a bound, a file without line ends would be held in memory whole.
LONGEST_LINE = 1024 * 1024


class TsvError(ErrorCode):
    """The errors of TSV reports alone."""

    HEADER_MISSING = "header_missing"
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
TEXT = rb"[ -~\x80-\xff]{0,%d}+"
VALID_CELL = {
    "dsp_id": rb"[!-~\x80-\xff]" + TEXT % (LONGEST_CELL - 1),
    "title": TEXT % LONGEST_CELL,
    "artists": TEXT % LONGEST_CELL,
    "isrc": rb"(?:[A-Z]{2}[A-Z0-9]{3}[0-9]{7}|)",
    "usages": rb"(?:-?[0-9]{1,18}+|)",
    "revenue": rb"(?:-?[0-9]{1,%d}+(?:\.[0-9]{1,%d}+|)" % (INTEGER_DIGITS, DECIMALS)
    + rb"|-?[0-9](?:\.[0-9]{1,17}+|)[eE](?:-[0-3]?[0-9]|\+?[0-2]?[0-9])|)",
}
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
BOM = b"\xef\xbb\xbf"


def line_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes cut behind line ends. The last line end is added where it is missing.

    A line of more than LONGEST_LINE bytes is a block of its own, without its end, and ends the iteration.
    """
    rest = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut]
            rest = chunk[cut:]
        else:
            rest += chunk
        if len(rest) > LONGEST_LINE:
            yield rest
            return
    if rest:
        yield rest + b"\n"


class ReportReader:
    """The lines of a report, checked: the iteration yields blocks that can be loaded as they are.

    `columns` (in their order in the file; none if the header is wrong) are known from the start; `line_count` and
    `problems` are complete when the iteration has ended. A report with an error must not be loaded. Every yielded line
    has the cells of `columns`, in UTF-8, and the line end `line_end`.
    """

    def __init__(self, chunks: Iterable[bytes], problems: ProblemLog) -> None:
        self.problems = problems
        self.line_number = 0
        self.rewritten_count = 0
        self._blocks = line_blocks(chunks)
        header, _, self._first_block = next(self._blocks, b"").partition(b"\n")
        self.line_end = b"\r\n" if header.endswith(b"\r") else b"\n"
        self.columns = self._read_header(header)
        cells = rb"\t".join(VALID_CELL[column] for column in self.columns)
        self._valid_lines = re.compile(rb"(?:%s%s)*+" % (cells, re.escape(self.line_end)))

    @property
    def line_count(self) -> int:
        """The number of lines that were read behind the header."""
        return max(self.line_number - 1, 0)

    def __iter__(self) -> Iterator[bytes]:
        if self.problems.error_count:
            return
        for block in chain([self._first_block], self._blocks):
            if block:
                yield self._checked(block)
            if self.problems.has_too_many_errors:
                self.problems.end_at(self.line_number)
                return

    def _read_header(self, header: bytes) -> tuple[str, ...]:
        """The columns; none if they cannot be used."""
        self.line_number = HEADER_LINE
        names = header.removeprefix(BOM).removesuffix(b"\r")
        if not names or len(header) > LONGEST_LINE:
            self._report(CommonError.LINE_TOO_LONG if names else TsvError.HEADER_MISSING)
            return ()
        columns = tuple(names.decode(errors="backslashreplace").split("\t"))
        for column in dict.fromkeys(columns):
            if column not in COLUMNS:
                self._report(TsvError.COLUMN_UNKNOWN, column, column)
            elif columns.count(column) > 1:
                self._report(TsvError.COLUMN_REPEATED, column, column)
        for column in COLUMNS:
            if column not in columns:
                self._report(TsvError.COLUMN_MISSING, column)
        return columns if sorted(columns) == sorted(COLUMNS) else ()

    def _checked(self, block: bytes) -> bytes:
        # Text that is not UTF-8 would match the expression: then every line of the block is read cell by cell.
        is_utf8 = _is_utf8(block)
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
                if line_stop - at > LONGEST_LINE or line_stop < 0:
                    self._report(CommonError.LINE_TOO_LONG)
                else:
                    pieces.append(self._rewritten(block[at:line_stop].removesuffix(b"\r")))
                at = line_stop + 1 or len(block)
        # A block that is valid throughout is one piece, and joining one piece copies nothing.
        return b"".join(pieces)

    def _rewritten(self, line: bytes) -> bytes:
        """The line with its cells as the database wants them. A cell that cannot be read is reported."""
        self.rewritten_count += 1
        try:
            cells = line.decode().split("\t")
        except UnicodeDecodeError as error:
            position = line.count(b"\t", 0, error.start)
            column = self.columns[position] if position < len(self.columns) else None
            value = line.split(b"\t")[position].decode(errors="backslashreplace")
            self._report(CommonError.NOT_UTF8, column, value)
            return b""
        if len(cells) != len(self.columns):
            self._report(TsvError.CELL_COUNT, None, str(len(cells)))
            return b""
        rewritten = "\t".join(self._plain(column, cell) for column, cell in zip(self.columns, cells, strict=True))
        return rewritten.encode() + self.line_end

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
        elif column == "dsp_id" and not cell.strip(" "):
            self._report(TsvError.DSP_ID_MISSING, column, cell)
        elif column == "isrc" and cell:
            isrc = plain_isrc(cell)
            if ISRC.fullmatch(isrc):
                return isrc
            self._report(CommonWarning.ISRC_INVALID, column, cell)
        elif column in ("usages", "revenue") and cell:
            return plain_integer(cell) if column == "usages" else plain_number(cell)
        return cell

    def _report(self, code: ErrorCode | WarningCode, column: str | None = None, value: str | None = None) -> None:
        self.problems.add(Problem(code, self.line_number, column and shown(column), value and shown(value)))


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
