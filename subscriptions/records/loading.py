"""Checks and counts records, and writes them as lines for COPY. Does not use the database."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice

from dsrhub.texts.spelling import PLAIN_ID
from subscriptions.exceptions import RecordProblem
from subscriptions.models import ALL_SUBSCRIPTIONS
from subscriptions.records.events import (
    AMOUNT_TEXT,
    KEYS_MARKED_SINGLY,
    LONGEST_ID,
    UsageEvent,
    day_sealed,
    latest_usage_day,
    plain_event,
    record_problem,
    refuse,
    usage_day,
    usage_zone,
)

PROBLEM_LIMIT = 100
# A few kilobytes, so that the server reads the first lines while the next are made.
LINES_IN_A_BLOCK = 100

# A valid line of the fast path: all values are in range, and the time has a zone.
PLAIN_LINE = re.compile(
    rf"[1-9][0-9]{{0,17}}\t(?:19[7-9]|2[0-9]{{2}})[0-9]-[^\t+]{{14,21}}[+-][0-9:]{{5,8}}\t"
    rf"[0-9-]{{10}}\t{AMOUNT_TEXT.pattern}\t[0-9]{{1,18}}\n",
    re.ASCII,
)


# A valid record: position, subscription, external id, day, and its line for COPY.
Accepted = tuple[int, int, str | None, date, str]


class RecordLoad:
    """Records for COPY. Checks and counts them, and collects the keys to mark.

    COPY cannot see a partition that was created after it started. So a COPY ends before a record whose day has no
    partition (`missing_day`), and the next COPY starts with that record. It also ends before the first record with an
    external id: only the database knows which of these are stored already, perhaps under a sealed day of another time
    zone. So that record and all later ones are added in another way: see `copying.records_load`.
    """

    def __init__(
        self, records: Iterator[UsageEvent | RecordProblem], partitioned_days: set[date], sealed: set[date]
    ) -> None:
        self.partitioned_days, self.sealed = partitioned_days, sealed
        self.missing_day: date | None = None
        self.count = 0
        self.marks: defaultdict[date, set[int]] = defaultdict(set)
        self.staged_days: set[date] = set()
        self.first_positions: dict[int, int] = {}
        self._records = records
        self._remaining = self._accepted_records()
        self._put_back: list[Accepted] = []
        self._problems: list[RecordProblem] = []
        self._problem_count = 0
        self._failure: Exception | None = None
        self._zone = usage_zone()
        self._latest_day = latest_usage_day()
        self._days: dict[date, str] = {}

    def lines(self) -> Iterator[str]:
        """Lines for COPY into the table of records, up to a record without a partition or with an external id."""
        self.missing_day = None
        partitioned_days, marks = self.partitioned_days, self.marks
        for accepted in self.all_remaining():
            position, subscription, external_id, day, line = accepted
            if external_id is not None or day not in partitioned_days:
                self.missing_day = day if external_id is None else None
                self._put_back.append(accepted)
                return
            self.count = position
            keys = marks[day]
            if len(keys) <= KEYS_MARKED_SINGLY:
                keys.add(subscription)
            yield line

    def few_remaining(self, most: int) -> list[Accepted] | None:
        """All remaining records; None if there are more than `most`, which then remain."""
        records = list(islice(self.all_remaining(), most + 1))
        if len(records) > most:
            self._put_back = records[::-1]
            return None
        return records

    def all_remaining(self) -> Iterator[Accepted]:
        return chain(self._put_back_records(), self._remaining)

    def staged_lines(self, records: Iterable[Accepted]) -> Iterator[str]:
        """Lines of remaining records, for COPY into the staging table."""
        for position, _, external_id, day, line in records:
            self.count = position
            self.staged_days.add(day)
            yield f"{line[:-1]}\t{_cell(external_id)}\t{position}\n"

    def named_lines(self, records: Iterable[Accepted]) -> Iterator[str]:
        """Lines of remaining records with external ids, for COPY into the table of records."""
        marks = self.marks
        for position, subscription, external_id, day, line in records:
            self.count = position
            keys = marks[day]
            if len(keys) <= KEYS_MARKED_SINGLY:
                keys.add(subscription)
            yield f"{line[:-1]}\t{_cell(external_id)}\n"

    def marked_keys(self) -> list[tuple[date, int]]:
        """The day and the subscription of each mark: a mark of the whole day where many subscriptions have records."""
        return [
            (day, subscription)
            for day, subscriptions in self.marks.items()
            for subscription in ([ALL_SUBSCRIPTIONS] if len(subscriptions) > KEYS_MARKED_SINGLY else subscriptions)
        ]

    def refuse_problems(self, unknown: list[RecordProblem]) -> None:
        """Raise the exception of the iterator of records, if any, or else refuse the invalid records."""
        if self._failure is not None:
            raise self._failure
        problems = sorted([*self._problems, *unknown], key=lambda problem: problem.position)
        refuse(problems[:PROBLEM_LIMIT], self._problem_count + len(unknown))

    def _put_back_records(self) -> Iterator[Accepted]:
        while self._put_back:
            yield self._put_back.pop()

    def _accepted_records(self) -> Iterator[Accepted]:
        """The records before the first invalid one. The rest is read to report all problems."""
        first_positions = self.first_positions
        try:
            for position, record in enumerate(self._records, 1):
                accepted = self._fast_path(position, record) or self._slow_path(position, record)
                if accepted is not None:
                    if accepted[1] not in first_positions:
                        first_positions[accepted[1]] = position
                    if not self._problem_count:
                        yield accepted
        except Exception as error:  # noqa: BLE001 - COPY would replace it by an error of the driver
            self._failure = error

    def _fast_path(self, position: int, record: UsageEvent | RecordProblem) -> Accepted | None:
        """Check all values by one regular expression. Nearly all records pass; the others take the slow path."""
        if type(record) is not UsageEvent:
            return None
        subscription, usage_date, price, amount, external_id = record
        if (
            type(subscription) is not int
            or type(amount) is not int
            or type(price) is not Decimal
            or type(usage_date) is not datetime
            or (external_id is not None and not _is_plain_id(external_id))
        ):
            return None
        try:
            day = usage_date.astimezone(self._zone).date()
        except OverflowError:
            return None
        # The text of each day is built once.
        text = self._days.get(day)
        if text is None:
            if day in self.sealed or day > self._latest_day:
                return None
            text = self._days[day] = day.isoformat()
        # `!s`, as formatting a Decimal takes several times as long as its text.
        line = f"{subscription}\t{usage_date.isoformat()}\t{text}\t{price!s}\t{amount}\n"
        return (position, subscription, external_id, day, line) if PLAIN_LINE.fullmatch(line) else None

    def _slow_path(self, position: int, record: UsageEvent | RecordProblem) -> Accepted | None:
        """Check each value. Return the line in plain digits, or keep the problem and return None."""
        problem = record if isinstance(record, RecordProblem) else record_problem(position, record)
        if problem is None and isinstance(record, UsageEvent):
            subscription, usage_date, price, amount, external_id = plain_event(record)
            day = usage_day(usage_date)
            if external_id is not None or day not in self.sealed:
                line = f"{subscription}\t{usage_date}\t{day}\t{price:f}\t{amount}\n"
                return position, subscription, external_id, day, line
            problem = day_sealed(position, usage_date)
        if problem is not None:
            self._problem_count += 1
            if len(self._problems) < PROBLEM_LIMIT:
                self._problems.append(problem)
        return None


def _cell(external_id: str | None) -> str:
    """The external id as COPY reads it."""
    return "\\N" if external_id is None else external_id.replace("\\", "\\\\")


def _is_plain_id(external_id: object) -> bool:
    """Whether this is a valid external id in its plain form, by one expression. Nearly all ids are."""
    return isinstance(external_id, str) and len(external_id) <= LONGEST_ID and bool(PLAIN_ID.fullmatch(external_id))


def blocks(lines: Iterator[str]) -> Iterator[bytes]:
    """Join lines into blocks for COPY."""
    while block := "".join(islice(lines, LINES_IN_A_BLOCK)):
        yield block.encode()
