"""A carrier's file of usage: from bytes to records, or to what is wrong with them. Knows no database.

A file has one usage type, which the column of the amount tells: kilobytes_used or seconds_used. It is separated by
tabs or commas, as its header is; packed by gzip or not; UTF-8. Between commas quotes are quotes, between tabs they are
data. A record is a line, and the header is line 1.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from io import BufferedIOBase, BufferedReader, TextIOWrapper
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from subscriptions.exceptions import InvalidUsage, RecordProblem
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records.events import UsageEvent

Progress = Callable[[int], object]

GZIP_MAGIC = b"\x1f\x8b"
LINES_BETWEEN_REPORTS = 5000
LONGEST_SHOWN = 100
# In bytes. Without a limit, a file of zeros that gzip packed to megabytes would be a line of gigabytes in memory.
LONGEST_LINE = 64 * 1024

REQUIRED_COLUMNS = ("subscription_id", "usage_date", "price")
EXTERNAL_ID = "external_id"
AMOUNT_COLUMNS = {RECORD_MODELS[usage_type].amount_column: usage_type for usage_type in UsageType}

WHOLE_NUMBER = re.compile("[0-9]{1,40}")
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)

# In a file that is damaged, any of these ends the reading.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)


def usage_file_columns(usage_type: UsageType) -> tuple[str, ...]:
    """The columns of a file, the last of which may be missing."""
    return (*REQUIRED_COLUMNS, RECORD_MODELS[usage_type].amount_column, EXTERNAL_ID)


def usage_file_records(
    file: BufferedReader, progress: Progress | None = None, *, usage_type: UsageType | None = None
) -> tuple[UsageType, Iterator[UsageEvent | RecordProblem]]:
    """The usage type of a file, which may be asked for, and its records. `progress` is told how many bytes were read
    since.

    Raises InvalidUsage for a header that is none, or of another usage type.
    """
    try:
        first, text, dialect = _begun(file)
        header = next(csv.reader([first], **dialect), [])
    except DAMAGE as damage:
        raise _header_error("file", str(damage), "gzip_damaged") from damage
    except csv.Error as error:
        raise _header_error("line", str(error), "not_readable") from error
    found = _usage_type(header)
    if usage_type not in (None, found):
        raise _header_error(RECORD_MODELS[found].amount_column, "", "other_usage_type")
    return found, _records(csv.reader(text, **dialect), header, _reporter(file, progress))


def usage_file_first_lines(path: Path, count: int) -> list[list[str]]:
    """The header and the lines behind it, as many in all, cell by cell as they can be read and shown."""
    lines: list[list[str]] = []
    with path.open("rb") as file, suppress(*DAMAGE, csv.Error):
        first, text, dialect = _begun(file)
        reader = csv.reader(chain([first], text), **dialect)
        lines.extend([_shown(cell) for cell in cells] for cells in islice(reader, count))
    return lines


def _begun(file: BufferedReader) -> tuple[str, TextIOWrapper, dict[str, Any]]:
    """The first line of a file, the rest, and how their cells are separated."""
    unpacked: Any = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == GZIP_MAGIC else file
    # What is not UTF-8 is found in the cell where it stands, as nothing valid has it.
    bounded: Any = BoundedLines(unpacked)
    text = TextIOWrapper(bounded, "utf-8-sig", errors="surrogateescape", newline="")
    first = text.readline()
    by_tabs = "\t" in first
    return first, text, {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if by_tabs else {"strict": True}


class BoundedLines(BufferedIOBase):
    """The bytes of a file, as long as no line is too long."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._length = 0

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        block: bytes = self._file.read1(size)
        behind_line_end = len(block) - block.rfind(b"\n") - 1
        self._length = behind_line_end if behind_line_end < len(block) else self._length + len(block)
        if self._length > LONGEST_LINE:
            raise csv.Error(f"a line is longer than {LONGEST_LINE:,} bytes")
        return block


def _usage_type(header: list[str]) -> UsageType:
    amounts = [column for column in header if column in AMOUNT_COLUMNS]
    for column in header:
        if column not in (*REQUIRED_COLUMNS, *AMOUNT_COLUMNS, EXTERNAL_ID):
            raise _header_error(column, _shown(column), "column_unknown")
        if header.count(column) > 1:
            raise _header_error(column, column, "column_repeated")
    for column in REQUIRED_COLUMNS:
        if column not in header:
            raise _header_error(column, "", "column_missing")
    if len(amounts) != 1:
        raise _header_error(" or ".join(AMOUNT_COLUMNS), ", ".join(amounts), "exactly_one_needed")
    return AMOUNT_COLUMNS[amounts[0]]


def _header_error(column: str, value: str, code: str) -> InvalidUsage:
    return InvalidUsage([RecordProblem(0, _shown(column), value, code)])


def _records(reader: Any, header: list[str], report: Callable[[int], None]) -> Iterator[UsageEvent | RecordProblem]:
    columns = usage_file_columns(_usage_type(header))
    # A file without external ids has blank ones, so to speak, behind its last cell.
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
    except DAMAGE as damage:
        yield RecordProblem(position + 1, "file", str(damage), "gzip_damaged")
    except csv.Error as error:
        yield RecordProblem(position + 1, "line", str(error), "not_readable")
    report(0)


def _record(position: int, columns: tuple[str, ...], cells: tuple[str, ...]) -> UsageEvent | RecordProblem:
    subscription, usage_date, price, amount, external_id = cells
    codes = (
        None if WHOLE_NUMBER.fullmatch(subscription) else "not_a_whole_number",
        None if TIME.fullmatch(usage_date) else "not_a_time",
        None if NUMBER.fullmatch(price) else "not_a_number",
        None if WHOLE_NUMBER.fullmatch(amount) else "not_a_whole_number",
    )
    if not any(codes):
        try:
            moment = datetime.fromisoformat(usage_date)
        except ValueError:
            codes = (None, "not_a_time", None, None)
        else:
            # Whether the values are in range, and the time has a zone, is for whoever adds them.
            return UsageEvent(int(subscription), moment, Decimal(price), int(amount), external_id or None)
    at = next(at for at, code in enumerate(codes) if code)
    return RecordProblem(position, columns[at], _shown(cells[at]), str(codes[at]))


def _reporter(file: BufferedReader, progress: Progress | None) -> Callable[[int], None]:
    told = 0

    def report(position: int) -> None:
        nonlocal told
        if progress is not None and position % LINES_BETWEEN_REPORTS == 0:
            now = file.tell()
            progress(now - told)
            told = now

    return report


def _shown(text: str) -> str:
    """A cell as it can be printed."""
    return text[:LONGEST_SHOWN].encode("utf-8", "backslashreplace").decode()
