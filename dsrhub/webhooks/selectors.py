"""Questions about webhooks and their deliveries."""

from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.webhooks.exceptions import WebhookNotFound
from dsrhub.webhooks.models import Delivery, Webhook


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
