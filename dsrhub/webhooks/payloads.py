"""What each type of event has as its `data`: JSON schemas, for `docs/webhooks/asyncapi.yaml`.

A test compares them with real events, so a change of what is sent needs a change here.
"""

from typing import Any

from dsrhub.webhooks.models import TEST_EVENT, EventType

Schema = dict[str, Any]


def _whole(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _list(item: Schema, description: str) -> Schema:
    return {"type": "array", "items": item, "description": description}


def _data(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """An object. Receivers ignore properties that they do not know: new ones may be added."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


MONTH = _text("A month, such as 2026-01.", pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")
NUMBERS = {"type": "integer", "minimum": 1}
DELIVERED = {
    "dsrs": _list(NUMBERS, "The ids of all DSRs of the delivery."),
    "name": _text("The name of the delivered file, or of the first one of a message."),
    "dsp": _text("The DSP of the DSRs."),
    "message": _or_null(_whole("The id of the message, if it was one.")),
}
REPLACED = {"replaced": _list(NUMBERS, "The ids of the DSRs that stood before.")}
FAILED = {
    "dsrs": _list(NUMBERS, "The id of the failed DSR. Empty, if the delivery became no DSR."),
    "name": _text("The name of the delivered file, or of the first one of a message."),
    "dsp": _or_null(_text("The DSP of the failed DSR.")),
    "code": _text("Why it was refused, for programs."),
    "error_count": _whole("How many errors were found. A refusal that is none of the problems is one."),
    "warning_count": _whole("How many warnings were found."),
    "problems": _list({"type": "string"}, "The codes of the first errors."),
}
MISSING = {
    "dsp": _text("The DSP of the series."),
    "offer": _text("The commercial offer of the series."),
    "society": _or_null(_text("The society of the series.")),
    "territory": _text("The code of the territory, such as NO."),
    "currency": _text("The code of the currency, such as NOK."),
    "month": MONTH,
    "state": _text("What the month is.", enum=["missing", "late"]),
}
CROSSING = {
    "crossing": _whole("The id of the crossing."),
    "subscription": _whole("The id of the subscription."),
    "usage_type": _text("What the price is for.", enum=["data", "voice"]),
    "span": _text("Whether the limit is one of each month, or of all time.", enum=["month", "total"]),
    "month": _or_null(MONTH),
    "day": _text("The day on which the price reached the limit.", format="date"),
    "price_limit": _text("The limit: an exact decimal number.", pattern=r"^[0-9]+(\.[0-9]+)?$"),
    "limit_of": _text("Whose limit it is.", enum=["subscription", "carrier", "all"]),
}

# When an event is sent, and its data.
PAYLOADS: dict[str, tuple[str, Schema]] = {
    EventType.DSR_INGESTED.value: ("A delivery was imported: a report, or a message.", _data(DELIVERED)),
    EventType.DSR_REPLACED.value: (
        "A delivery was imported in place of earlier DSRs.",
        _data(DELIVERED | REPLACED),
    ),
    EventType.DSR_REVERTED.value: (
        "Earlier versions of DSRs returned.",
        _data(DELIVERED | REPLACED, optional=("replaced",)),
    ),
    EventType.DSR_DELETED.value: (
        "DSRs were deleted, or dropped because a new message lacks them.",
        _data(DELIVERED),
    ),
    EventType.DSR_FAILED.value: ("A delivery was refused, and its problems are kept.", _data(FAILED)),
    EventType.REPORT_MISSING.value: ("A month of a series is missing or late.", _data(MISSING)),
    EventType.LIMIT_REACHED.value: ("A subscription reached a price limit.", _data(CROSSING)),
    EventType.LIMIT_WITHDRAWN.value: (
        "That a subscription reached a price limit is no longer so.",
        _data(CROSSING),
    ),
    TEST_EVENT: ("Somebody sent a test event.", _data({"webhook": _whole("The id of the webhook.")})),
}
