"""Questions about webhooks and their deliveries."""

from datetime import datetime

from django.db.models import Count, Q

from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.webhooks.exceptions import WebhookNotFound
from dsrhub.webhooks.models import Delivery, Webhook

# A disabled webhook waits for people, not for a worker.
OLDEST = """
SELECT min(at) FROM webhooks_webhook AS webhook CROSS JOIN LATERAL (
    SELECT at FROM webhooks_delivery JOIN webhooks_event AS event ON event.id = event_id
    WHERE webhook_id = webhook.id AND state = 'waiting' ORDER BY event_id LIMIT 1
) AS oldest
WHERE is_enabled
"""


def webhook_list() -> list[Webhook]:
    """All webhooks, in the order of their ids. There are few: see MOST_WEBHOOKS."""
    return list(Webhook.objects.all())


def webhook_get(*, webhook_number: int) -> Webhook:
    """Raises WebhookNotFound."""
    webhook = Webhook.objects.filter(pk=webhook_number).first()
    if webhook is None:
        raise WebhookNotFound(_("There is no webhook %(id)s.") % {"id": webhook_number}, id=webhook_number)
    return webhook


def delivery_list(
    *, webhook_number: int, state: str | None = None, before: int | None = None, limit: int
) -> list[Delivery]:
    """The deliveries to a webhook with their events, the latest first, with ids less than `before`.

    Raises WebhookNotFound.
    """
    webhook = webhook_get(webhook_number=webhook_number)
    found = Delivery.objects.select_related("event").filter(webhook=webhook)
    if state is not None:
        found = found.filter(state=state)
    if before is not None:
        found = found.filter(pk__lt=before)
    return list(found.order_by("-pk")[:limit])


def webhook_counts() -> dict[str, int]:
    """How many webhooks work, fail, and are disabled."""
    return Webhook.objects.aggregate(
        working=Count("pk", filter=Q(is_enabled=True, failing_since=None)),
        failing=Count("pk", filter=Q(is_enabled=True, failing_since__isnull=False)),
        disabled=Count("pk", filter=Q(is_enabled=False)),
    )


def waiting_count(*, limit: int) -> int:
    """How many events are on their way to enabled webhooks, no more than `limit`."""
    return Delivery.objects.filter(state=Delivery.State.WAITING, webhook__is_enabled=True)[:limit].count()


def waiting_since() -> datetime | None:
    """When the oldest of them happened."""
    oldest: datetime | None = rows_of(OLDEST)[0][0]
    return oldest
