"""Reads a carrier's usage file: from bytes to records, or to problems. Does not use the database.

A file has one usage type, given by the column of the amount: kilobytes_used or seconds_used. It is UTF-8, separated by
tabs or commas (the header decides), and optionally compressed with gzip. Quotes are special in files with commas only;
in files with tabs they are part of the value. Each line is a record; the header is line 1. Blank lines at the end are
no records.
"""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from functools import partial
from io import BufferedIOBase, BufferedReader, TextIOWrapper
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from dsrhub.files.disk import file_open
from dsrhub.files.headings import heading_fault, plain_headings
from dsrhub.files.kinds import foreign_kind
from dsrhub.files.line_blocks import line_blocks
from dsrhub.files.unpacking import MAGIC, GzipContent, GzipDamage
from dsrhub.texts.invisible import is_blank
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.spelling import plain_external_id
from dsrhub.texts.wording import printable
from dsrhub.values.times import parsed_time
from subscriptions.exceptions import InvalidUsage, RecordProblem
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records.events import UsageEvent

Progress = Callable[[int], object]

# The bytes of a file that are read at once.
CHUNK_BYTES = 8 * 1024
GZIP_TWICE = _("This is a gzip file inside a gzip file. Unpack it once.")
LINES_BETWEEN_REPORTS = 5000
LONGEST_SHOWN = 100
# Cells of a line in a preview: a line may have thousands.
MOST_SHOWN = 50
# In bytes. Without a limit, a gzip file of some megabytes could expand to a single line of gigabytes in memory.
LONGEST_LINE = 64 * 1024

REQUIRED_COLUMNS = ("subscription_id", "usage_date", "price")
EXTERNAL_ID = "external_id"
AMOUNT_COLUMNS = {RECORD_MODELS[usage_type].amount_column: usage_type for usage_type in UsageType}
COLUMNS = {*REQUIRED_COLUMNS, *AMOUNT_COLUMNS, EXTERNAL_ID}

WHOLE_NUMBER = re.compile("[0-9]{1,40}")
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")


def usage_file_columns(usage_type: UsageType) -> tuple[str, ...]:
    """The columns of a file. The last one is optional."""
    return (*REQUIRED_COLUMNS, RECORD_MODELS[usage_type].amount_column, EXTERNAL_ID)


def usage_file_records(
    file: BufferedReader, progress: Progress | None = None, *, usage_type: UsageType | None = None
) -> tuple[UsageType, Iterator[UsageEvent | RecordProblem]]:
    """The usage type of a file, and its records or their problems.

    `progress` gets the number of bytes read since its last call. Raises InvalidUsage if the header is invalid, or if
    the file has another type than `usage_type`.
    """
    try:
        first, text, dialect = _opened(file)
        header = _headings(first, dialect)
    except GzipDamage as damage:
        raise _header_error("file", damage.text, "gzip_damaged") from damage
    except csv.Error as error:
        raise _header_error("line", str(error), "not_readable") from error
    found = _usage_type(header)
    if usage_type not in (None, found):
        raise _header_error(RECORD_MODELS[found].amount_column, "", "other_usage_type")
    return found, _records(csv.reader(text, **dialect), header, _reporter(file, progress))


def usage_file_first_lines(path: Path, count: int, *, folder: Path | None = None) -> list[list[str]]:
    """The cells of the first `count` lines, header included. Stops at a line that cannot be read."""
    lines: list[list[str]] = []
    with file_open(path, folder) as file, suppress(GzipDamage, csv.Error, InvalidUsage):
        first, text, dialect = _opened(file)
        reader = csv.reader(chain([first], text), **dialect)
        lines.extend([_printable(cell) for cell in cells[:MOST_SHOWN]] for cells in islice(reader, count))
    return lines


def _opened(file: BufferedReader) -> tuple[str, TextIOWrapper, dict[str, Any]]:
    """The first line of a file, the stream of the other lines, and the arguments for `csv.reader`.

    Raises GzipDamage, csv.Error, and InvalidUsage for a file that is no text.
    """
    read = GzipContent(file).read if file.peek(len(MAGIC)).startswith(MAGIC) else file.read1
    chunks = iter(partial(read, CHUNK_BYTES), b"")
    head = next(chunks, b"")
    if kind := GZIP_TWICE if head.startswith(MAGIC) else foreign_kind(head):
        raise _header_error("file", kind, "wrong_file_kind")
    bounded: Any = BoundedLines(line_blocks(chain([head], chunks), LONGEST_LINE, separators="\t,"))
    # Invalid UTF-8 becomes surrogates, which the check of the cell then refuses with its line and column.
    text = TextIOWrapper(bounded, "utf-8-sig", errors="surrogateescape", newline="")
    first = text.readline()
    if "\t" in first:
        return first, text, {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    return first, text, {"delimiter": ",", "strict": True}


class BoundedLines(BufferedIOBase):
    """Reads blocks of whole lines and fails on a line longer than LONGEST_LINE, which has no end."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        block = next(self._blocks, b"")
        if block and not block.endswith(b"\n"):
            raise csv.Error(f"a line is longer than {LONGEST_LINE:,} bytes")
        return block


def _headings(first: str, dialect: dict[str, Any]) -> list[str]:
    """The headings in their plain form. Raises csv.Error, and InvalidUsage if one thing explains why they are wrong."""
    separator: str = dialect["delimiter"]
    try:
        cells = next(csv.reader([first], **dialect), [])
    except csv.Error:
        # Quotes between other separators.
        _refuse_headings(first.rstrip("\r\n").split(separator), separator)
        raise
    headings = list(plain_headings(cells))
    if not set(headings) <= COLUMNS:
        _refuse_headings(cells, separator)
    return headings


def _refuse_headings(cells: list[str], separator: str) -> None:
    if fault := heading_fault(cells, COLUMNS, separator):
        raise _header_error("line", fault.advice, fault.code)


def _usage_type(header: list[str]) -> UsageType:
    amounts = [column for column in header if column in AMOUNT_COLUMNS]
    for column in header:
        if column not in COLUMNS:
            raise _header_error(column, _printable(column), "column_unknown")
        if header.count(column) > 1:
            raise _header_error(column, column, "column_repeated")
    for column in REQUIRED_COLUMNS:
        if column not in header:
            raise _header_error(column, "", "column_missing")
    if len(amounts) != 1:
        raise _header_error(" or ".join(AMOUNT_COLUMNS), ", ".join(amounts), "exactly_one_needed")
    return AMOUNT_COLUMNS[amounts[0]]


def _header_error(column: str, value: str, code: str) -> InvalidUsage:
    return InvalidUsage([RecordProblem(0, _printable(column), value, code)])


def _records(reader: Any, header: list[str], report: Callable[[int], None]) -> Iterator[UsageEvent | RecordProblem]:
    columns = usage_file_columns(_usage_type(header))
    # If there is no column for external ids, take the blank cell that is appended to each line.
    pick = itemgetter(*(header.index(column) if column in header else len(header) for column in columns))
    position = 0
    try:
        for cells in reader:
            position += 1
            report(position)
            if reader.line_num != position:
                yield RecordProblem(position, "line", "", "line_break_in_a_cell")
                return
            if len(cells) != len(header):
                yield RecordProblem(position, "line", f"{len(cells)} of {len(header)} cells", "wrong_cell_count")
            else:
                yield _record(position, columns, pick([*cells, ""]))
    except GzipDamage as damage:
        yield RecordProblem(position + 1, "file", damage.text, "gzip_damaged")
    except csv.Error as error:
        yield RecordProblem(position + 1, "line", str(error), "not_readable")
    report(0)


def _record(position: int, columns: tuple[str, ...], cells: tuple[str, ...]) -> UsageEvent | RecordProblem:
    subscription, usage_date, price, amount, external_id = cells
    moment = parsed_time(usage_date)
    codes = (
        None if WHOLE_NUMBER.fullmatch(subscription) else "not_a_whole_number",
        None if moment is not None else "not_a_time",
        None if NUMBER.fullmatch(price) else "not_a_number",
        None if WHOLE_NUMBER.fullmatch(amount) else "not_a_whole_number",
    )
    if moment is not None and not any(codes):
        # The service that adds the records checks the ranges of values and the time zone.
        known_as = None if is_blank(external_id) else plain_external_id(external_id)
        return UsageEvent(int(subscription), moment, Decimal(price), int(amount), known_as)
    at = next(at for at, code in enumerate(codes) if code)
    return RecordProblem(position, columns[at], _printable(cells[at]), str(codes[at]))


def _reporter(file: BufferedReader, progress: Progress | None) -> Callable[[int], None]:
    reported = 0

    def report(position: int) -> None:
        nonlocal reported
        if progress is not None and position % LINES_BETWEEN_REPORTS == 0:
            now = file.tell()
            progress(now - reported)
            reported = now

    return report


def _printable(text: str) -> str:
    """The start of a cell, with everything escaped that does not print."""
    return printable(text, LONGEST_SHOWN)
