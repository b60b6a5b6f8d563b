"""Raw records on their way in: values, checked one by one, and lines for COPY. Knows no database."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from itertools import chain, islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from dsrhub.values import AMOUNT, DECIMALS, INTEGER_DIGITS
from subscriptions.exceptions import DaySealed, InvalidUsage, RecordProblem

# A write that touches more subscriptions of a day marks the whole day: a mark for each would cost nearly as much
# as the records.
KEYS_MARKED_SINGLY = 500
PROBLEM_LIMIT = 100
LINES_IN_A_BLOCK = 1000

LARGEST_INTEGER = 2**63 - 1
# Each day has a table: a year outside of these is a mistake.
FIRST_YEAR, LAST_YEAR = 1970, 2999
LONGEST_ID = 255
AMOUNT_TEXT = re.compile("-?" + AMOUNT)


class UsageEvent(NamedTuple):
    """A raw record on its way in. `amount` is in kilobytes or in seconds, as the usage type says."""

    subscription: int
    usage_date: datetime
    price: Decimal
    amount: int
    external_id: str | None = None


def usage_zone() -> tzinfo:
    """The time zone that makes a day."""
    name: str = settings.DSRHUB_USAGE_TIME_ZONE
    # Most records come in UTC; to stay in the same zone costs nothing.
    return UTC if name == "UTC" else ZoneInfo(name)


def usage_day(usage_date: datetime) -> date:
    return usage_date.astimezone(usage_zone()).date()


# --- Checking --------------------------------------------------------------------------------------------------


def record_problem(position: int, record: UsageEvent) -> RecordProblem | None:
    """What is wrong with the values of a record by themselves."""
    subscription, usage_date, price, amount, external_id = record
    codes = (
        _whole_number_code(subscription, 1),
        _usage_date_code(usage_date),
        _price_code(price),
        _whole_number_code(amount, 0),
        _external_id_code(external_id),
    )
    if codes == ALL_RIGHT:
        return None
    name, value, code = next(found for found in zip(record._fields, record, codes, strict=True) if found[2])
    return RecordProblem(position, name, str(value)[:LONGEST_ID], str(code))


ALL_RIGHT = (None,) * 5


def _whole_number_code(number: object, minimum: int) -> str | None:
    if type(number) is not int:
        return "not_a_whole_number"
    return None if minimum <= number <= LARGEST_INTEGER else "number_out_of_range"


def _usage_date_code(moment: object) -> str | None:
    if not isinstance(moment, datetime):
        return "not_a_time"
    if moment.utcoffset() is None:
        return "time_zone_missing"
    return None if FIRST_YEAR <= moment.year <= LAST_YEAR else "time_out_of_range"


def _price_code(price: object) -> str | None:
    # A float has lost digits already.
    if not isinstance(price, Decimal) or not price.is_finite():
        return "not_a_number"
    # The exponent first: written out, 1e999999 would be long.
    in_range = abs(price.adjusted()) <= INTEGER_DIGITS + DECIMALS and AMOUNT_TEXT.fullmatch(f"{price:f}")
    return None if in_range else "number_out_of_range"


def _external_id_code(external_id: object) -> str | None:
    if external_id is None:
        return None
    if not isinstance(external_id, str) or not external_id.isprintable():
        return "not_printable"
    return None if 1 <= len(external_id) <= LONGEST_ID else "wrong_length"


def refuse(problems: Sequence[RecordProblem], count: int | None = None) -> None:
    """Raise InvalidUsage, or DaySealed where nothing else is wrong."""
    if not problems:
        return
    if all(problem.code == "day_sealed" for problem in problems):
        raise DaySealed(problems, count)
    raise InvalidUsage(problems, count)


# --- Loading ---------------------------------------------------------------------------------------------------

# A line as the quick way writes it: nothing in it is out of range, and its time has a zone.
PLAIN_LINE = re.compile(
    rf"[1-9][0-9]{{0,17}}\t(?:19[7-9]|2[0-9]{{2}})[0-9]-[^\t+]{{14,21}}[+-][0-9:]{{5,8}}\t"
    rf"[0-9-]{{10}}\t{AMOUNT_TEXT.pattern}\t[0-9]{{1,18}}\n",
    re.ASCII,
)


# A record that is right in itself: its position, subscription, external id and day, and its line for COPY.
Accepted = tuple[int, int, str | None, date, str]


class RecordLoad:
    """Records on their way into COPY: checked, counted, and their keys noted.

    A COPY ends before a record whose day has no partition (`missing_day`), as its plan would not find a new one, and
    the next COPY begins with it. The first record that has an external id, and all behind it, are staged.
    """

    def __init__(self, records: Iterator[UsageEvent | RecordProblem], open_days: set[date], sealed: set[date]) -> None:
        self.open_days, self._sealed = open_days, sealed
        self.missing_day: date | None = None
        self.count = 0
        self.marks: defaultdict[date, set[int]] = defaultdict(set)
        self.staged_days: set[date] = set()
        self.first_positions: dict[int, int] = {}
        self._records = records
        self._accepted = self._accept()
        self._put_back: list[Accepted] = []
        self._problems: list[RecordProblem] = []
        self._problem_count = 0
        self._failure: Exception | None = None
        self._zone = usage_zone()
        self._days: dict[date, str] = {}

    @property
    def is_unfinished(self) -> bool:
        return bool(self._put_back)

    def lines(self) -> Iterator[str]:
        """Lines for COPY into the records, up to one that cannot go this way, or not yet."""
        self.missing_day = None
        open_days, marks = self.open_days, self.marks
        for accepted in chain(self._taken_back(), self._accepted):
            position, subscription, external_id, day, line = accepted
            if external_id is not None or day not in open_days:
                self.missing_day = day if external_id is None else None
                self._put_back.append(accepted)
                return
            self.count = position
            keys = marks[day]
            if len(keys) <= KEYS_MARKED_SINGLY:
                keys.add(subscription)
            yield line

    def staged_lines(self) -> Iterator[str]:
        """Lines for COPY into the table of staged records: the rest."""
        for position, _, external_id, day, line in chain(self._taken_back(), self._accepted):
            self.count = position
            self.staged_days.add(day)
            text = "\\N" if external_id is None else external_id.replace("\\", "\\\\")
            yield f"{line[:-1]}\t{text}\t{position}\n"

    def refuse_problems(self, unknown: list[RecordProblem]) -> None:
        """Raise what the records are refused for, or what happened while they were read."""
        if self._failure is not None:
            raise self._failure
        problems = sorted([*self._problems, *unknown], key=lambda problem: problem.position)
        refuse(problems[:PROBLEM_LIMIT], self._problem_count + len(unknown))

    def _taken_back(self) -> Iterator[Accepted]:
        while self._put_back:
            yield self._put_back.pop()

    def _accept(self) -> Iterator[Accepted]:
        """The records up to the first problem; the rest is read to tell all problems."""
        first_positions = self.first_positions
        try:
            for position, record in enumerate(self._records, 1):
                accepted = self._plain(position, record) or self._examined(position, record)
                if accepted is not None:
                    if accepted[1] not in first_positions:
                        first_positions[accepted[1]] = position
                    if not self._problem_count:
                        yield accepted
        except Exception as error:  # noqa: BLE001 - COPY would make an error of its own of it
            self._failure = error

    def _plain(self, position: int, record: UsageEvent | RecordProblem) -> Accepted | None:
        """The quick way, which nearly every record passes: one expression looks at all values at once."""
        if type(record) is not UsageEvent:
            return None
        subscription, usage_date, price, amount, external_id = record
        if (
            type(subscription) is not int
            or type(amount) is not int
            or type(price) is not Decimal
            or type(usage_date) is not datetime
            or (external_id is not None and _external_id_code(external_id) is not None)
        ):
            return None
        try:
            day = usage_date.astimezone(self._zone).date()
        except OverflowError:
            return None
        # Its text is made once a day.
        text = self._days.get(day)
        if text is None:
            if day in self._sealed:
                return None
            text = self._days[day] = day.isoformat()
        line = f"{subscription}\t{usage_date.isoformat()}\t{text}\t{price}\t{amount}\n"
        return (position, subscription, external_id, day, line) if PLAIN_LINE.fullmatch(line) else None

    def _examined(self, position: int, record: UsageEvent | RecordProblem) -> Accepted | None:
        """The careful way: an uncommon record is written as plainly as others, or its problem is noted."""
        problem = record if isinstance(record, RecordProblem) else record_problem(position, record)
        if problem is None and isinstance(record, UsageEvent):
            day = usage_day(record.usage_date)
            if day not in self._sealed:
                subscription, usage_date, price, amount, external_id = record
                line = f"{subscription}\t{usage_date}\t{day}\t{price:f}\t{amount}\n"
                return position, subscription, external_id, day, line
            problem = RecordProblem(position, "usage_date", str(record.usage_date), "day_sealed")
        if problem is not None:
            self._problem_count += 1
            if len(self._problems) < PROBLEM_LIMIT:
                self._problems.append(problem)
        return None


def blocks(lines: Iterator[str]) -> Iterator[bytes]:
    """Lines as COPY reads them, many at once."""
    while block := "".join(islice(lines, LINES_IN_A_BLOCK)):
        yield block.encode()
