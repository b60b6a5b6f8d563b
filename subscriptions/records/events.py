"""The values of new records, and the checks of each value. Does not use the database."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from dsrhub.texts.spelling import PLAIN_ID, is_invisible, plain_external_id
from dsrhub.values.numbers import AMOUNT, DECIMALS, INTEGER_DIGITS
from subscriptions.exceptions import DaySealed, InvalidUsage, RecordProblem

# A write with more subscriptions on one day marks the whole day: a mark for each subscription would cost nearly as
# much as the records.
KEYS_MARKED_SINGLY = 500

LARGEST_INTEGER = 2**63 - 1
# Each day has its own partition. Other years are certainly mistakes.
FIRST_YEAR, LAST_YEAR = 1970, 2999
LONGEST_ID = 255
AMOUNT_TEXT = re.compile("-?" + AMOUNT)


class UsageEvent(NamedTuple):
    """The values of a new or edited record. `amount` is in kilobytes for data, in seconds for voice.

    The services store and compare an external id in its plain form: see `plain_event`.
    """

    subscription: int
    usage_date: datetime
    price: Decimal
    amount: int
    external_id: str | None = None


def usage_zone() -> tzinfo:
    """The time zone in which days start and end."""
    name: str = settings.DSRHUB_USAGE_TIME_ZONE
    # Most records have UTC times. Converting UTC to UTC is nearly free.
    return UTC if name == "UTC" else ZoneInfo(name)


def usage_day(usage_date: datetime) -> date:
    return usage_date.astimezone(usage_zone()).date()


def latest_usage_day() -> date:
    """The last day on which a record may be by now."""
    return usage_day(timezone.now()) + timedelta(days=settings.DSRHUB_USAGE_FUTURE_DAYS)


def plain_event(record: UsageEvent) -> UsageEvent:
    """The record with its external id in the plain form, in which ids that look the same are equal."""
    external_id = record.external_id
    if not isinstance(external_id, str) or PLAIN_ID.fullmatch(external_id):
        return record
    return record._replace(external_id=plain_external_id(external_id))


# --- Checking --------------------------------------------------------------------------------------------------


def record_problem(position: int, record: UsageEvent) -> RecordProblem | None:
    """The first invalid value of a record as it was given, or None. Does not compare with stored records."""
    subscription, usage_date, price, amount, external_id = plain_event(record)
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
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return "time_out_of_range"
    return "time_in_future" if usage_day(moment) > latest_usage_day() else None


def _price_code(price: object) -> str | None:
    # A float has already lost digits.
    if not isinstance(price, Decimal) or not price.is_finite():
        return "not_a_number"
    # Check the exponent first: 1e999999 in plain digits would be very long.
    in_range = abs(price.adjusted()) <= INTEGER_DIGITS + DECIMALS and AMOUNT_TEXT.fullmatch(f"{price:f}")
    return None if in_range else "number_out_of_range"


def external_id_code(external_id: object) -> str | None:
    if external_id is None:
        return None
    if not isinstance(external_id, str) or is_invisible(external_id):
        return "not_printable"
    return None if 1 <= len(external_id) <= LONGEST_ID else "wrong_length"


def day_sealed(position: int, usage_date: datetime) -> RecordProblem:
    """The problem of a record whose day is sealed."""
    return RecordProblem(position, "usage_date", str(usage_date), "day_sealed")


def refuse(problems: Sequence[RecordProblem], count: int | None = None) -> None:
    """Raise InvalidUsage if there are problems, or DaySealed if all of them are about sealed days."""
    if not problems:
        return
    if all(problem.code == "day_sealed" for problem in problems):
        raise DaySealed(problems, count)
    raise InvalidUsage(problems, count)
