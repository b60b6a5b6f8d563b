"""Writing events, in the transaction of what they tell."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from django.utils import timezone

from dsrhub.database.statements import execute
from dsrhub.webhooks.models import EventType, Webhook

LONGEST_SUBJECT = 255

# A webhook that is deleted at the same time waits until the writer has committed, or is not seen.
WRITE = """
WITH listening AS MATERIALIZED (
    SELECT id FROM webhooks_webhook WHERE %(type)s = ANY(events) ORDER BY id FOR KEY SHARE
),
written AS (
    INSERT INTO webhooks_event (uid, type, subject, body, at)
    SELECT uid, %(type)s, subject, body, %(at)s
    FROM unnest(%(uids)s::uuid[], %(subjects)s::text[], %(bodies)s::text[])
        WITH ORDINALITY AS given (uid, subject, body, place)
    WHERE EXISTS (SELECT FROM listening) ORDER BY place
    RETURNING id, subject
)
INSERT INTO webhooks_delivery (webhook_id, event_id, subject, state, due_at, attempts, answers)
SELECT listening.id, written.id, subject, 'waiting', %(at)s, 0, '[]'
FROM written CROSS JOIN listening ORDER BY written.id, listening.id
"""


class NewEvent(NamedTuple):
    """What happened to a subject. `data` is that of the type of the event in `dsrhub.webhooks.payloads`."""

    subject: str
    data: Mapping[str, Any]


def event_write(event_type: EventType, *, subject: str, data: Mapping[str, Any]) -> None:
    """Write an event for the webhooks that listen for its type; without any, nothing.

    The caller has a transaction, and has taken turns with others who write events of the subject.
    """
    events_write(event_type, [NewEvent(subject, data)])


def events_write(event_type: EventType, events: Sequence[NewEvent]) -> None:
    """The same for many events of one type, in their order."""
    if not events or not is_listened_for(event_type):
        return
    at = timezone.now()
    execute(
        WRITE,
        type=event_type.value,
        at=at,
        uids=[str(uuid4()) for _ in events],
        subjects=[event.subject[:LONGEST_SUBJECT] for event in events],
        bodies=[event_body(event_type, at, event.data) for event in events],
    )


def is_listened_for(event_type: EventType) -> bool:
    return Webhook.objects.filter(events__contains=[event_type.value]).exists()


def event_body(event_type: str, at: datetime, data: Mapping[str, Any]) -> str:
    """What is sent: JSON in the form that Standard Webhooks recommend."""
    return json.dumps(
        {"type": str(event_type), "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data},
        ensure_ascii=False,
        separators=(",", ":"),
    )
