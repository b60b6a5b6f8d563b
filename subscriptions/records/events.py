"""Raw records on their way in: values, checked one by one. Knows no database."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from dsrhub.values import AMOUNT, DECIMALS, INTEGER_DIGITS
from subscriptions.exceptions import DaySealed, InvalidUsage, RecordProblem

# A write that touches more subscriptions of a day marks the whole day: a mark for each would cost nearly as much
# as the records.
KEYS_MARKED_SINGLY = 500

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
        external_id_code(external_id),
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


def external_id_code(external_id: object) -> str | None:
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
