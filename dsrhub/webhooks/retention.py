"""Events and deliveries are kept for some days, for the log and to be sent again."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from dsrhub.database.statements import execute

# Dropped at a time, in a transaction of its own.
BATCH = 10_000

# An event goes with all of its deliveries, waiting or not; and an event whose webhooks were all deleted goes soon.
DROP = """
WITH surplus AS MATERIALIZED (
    SELECT id FROM webhooks_event AS event WHERE at < %(until)s OR (at < %(recently)s AND NOT EXISTS (
        SELECT FROM webhooks_delivery WHERE event_id = event.id
    )) ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
),
deliveries AS (DELETE FROM webhooks_delivery USING surplus WHERE event_id = surplus.id)
DELETE FROM webhooks_event USING surplus WHERE webhooks_event.id = surplus.id
"""


def events_drop_surplus() -> int:
    """Drop the events that are older than DSRHUB_WEBHOOK_DAYS, with their deliveries, and return their number."""
    now, count = timezone.now(), 0
    until, recently = now - timedelta(days=settings.DSRHUB_WEBHOOK_DAYS), now - timedelta(days=1)
    while dropped := execute(DROP, until=until, recently=recently, batch=BATCH):
        count += dropped
    return count
