"""What people and programs do with webhooks. Each change is in the audit log, without its secret."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.webhooks.delivering import webhook_disable
from dsrhub.webhooks.exceptions import DeliveryNotFound, InvalidWebhook, WebhookDisabled, WebhookNotFound
from dsrhub.webhooks.models import TEST_EVENT, Delivery, Event, EventType, Webhook
from dsrhub.webhooks.outbox import event_body
from dsrhub.webhooks.payloads import Trial
from dsrhub.webhooks.signing import encrypted, secret_create
from dsrhub.webhooks.targets import addresses_of, target_of

# How long the secret before a rotation signs, too.
OLD_SECRET_VALID = timedelta(days=1)
LONGEST_NAME = 100
# Each event is written once for each webhook that listens for it.
MOST_WEBHOOKS = 100


def webhook_create(*, name: str, url: str, events: Sequence[str]) -> tuple[Webhook, str]:
    """Add a webhook. Returns it with its secret, which cannot be found out later.

    Raises InvalidWebhook and AddressRefused.
    """
    _require_valid(name=name, events=events)
    _require_reachable(url)
    secret = secret_create()
    with transaction.atomic():
        if Webhook.objects.count() >= MOST_WEBHOOKS:
            raise InvalidWebhook(_("There are %(most)s webhooks already.") % {"most": MOST_WEBHOOKS}, argument="url")
        webhook = Webhook.objects.create(name=name, url=url, events=list(events), secret=encrypted(secret))
        audit(Action.WEBHOOK_ADDED, webhook, details=_facts(webhook))
    return webhook, secret


def webhook_change(*, webhook_number: int, **values: Any) -> Webhook:
    """Change `name`, `url`, `events` or `is_enabled` of a webhook. Those that are not given stay.

    What waited while it was disabled is sent when it is enabled. Raises WebhookNotFound, InvalidWebhook and
    AddressRefused.
    """
    _require_valid(**{name: values[name] for name in ("name", "events") if name in values})
    # A webhook whose host is gone can still be disabled.
    if values.get("url", "") not in ("", *Webhook.objects.filter(pk=webhook_number).values_list("url", flat=True)):
        _require_reachable(values["url"])
    with transaction.atomic():
        webhook = _locked(webhook_number)
        old = _facts(webhook)
        for name in values.keys() & {"name", "url", "events"}:
            setattr(webhook, name, values[name])
        _enable_or_disable(webhook, is_enabled=values.get("is_enabled", webhook.is_enabled))
        webhook.save()
        if _facts(webhook) != old:
            audit(Action.WEBHOOK_CHANGED, webhook, details={"old": old, "new": _facts(webhook)})
    return webhook


def webhook_rotate(*, webhook_number: int) -> tuple[Webhook, str]:
    """Give a webhook a new secret, and return both. The one before signs too, for OLD_SECRET_VALID.

    Raises WebhookNotFound.
    """
    secret = secret_create()
    with transaction.atomic():
        webhook = _locked(webhook_number)
        webhook.old_secret, webhook.secret = webhook.secret, encrypted(secret)
        webhook.old_secret_until = timezone.now() + OLD_SECRET_VALID
        webhook.save()
        audit(Action.WEBHOOK_ROTATED, webhook)
    return webhook, secret


def webhook_delete(*, webhook_number: int) -> None:
    """Delete a webhook with its deliveries. Raises WebhookNotFound."""
    with transaction.atomic():
        webhook = _locked(webhook_number, no_key=False)
        facts = _facts(webhook)
        webhook.delete()
        audit(Action.WEBHOOK_DELETED, webhook, number=webhook_number, details=facts)


def webhook_test(*, webhook_number: int) -> Delivery:
    """Send an event to a webhook that tells nothing, and return its delivery. A worker sends it.

    Raises WebhookNotFound and WebhookDisabled.
    """
    with transaction.atomic():
        webhook = _locked(webhook_number)
        _require_enabled(webhook)
        now, uid = timezone.now(), uuid4()
        body = event_body(TEST_EVENT, now, Trial(webhook=webhook.pk))
        # A subject of its own: it waits for nothing, and nothing waits for it.
        event = Event.objects.create(uid=uid, type=TEST_EVENT, subject=f"test:{uid.hex[:8]}", body=body, at=now)
        return Delivery.objects.create(webhook=webhook, event=event, subject=event.subject, due_at=now)


def delivery_resend(*, webhook_number: int, delivery_number: int) -> Delivery:
    """Send an event again, or now if it waits, with all attempts before it. It has the same id and content.

    Raises WebhookNotFound, DeliveryNotFound and WebhookDisabled.
    """
    with transaction.atomic():
        webhook = _locked(webhook_number)
        delivery = Delivery.objects.select_for_update().filter(pk=delivery_number, webhook=webhook).first()
        if delivery is None:
            raise DeliveryNotFound(
                _("There is no delivery %(id)s to this webhook.") % {"id": delivery_number}, id=delivery_number
            )
        _require_enabled(webhook)
        now = timezone.now()
        delivery.state, delivery.due_at, delivery.ended_at, delivery.attempts = Delivery.State.WAITING, now, None, 0
        # Its turn has passed: later events do not wait for it.
        delivery.holds_until = now
        delivery.save()
        webhook.rests_until = None
        webhook.save()
    return delivery


def _enable_or_disable(webhook: Webhook, *, is_enabled: bool) -> None:
    if is_enabled and not webhook.is_enabled:
        webhook.is_enabled, webhook.disabled_reason, webhook.disabled_at = True, "", None
        webhook.failures, webhook.failing_since, webhook.rests_until = 0, None, None
        # As if nothing had been sent yet.
        waiting = webhook.deliveries.filter(state=Delivery.State.WAITING)
        waiting.update(due_at=timezone.now(), attempts=0, holds_until=None)
    elif webhook.is_enabled and not is_enabled:
        webhook_disable(webhook, Webhook.Reason.USER)


def _locked(webhook_number: int, *, no_key: bool = True) -> Webhook:
    """Only a deletion waits for those who are writing events."""
    webhook = Webhook.objects.select_for_update(no_key=no_key).filter(pk=webhook_number).first()
    if webhook is None:
        raise WebhookNotFound(_("There is no webhook %(id)s.") % {"id": webhook_number}, id=webhook_number)
    return webhook


def _require_valid(*, name: str | None = None, events: Sequence[str] | None = None) -> None:
    if name is not None and not (0 < len(name) <= LONGEST_NAME and name.isprintable() and name.strip()):
        raise InvalidWebhook(
            _("Not a name of 1 to %(most)s printable characters.") % {"most": LONGEST_NAME}, argument="name"
        )
    if events is not None:
        unknown = [event for event in events if event not in EventType.values]
        if unknown or not events or len(set(events)) != len(events):
            raise InvalidWebhook(_("Not a list of different events."), argument="events")


def _require_reachable(url: str) -> None:
    addresses_of(target_of(url))


def _require_enabled(webhook: Webhook) -> None:
    if not webhook.is_enabled:
        raise WebhookDisabled(_("The webhook is disabled. Enable it first."), id=webhook.pk)


def _facts(webhook: Webhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in ("name", "url", "events", "is_enabled")}
