"""Helpers for the tests of webhooks."""

from datetime import timedelta

from django.db.models import F

from dsrhub.webhooks.models import Delivery, Event, EventType, Webhook
from dsrhub.webhooks.outbox import event_write


def write(number=1, subject="dsp:Spotify", event_type=EventType.DSR_INGESTED):
    """Write an event about a DSR, and return it; None if nobody listens."""
    event_write(event_type, subject=subject, data={"dsrs": [number]})
    return Event.objects.filter(body__contains=f'"dsrs":[{number}]').order_by("pk").last()


def later(**time):
    """Let time pass, for what is due, rests, fails or holds back: move all of it into the past."""
    by = timedelta(**time)
    Delivery.objects.update(due_at=F("due_at") - by, holds_until=F("holds_until") - by)
    Webhook.objects.update(
        rests_until=F("rests_until") - by,
        failing_since=F("failing_since") - by,
        old_secret_until=F("old_secret_until") - by,
    )


def delivery_of(event):
    return Delivery.objects.get(event=event)
