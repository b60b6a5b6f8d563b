"""The beginning of a file: HEAD and the summaries, which describe the sales contexts of its message."""

import re
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import takewhile

from catalogue.reports.cells import CONTROL_CHARACTER, CellError, plain_integer, plain_number
from catalogue.reports.contexts import (
    Contents,
    Declared,
    DescribedContext,
    MessageFacts,
    MessagePart,
    Party,
    SalesContext,
)
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.ddex.cells import line_cells, raw_cells, value_of
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.lines import UnreadableMessage, is_record, line_blocks
from catalogue.reports.formats.ddex.records import (
    AFTER_SUMMARIES,
    LAST_MANDATORY,
    PROFILES,
    REVENUE_SUMMARIES,
    VERSION,
    family_of,
)
from catalogue.reports.formats.ddex.territories import PARTS, is_group, territory_code
from catalogue.reports.problems import CommonError, ErrorCode, Excerpt, Problem, RawCells, WarningCode, shown

LONGEST_TEXT, LONGEST_ID = 100, 255
# All files of a message are open during its import, and a process may have a thousand open files.
MOST_FILES = 200
DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?|(\d{4})(\d\d)(\d\d)", re.ASCII)
HEAD, SUMMARY = b"HEAD", b"SY"
# The cell of HEAD with the number of the file.
FILE_NUMBER = 7
# Summaries of the minima for each subscriber.
MINIMA = "SY04"
STATING_REVENUE = (*REVENUE_SUMMARIES, MINIMA)
# The cells of summaries that are not the same in all of them.
SUBSCRIBER_TYPE = {"SY03": 23, MINIMA: 9}
CELLS = {"usages": 9, "currency": 11, "net revenue": 12}
MINIMA_CELLS = {"usages": 14, "currency": 15, "net revenue": 19}


class Record:
    """A record of which single cells are read as text, with the problems that this brings up."""

    def __init__(self, line_number: int, cells: Sequence[bytes], problems: list[Problem], file: str | None) -> None:
        self.line_number = line_number
        self.cells = cells
        self.family = family_of(cells[0].strip()).decode(errors="backslashreplace")
        self._problems = problems
        self._file = file

    def text(self, number: int, name: str, *, required: bool = False, longest: int = LONGEST_TEXT) -> str:
        """The text of a cell; blank, with an error, where it cannot be stored."""
        cell = value_of(self.cells[number - 1]) if number <= len(self.cells) else b""
        try:
            text = cell.decode()
        except UnicodeDecodeError:
            self.report(CommonError.NOT_UTF8, number, name, cell.decode(errors="backslashreplace"))
            return ""
        if CONTROL_CHARACTER.search(text):
            self.report(CommonError.CONTROL_CHARACTER, number, name, text)
        elif len(text) > longest:
            self.report(CommonError.CELL_TOO_LONG, number, name, text)
        elif required and not text:
            self.report(DdexError.VALUE_MISSING, number, name)
        else:
            return text
        return ""

    def number(self, number: int, name: str, *, required: bool = False) -> Decimal | None:
        text = self.text(number, name, required=required)
        try:
            return Decimal(plain_number(text)) if text else None
        except CellError as error:
            self.report(error.code, number, name, text)
            return None

    def count(self, number: int, name: str) -> int:
        """A whole number from 1; 0, with an error, where the cell has none."""
        text = self.text(number, name, required=True)
        try:
            count = int(plain_integer(text)) if text else 0
        except CellError as error:
            self.report(error.code, number, name, text)
            return 0
        if text and count < 1:
            self.report(DdexError.VALUE_INVALID, number, name, text)
        return max(count, 0)

    def days(self, number: int, name: str) -> tuple[date, date] | None:
        """The first and the last day of a date, which may be a month or a year."""
        text = self.text(number, name, required=True)
        match = DATE.fullmatch(text)
        if match is None:
            if text:
                self.report(DdexError.DATE_INVALID, number, name, text)
            return None
        year, month, day = match[1] or match[4], match[2] or match[5], match[3] or match[6]
        try:
            start = date(int(year), int(month or 1), int(day or 1))
        except ValueError:
            self.report(DdexError.DATE_INVALID, number, name, text)
            return None
        if day:
            return start, start
        self.report(DdexWarning.PERIOD_WIDENED, number, name, text)
        last_month = int(month or 12)
        return start, start.replace(month=last_month, day=monthrange(start.year, last_month)[1])

    def report(self, code: ErrorCode | WarningCode, number: int, name: str, value: str | None = None) -> None:
        column, excerpt = f"{self.family} cell {number}, {name}", self.excerpt(number)
        self._problems.append(
            Problem(code, self.line_number, column, value and shown(value), file=self._file, excerpt=excerpt)
        )

    def excerpt(self, number: int = 0) -> Excerpt:
        """The record with one of its cells marked, or with 0 all of them."""
        return raw_cells(self.cells, number).excerpt()


@dataclass(frozen=True)
class FileHead:
    """HEAD and the summaries of one file, with the problems that they have.

    `summary_cells` are the cells of all summaries, in no order, each with tabs between them.
    """

    record: Record
    file_number: int
    contents: Contents
    summary_cells: Counter[bytes]
    problems: Sequence[Problem]

    @property
    def message(self) -> MessageFacts:
        assert self.contents.message is not None  # noqa: S101 - every file begins with HEAD
        return self.contents.message


def file_head(delivery: Delivery, file: str | None) -> FileHead:
    """Read the beginning of a file. Its problems name the `file` where a message has several.

    Raises UnreadableMessage, where nothing can be said of the message, and DamagedDelivery.
    """
    records = _records(delivery)
    problems: list[Problem] = []
    head = _head(records, problems, file)
    message = _message(head)
    file_number = _file_number(head, message.file_count)
    summaries = _summaries(records, problems, file)
    stating = _stating_revenue(summaries)
    contexts = [_described(record, head, message, summary_id) for summary_id, record in stating.items()]
    if not contexts:
        problems.append(Problem(DdexError.SUMMARY_MISSING, file=file))
    if not any(problem.is_error for problem in problems):
        _refuse_equal_keys(contexts, stating)
    # Spreadsheets drop or add blank cells at the end.
    summary_cells = Counter(b"\t".join(map(bytes.strip, record.cells)).rstrip() for record in summaries)
    return FileHead(head, file_number, Contents(contexts, message), summary_cells, problems)


def message_part(delivery: Delivery) -> MessagePart | None:
    """Which file of its message a file is; None where its HEAD does not say it.

    HEAD must be in the first chunk of the file. Raises UnreadableMessage and DamagedDelivery.
    """
    problems: list[Problem] = []
    first_lines = next(line_blocks(delivery.chunks()), [])
    head = _head(_numbered_records([first_lines]), problems, None)
    sender, message_id, count = _sender(head), _message_id(head), _file_count(head)
    number = _file_number(head, count)
    return None if problems else MessagePart(sender.party_id or sender.name, message_id, number, count)


def _head(records: Iterator[tuple[int, bytes]], problems: list[Problem], file: str | None) -> Record:
    """Raises UnreadableMessage where the first record is no HEAD of a message that can be read."""
    line_number, line = next(records, (None, b""))
    cells = line_cells(line)
    if line_number is None or family_of(cells[0].strip()) != HEAD:
        found = shown(line[:200].decode(errors="backslashreplace"))
        excerpt = RawCells(line).excerpt() if line else None
        raise UnreadableMessage(
            Problem(DdexError.HEAD_MISSING, line_number, value=found or None, file=file, excerpt=excerpt)
        )
    head = Record(line_number, cells, problems, file)
    _check_head(head, file)
    return head


def _sender(head: Record) -> Party:
    return _party(head, 12, 11, "sender", required=True)


def _message_id(head: Record) -> str:
    return head.text(5, "message id", required=True, longest=LONGEST_ID)


def _file_count(head: Record) -> int:
    count = head.count(8, "number of files")
    if count > MOST_FILES:
        head.report(DdexError.VALUE_INVALID, 8, "number of files", f"{count}: at most {MOST_FILES} are read")
    return count


def _file_number(head: Record, file_count: int) -> int:
    number = head.count(FILE_NUMBER, "file number")
    if number > file_count > 0:
        head.report(DdexError.VALUE_INVALID, FILE_NUMBER, "file number", f"{number} of {file_count}")
    return number


def _records(delivery: Delivery) -> Iterator[tuple[int, bytes]]:
    return _numbered_records(line_blocks(delivery.chunks()))


def _numbered_records(blocks: Iterable[list[bytes]]) -> Iterator[tuple[int, bytes]]:
    number = 0
    for lines in blocks:
        for line in lines:
            number += 1
            if is_record(line):
                yield number, line


def _check_head(head: Record, file: str | None) -> None:
    """Raises UnreadableMessage for a file that only looks like a message, and for other profiles."""
    version = value_of(head.cells[1]).decode(errors="backslashreplace") if len(head.cells) > 1 else ""
    if not version.casefold().startswith("dsrf/") or len(head.cells) < LAST_MANDATORY[HEAD]:
        found = f"{len(head.cells)} cells, message version {version!r}"
        raise _unreadable(DdexError.HEAD_INCOMPLETE, head, found, file)
    profile, profile_version = head.text(3, "profile"), head.text(4, "profile version")
    if "".join(profile.split()).casefold() not in PROFILES or not VERSION.fullmatch(profile_version):
        raise _unreadable(DdexError.PROFILE_NOT_SUPPORTED, head, f"{profile} {profile_version}".strip(), file)


def _unreadable(code: DdexError, head: Record, found: str, file: str | None) -> UnreadableMessage:
    """The exception for a HEAD in which was found what is not read."""
    return UnreadableMessage(Problem(code, head.line_number, value=shown(found), file=file, excerpt=head.excerpt()))


def _message(head: Record) -> MessageFacts:
    start, end = head.days(9, "usage start date"), head.days(10, "usage end date")
    first, last = (start or end or (date.min, date.max))[0], (end or start or (date.min, date.max))[1]
    if first > last:
        head.report(DdexError.PERIOD_INVALID, 10, "usage end date", f"{first} to {last}")
    return MessageFacts(
        sender=_sender(head),
        recipient=_party(head, 15, 14, "recipient"),
        message_id=_message_id(head),
        created=head.text(6, "message created"),
        profile=head.text(3, "profile"),
        profile_version=head.text(4, "profile version"),
        period_start=first,
        period_end=last,
        file_count=_file_count(head),
    )


def _party(record: Record, name_cell: int, id_cell: int, kind: str, *, required: bool = False) -> Party:
    party_id = record.text(id_cell, f"{kind} party id")
    name = record.text(name_cell, f"{kind} name", required=required and not party_id)
    return Party(name or party_id, party_id or None)


# --- Summaries -------------------------------------------------------------------------------------------------


def _summaries(records: Iterator[tuple[int, bytes]], problems: list[Problem], file: str | None) -> list[Record]:
    """The summaries, which stand before the first block."""
    lines = takewhile(lambda record: _family(record[1]) not in AFTER_SUMMARIES, records)
    return [
        Record(line_number, line_cells(line), problems, file)
        for line_number, line in lines
        if _family(line).startswith(SUMMARY)
    ]


def _family(line: bytes) -> bytes:
    return family_of(line.lstrip(b" "))


def _stating_revenue(summaries: Sequence[Record]) -> dict[str, Record]:
    """The summaries that state the revenue of a context, by their id. An id must not have two of them.

    SY04 is another view of the same revenue where a summary of another kind has its id.
    """
    by_id: dict[str, list[Record]] = defaultdict(list)
    for record in summaries:
        if record.family in STATING_REVENUE:
            by_id[record.text(2, "summary id", required=True)].append(record)
    stating = {}
    for summary_id, records in by_id.items():
        first, *others = [record for record in records if record.family != MINIMA] or records
        for other in others:
            other.report(DdexError.SUMMARY_REPEATED, 2, "summary id", f"{summary_id}, as on line {first.line_number}")
        stating[summary_id] = first
    return stating


def _described(record: Record, head: Record, message: MessageFacts, summary_id: str) -> DescribedContext:
    cell = MINIMA_CELLS if record.family == MINIMA else CELLS
    dsp = _party(record, 3, 4, "distribution channel")
    dsp = dsp if dsp.name else message.sender
    offer = record.text(8, "service description") or head.text(13, "service description")
    if not offer:
        record.report(DdexError.VALUE_MISSING, 8, "service description")
    subscriber_type = SUBSCRIBER_TYPE.get(record.family)
    usages = record.number(cell["usages"], "usages")
    revenue = record.number(cell["net revenue"], "net revenue")
    if revenue is None:
        record.report(DdexWarning.DECLARED_REVENUE_UNKNOWN, cell["net revenue"], "net revenue")
    elif revenue and not usages:
        record.report(DdexWarning.DECLARED_USAGES_ZERO, cell["usages"], "usages")
    return DescribedContext(
        SalesContext(
            dsp=dsp.name,
            offer=offer,
            society=message.recipient.name or None,
            territory=_territory(record),
            currency=_currency(record, cell["currency"]),
            period_start=message.period_start,
            period_end=message.period_end,
            commercial_model=record.text(5, "commercial model", required=True),
            use_type=record.text(6, "use type") or None,
            subscriber_type=(record.text(subscriber_type, "subscriber type") or None) if subscriber_type else None,
        ),
        dsp,
        Declared(summary_id, usages, revenue, record.number(10, "subscribers")),
    )


def _territory(record: Record) -> str:
    text = record.text(7, "territory", required=True)
    code = territory_code(text)
    if code is None:
        if text:
            error: ErrorCode = DdexError.TERRITORY_IS_GROUP if is_group(text) else CommonError.TERRITORY_UNKNOWN
            record.report(error, 7, "territory", text)
        return ""
    if text.upper() in PARTS:
        record.report(DdexWarning.TERRITORY_WIDENED, 7, "territory", text)
    return code


def _currency(record: Record, number: int) -> str:
    text = record.text(number, "currency", required=True)
    if text and not (len(text) == len("EUR") and text.isascii() and text.isalpha()):
        record.report(CommonError.CURRENCY_UNKNOWN, number, "currency", text)
    return text.upper()


def _refuse_equal_keys(contexts: Sequence[DescribedContext], records: dict[str, Record]) -> None:
    """Two contexts of one key would be one DSR with two revenues."""
    first: dict[SalesContext, str] = {}
    for described, (summary_id, record) in zip(contexts, records.items(), strict=True):
        other = first.setdefault(described.context, summary_id)
        if other != summary_id:
            value = f"{other} and {summary_id}: {described.context}"
            record.report(DdexError.SUMMARY_KEY_REPEATED, 2, "summary id", value)
