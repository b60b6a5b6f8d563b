"""Reads the records that a program sends as JSON, or as lines of JSON. Does not use the database.

A record is an object with the properties that a file has as columns: `kilobytes_used` or `seconds_used` says its type.
Numbers may be numbers or texts; every digit counts.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dsrhub.texts.wording import printable
from dsrhub.values.times import parsed_time
from subscriptions.exceptions import RecordProblem
from subscriptions.models import UsageType
from subscriptions.records.events import UsageEvent
from subscriptions.records.files import (
    AMOUNT_COLUMNS,
    COLUMNS,
    EXTERNAL_ID,
    LONGEST_SHOWN,
    NUMBER,
    REQUIRED_COLUMNS,
    WHOLE_NUMBER,
)

# A record with its usage type, or its problem.
Sent = tuple[UsageType, UsageEvent] | RecordProblem


class Doubled(dict[str, Any]):
    """An object of JSON that has a property twice."""


class NotJSON(ValueError):
    """A text is not JSON. The message says why."""


def parsed_json(content: bytes) -> Any:
    """The value of a JSON text in UTF-8. Numbers with a fraction or an exponent are texts. Raises NotJSON."""
    try:
        return DECODER.decode(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotJSON(str(error)[:LONGEST_SHOWN]) from error


def json_records(found: Any) -> list[Sent]:
    """The records of an array, or the only record."""
    records = found if isinstance(found, list) else [found]
    return [sent_record(position, record) for position, record in enumerate(records, 1)]


def json_lines(content: bytes) -> Iterator[bytes]:
    """The lines that are not blank."""
    return (line for line in content.splitlines() if not line.isspace() and line)


def line_record(position: int, line: bytes) -> Sent:
    """The record of a line."""
    try:
        found = parsed_json(line)
    except NotJSON as error:
        return RecordProblem(position, "record", printable(str(error), LONGEST_SHOWN), "not_json")
    return sent_record(position, found)


def sent_record(position: int, found: Any) -> Sent:
    """The record that an object is. The service that adds it checks the ranges of values and the time zone."""
    if type(found) is not dict or not found.keys() <= COLUMNS:
        return _wrong_properties(position, found)
    amounts = AMOUNT_COLUMNS.keys() & found.keys()
    if len(amounts) != 1:
        return RecordProblem(position, " or ".join(AMOUNT_COLUMNS), "", "one_amount_needed")
    (name,) = amounts
    subscription, moment = _whole(found.get("subscription_id")), _moment(found.get("usage_date"))
    price, amount, external_id = _number(found.get("price")), _whole(found[name]), found.get(EXTERNAL_ID)
    if subscription is None or moment is None or price is None or amount is None:
        return _wrong_value(position, name, found)
    if external_id is not None and type(external_id) is not str:
        return RecordProblem(position, EXTERNAL_ID, shown(external_id), "not_text")
    return AMOUNT_COLUMNS[name], UsageEvent(subscription, moment, price, amount, external_id)


def shown(value: Any) -> str:
    """The start of a value, with everything escaped that does not print."""
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text, LONGEST_SHOWN)


def _wrong_properties(position: int, found: Any) -> RecordProblem:
    if not isinstance(found, dict):
        return RecordProblem(position, "record", shown(found), "not_an_object")
    if isinstance(found, Doubled):
        return RecordProblem(position, "record", "", "property_repeated")
    name = next(iter(found.keys() - COLUMNS))
    return RecordProblem(position, shown(name), shown(found[name]), "property_unknown")


def _wrong_value(position: int, amount: str, found: Mapping[str, Any]) -> RecordProblem:
    """The first problem of an object of which one of these values is none."""
    for name in REQUIRED_COLUMNS:
        if name not in found:
            return RecordProblem(position, name, "", "property_missing")
    reads = {"subscription_id": _whole, "usage_date": _moment, "price": _number, amount: _whole}
    name = next(name for name, read in reads.items() if read(found[name]) is None)
    return RecordProblem(position, name, shown(found[name]), CODES.get(name, "not_a_whole_number"))


CODES = {"usage_date": "not_a_time", "price": "not_a_number"}


def _whole(value: Any) -> int | None:
    if type(value) is int:
        return value if value >= 0 else None
    return int(value) if type(value) is str and WHOLE_NUMBER.fullmatch(value) else None


def _number(value: Any) -> Decimal | None:
    if type(value) is int:
        return Decimal(value)
    return Decimal(value) if type(value) is str and NUMBER.fullmatch(value) else None


def _moment(value: Any) -> Any:
    return parsed_time(value) if type(value) is str else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Doubled(found)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_constant=_refuse_constant)
