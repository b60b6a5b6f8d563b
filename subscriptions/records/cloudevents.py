"""Records in CloudEvents 1.0: one record is the data of one event. Does not use the database.

What the data leaves out, the event has: its `subject` is the id of the subscription, its `time` the usage date, and its
`id` the external id. Libraries for CloudEvents read numbers of JSON as doubles, which lose digits of prices.
"""

from collections.abc import Mapping
from typing import Any

from dsrhub.values.times import parsed_time
from subscriptions.exceptions import RecordProblem
from subscriptions.records.documents import Doubled, Sent, sent_record, shown
from subscriptions.records.files import EXTERNAL_ID

VERSION = "1.0"
REQUIRED = ("id", "source", "type")
# The property of the record that an attribute of the event stands for.
DEFAULTS = {"subject": "subscription_id", "time": "usage_date", "id": EXTERNAL_ID}


def event_records(found: Any) -> list[Sent]:
    """The records of a batch of events, or of the only event, in the JSON format of CloudEvents."""
    events = found if isinstance(found, list) else [found]
    return [event_record(position, event) for position, event in enumerate(events, 1)]


def event_record(position: int, event: Any) -> Sent:
    """The record in the `data` of an event, whose other members are its attributes."""
    if type(event) is not dict:
        return sent_record(position, event)  # which says what is wrong
    if problem := _envelope_problem(position, event):
        return problem
    data = event.get("data")
    if not isinstance(data, dict):
        return RecordProblem(position, "data", shown(data), "data_not_json")
    return sent_record(position, data if isinstance(data, Doubled) else _completed(data, event))


def _envelope_problem(position: int, event: Mapping[str, Any]) -> RecordProblem | None:
    if event.get("specversion") != VERSION:
        return _wrong(position, event, "specversion")
    for name in REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            return _wrong(position, event, name)
    if not isinstance(event.get("subject", ""), str):
        return _wrong(position, event, "subject")
    if "time" in event and (not isinstance(event["time"], str) or parsed_time(event["time"]) is None):
        return _wrong(position, event, "time")
    kind = event.get("datacontenttype", "application/json")
    media_type = kind.partition(";")[0].strip().lower() if isinstance(kind, str) else ""
    if media_type != "application/json" and not media_type.endswith("+json"):
        return _wrong(position, event, "datacontenttype")
    return RecordProblem(position, "data_base64", "", "data_not_json") if "data_base64" in event else None


def _wrong(position: int, event: Mapping[str, Any], name: str) -> RecordProblem:
    value = shown(event[name]) if name in event else ""
    return RecordProblem(position, name, value, "not_a_cloud_event")


def _completed(data: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """The data with what it leaves out. An external id of null means none, so it is not left out."""
    defaults = {name: event[attribute] for attribute, name in DEFAULTS.items() if attribute in event}
    return defaults | data
