"""From the name and the bytes of a delivered report to checked values. Needs no database and no Django.

A report is UTF-8 text: a header line, then one line per recording, cells separated by tabs. Quotes mean nothing.
What is valid is handed on untouched, a run of lines at a time; what is not exactly as the database wants it
(`5.0` usages, an ISRC with hyphens, another line end) is read cell by cell and rewritten; what is wrong is told.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import chain

from catalogue.exceptions import InvalidReportName
from dsrhub.values import DECIMALS, INTEGER_DIGITS

COLUMNS = ("dsp_id", "title", "artists", "isrc", "usages", "revenue")

# A longer line is no report: without a bound, a file without line ends would be held in memory whole.
LONGEST_LINE = 1024 * 1024
# A value is kept with its problem so that people recognise it, not as a second copy of the file.
LONGEST_VALUE = 200
# Whoever looks at so many errors needs no more of them. A packed megabyte can be a gigabyte of wrong lines, each of
# which costs microseconds: without a bound, a small file would keep a worker busy for hours.
MOST_ERRORS = 1_000_000


class ErrorCode(StrEnum):
    """Why a report is refused."""

    HEADER_MISSING = "header_missing"
    COLUMN_UNKNOWN = "column_unknown"
    COLUMN_MISSING = "column_missing"
    COLUMN_REPEATED = "column_repeated"
    CELL_COUNT = "wrong_cell_count"
    DSP_ID_MISSING = "dsp_id_missing"
    NOT_A_NUMBER = "not_a_number"
    NOT_AN_INTEGER = "not_an_integer"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    NOT_UTF8 = "not_utf8"
    CONTROL_CHARACTER = "control_character"
    LINE_TOO_LONG = "line_too_long"
    GZIP_TRUNCATED = "gzip_truncated"
    GZIP_CORRUPT = "gzip_corrupt"
    UNPACKED_TOO_LARGE = "unpacked_too_large"
    TOO_MANY_ERRORS = "too_many_errors"
    EXCHANGE_RATE_MISSING = "exchange_rate_missing"
    EXCHANGE_RATE_INCOMPLETE = "exchange_rate_incomplete"


class WarningCode(StrEnum):
    """What people should look at in a report that was loaded all the same."""

    ISRC_INVALID = "isrc_invalid"
    DSP_ID_REPEATED = "dsp_id_repeated"
    GZIP_NAME_DIFFERS = "gzip_name_differs"
    CONTENT_SEEN_BEFORE = "content_seen_before"
    PERIOD_OVERLAPS = "period_overlaps"


@dataclass(frozen=True)
class Problem:
    """One finding in a report; a `line` (the header is 1), `column` or `value` that does not apply is None."""

    code: ErrorCode | WarningCode
    line: int | None = None
    column: str | None = None
    value: str | None = None

    @property
    def is_error(self) -> bool:
        return isinstance(self.code, ErrorCode)


@dataclass
class ProblemLog:
    """The first `limit` errors and the first `limit` warnings of a report, and how many there were in truth.

    A report whose first problem is `too_many_errors` was read so far, and may have more.
    """

    limit: int
    kept: list[Problem] = field(default_factory=list)
    error_count: int = 0
    warning_count: int = 0

    def add(self, problem: Problem) -> None:
        if problem.is_error:
            self.error_count += 1
            is_kept = self.error_count <= self.limit
        else:
            self.warning_count += 1
            is_kept = self.warning_count <= self.limit
        if is_kept:
            self.kept.append(problem)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.kept if problem.is_error]

    @property
    def warnings(self) -> list[Problem]:
        return [problem for problem in self.kept if not problem.is_error]


# --- The name --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReportName:
    """What the name of a report says. Both ends of the period belong to it."""

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str
    period_start: date
    period_end: date


REPORT_NAME = re.compile(
    r"(?P<dsp>[^\W_][^_/\\]{0,99})"
    r"_(?P<offer>[^_/\\]{1,100})"
    r"(?:_(?P<society>[^_/\\]{1,100}))?"
    r"_(?P<territory>[A-Z]{2})"
    r"_(?P<currency>[A-Z]{3})"
    r"_(?P<period_start>[0-9]{8})-(?P<period_end>[0-9]{8})"
    r"\.tsv(?:\.gz)?"
)
LONGEST_NAME = 255


def parse_report_name(name: str) -> ReportName:
    """Read `{DSP}_{Offer}[_{Society}]_{TT}_{CCC}_{yyyymmdd}-{yyyymmdd}.tsv[.gz]`.

    Whether the territory and the currency exist is not known here.
    Raises InvalidReportName.
    """
    match = REPORT_NAME.fullmatch(name) if len(name) <= LONGEST_NAME and name.isprintable() else None
    if match is None:
        raise InvalidReportName(
            f"{name[:LONGEST_NAME]!r} is not named like a report: "
            "{DSP}_{Offer}[_{Society}]_{TT}_{CCC}_{yyyymmdd}-{yyyymmdd}.tsv[.gz]",
            name=name,
        )
    parts = match.groupdict()
    try:
        start, end = (_compact_date(parts[part]) for part in ("period_start", "period_end"))
    except ValueError as error:
        raise InvalidReportName(f"{name!r} has a date in its period that does not exist.", name=name) from error
    if start > end:
        raise InvalidReportName(f"{name!r} has a period that ends before it starts.", name=name)
    return ReportName(
        dsp=parts["dsp"],
        offer=parts["offer"],
        society=parts["society"],
        territory=parts["territory"],
        currency=parts["currency"],
        period_start=start,
        period_end=end,
    )


def _compact_date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


# --- Cells -----------------------------------------------------------------------------------------------------

NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]*))?|\.(?P<only>[0-9]+))(?:[eE](?P<power>[+-]?[0-9]+))?"
)
# ISO 3901: two letters and three letters or digits of the registrant, two digits of the year, five of the recording.
ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1
POWER_DIGITS = len(str(LONGEST_LINE))


class CellError(ValueError):
    """A cell cannot be read; its code says why."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code


def plain_number(cell: str) -> str:
    """The same number without sign `+` and exponent, digit for digit: `2.5e-3` is `0.0025`.

    Raises CellError: not_a_number, number_out_of_range.
    """
    match = NUMBER.fullmatch(cell)
    if match is None:
        raise CellError(ErrorCode.NOT_A_NUMBER)
    whole = match["whole"] or ""
    part = match["part"] or match["only"] or ""
    digits = whole + part
    sign = "-" if match["sign"] == "-" else ""
    if not digits.strip("0"):
        return sign + "0"
    point = len(whole) + _power(match["power"] or "0")
    # The point may only move so far that a number in range can come out: no exponent makes a gigabyte of zeros.
    leading_zeros = len(digits) - len(digits.lstrip("0"))
    if not -DECIMALS <= point - leading_zeros <= INTEGER_DIGITS:
        raise CellError(ErrorCode.NUMBER_OUT_OF_RANGE)
    if point < 0:
        digits, point = "0" * -point + digits, 0
    digits = digits.ljust(point, "0")
    whole, part = digits[:point].lstrip("0") or "0", digits[point:]
    if len(part) > DECIMALS:
        part = part.rstrip("0")
    if len(part) > DECIMALS:
        raise CellError(ErrorCode.NUMBER_OUT_OF_RANGE)
    return sign + whole + ("." + part if part else "")


def _power(digits: str) -> int:
    sign, digits = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
    digits = digits.lstrip("0") or "0"
    # Python refuses to read thousands of digits, and no cell is so long that it needs more than these.
    return sign * (int(digits) if len(digits) <= POWER_DIGITS else 10**POWER_DIGITS)


def plain_integer(cell: str) -> str:
    """The same whole number in digits alone: `5.0` and `5e0` are `5`.

    Raises CellError: not_a_number, not_an_integer, number_out_of_range (not within a signed 64-bit integer).
    """
    whole, _, part = plain_number(cell).partition(".")
    if part.strip("0"):
        raise CellError(ErrorCode.NOT_AN_INTEGER)
    if not BIGINT_MIN <= int(whole) <= BIGINT_MAX:
        raise CellError(ErrorCode.NUMBER_OUT_OF_RANGE)
    return str(int(whole))


def plain_isrc(cell: str) -> str:
    """The ISRC in its compact form: `ISRC es-abc-20-00001` is `ESABC2000001`. Judge the answer with `ISRC`."""
    compact = re.sub("[- ]", "", cell)
    # Other scripts' letters stay what they are: in capitals, `ß` would become two letters, and valid ones.
    compact = compact.upper() if compact.isascii() else compact
    # `IS-RC1-20-00001` is an ISRC from Iceland.
    return compact.removeprefix("ISRC") if len(compact) > len("ESABC2000001") else compact


# --- Lines -----------------------------------------------------------------------------------------------------

# What of each column may go to the database as it came. Text has no control characters: NUL, a tab or a line end
# inside it, and 0x01, which the database's reader would take for a quote and drop. Exponents pass where neither
# their sign nor their size can lead out of range, as Python's and Java's doubles are written.
# Possessive quantifiers (`{1,18}+`) keep a mismatch from being tried in every other way. No group in a cell has
# one: before Python 3.11.5 (Debian 12 has 3.11.2), what a group took until it failed stayed taken (CPython issue
# 100061).
# A blank is an empty alternative (`|)`), which costs less than an optional group.
# Three texts are bounded so that the expression never takes a line of more than LONGEST_LINE. Their characters are
# those that may be, the most frequent first: so most are found at the first try.
TEXT = rb"[ -~\x80-\xff]{0,%d}+" % (LONGEST_LINE // 4)
VALID_CELL = {
    "dsp_id": rb"[!-~\x80-\xff]" + TEXT,
    "title": TEXT,
    "artists": TEXT,
    "isrc": rb"(?:[A-Z]{2}[A-Z0-9]{3}[0-9]{7}|)",
    "usages": rb"(?:-?[0-9]{1,18}+|)",
    "revenue": rb"(?:-?[0-9]{1,%d}+(?:\.[0-9]{1,%d}+|)" % (INTEGER_DIGITS, DECIMALS)
    + rb"|-?[0-9](?:\.[0-9]{1,17}+|)[eE](?:-[0-3]?[0-9]|\+?[0-2]?[0-9])|)",
}
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
BOM = b"\xef\xbb\xbf"


def line_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes cut behind line ends, the last of which is added where it is missing.

    A line of more than LONGEST_LINE bytes comes alone and without its end, and ends the iteration.
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
    """The lines of a report, checked: iterate over it for blocks that can be loaded as they are.

    `columns` (in their order in the file; none if the header is wrong) are known from the start; `line_count` and
    `problems` are complete when the iteration has ended, and a report with an error must not be used. Every yielded
    line has the cells of `columns`, in UTF-8, and the line end `line_end`.
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
        """How many lines were read behind the header."""
        return max(self.line_number - 1, 0)

    def __iter__(self) -> Iterator[bytes]:
        if self.problems.error_count:
            return
        for block in chain([self._first_block], self._blocks):
            if block:
                yield self._checked(block)
            if self.problems.error_count >= MOST_ERRORS:
                value = "there may be more: the rest is not checked"
                self.problems.kept.insert(0, Problem(ErrorCode.TOO_MANY_ERRORS, self.line_number, value=value))
                return

    def _read_header(self, header: bytes) -> tuple[str, ...]:
        """The columns; none at all if they cannot be used."""
        self.line_number = 1
        names = header.removeprefix(BOM).removesuffix(b"\r")
        if not names or len(header) > LONGEST_LINE:
            self._report(ErrorCode.LINE_TOO_LONG if names else ErrorCode.HEADER_MISSING)
            return ()
        columns = tuple(names.decode(errors="backslashreplace").split("\t"))
        for column in dict.fromkeys(columns):
            if column not in COLUMNS:
                self._report(ErrorCode.COLUMN_UNKNOWN, column, column)
            elif columns.count(column) > 1:
                self._report(ErrorCode.COLUMN_REPEATED, column, column)
        for column in COLUMNS:
            if column not in columns:
                self._report(ErrorCode.COLUMN_MISSING, column)
        return columns if sorted(columns) == sorted(COLUMNS) else ()

    def _checked(self, block: bytes) -> bytes:
        # Text that is not UTF-8 would pass the expression: then every line of the block is read.
        is_utf8 = _is_utf8(block)
        pieces = []
        at = 0
        while at < len(block) and self.problems.error_count < MOST_ERRORS:
            valid = self._valid_lines.match(block, at) if is_utf8 else None
            # Such a Python also counts the beginning of the line that is not valid.
            valid_stop = block.rfind(b"\n", at, valid.end()) + 1 if valid else 0
            if valid_stop:
                pieces.append(block[at:valid_stop])
                self.line_number += block.count(b"\n", at, valid_stop)
                at = valid_stop
            else:
                self.line_number += 1
                line_stop = block.find(b"\n", at)
                if line_stop - at > LONGEST_LINE or line_stop < 0:
                    self._report(ErrorCode.LINE_TOO_LONG)
                else:
                    pieces.append(self._rewritten(block[at:line_stop].removesuffix(b"\r")))
                at = line_stop + 1 or len(block)
        # A block that is valid throughout is one piece, and joining one piece copies nothing.
        return b"".join(pieces)

    def _rewritten(self, line: bytes) -> bytes:
        """The line with its cells as the database wants them; what cannot be is reported."""
        self.rewritten_count += 1
        try:
            cells = line.decode().split("\t")
        except UnicodeDecodeError as error:
            position = line.count(b"\t", 0, error.start)
            column = self.columns[position] if position < len(self.columns) else None
            value = line.split(b"\t")[position].decode(errors="backslashreplace")
            self._report(ErrorCode.NOT_UTF8, column, value)
            return b""
        if len(cells) != len(self.columns):
            self._report(ErrorCode.CELL_COUNT, None, str(len(cells)))
            return b""
        rewritten = "\t".join(self._plain(column, cell) for column, cell in zip(self.columns, cells, strict=True))
        return rewritten.encode() + self.line_end

    def _plain(self, column: str, cell: str) -> str:
        if CONTROL_CHARACTER.search(cell):
            self._report(ErrorCode.CONTROL_CHARACTER, column, cell)
        elif column == "dsp_id" and not cell.strip(" "):
            self._report(ErrorCode.DSP_ID_MISSING, column, cell)
        elif column == "isrc" and cell:
            isrc = plain_isrc(cell)
            if ISRC.fullmatch(isrc):
                return isrc
            self._report(WarningCode.ISRC_INVALID, column, cell)
        elif column in ("usages", "revenue") and cell:
            try:
                return plain_integer(cell) if column == "usages" else plain_number(cell)
            except CellError as error:
                self._report(error.code, column, cell)
        return cell

    def _report(self, code: ErrorCode | WarningCode, column: str | None = None, value: str | None = None) -> None:
        self.problems.add(Problem(code, self.line_number, column and shown(column), value and shown(value)))


def shown(text: str, longest: int = LONGEST_VALUE) -> str:
    """The text fit to be shown and kept: not long, and what does not print (no database takes NUL) is escaped."""
    text = text[:longest]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)[:longest]


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
