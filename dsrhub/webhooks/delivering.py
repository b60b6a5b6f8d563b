"""Sending the deliveries of one webhook, in their order, and noting what came of each."""

import logging
import random
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from dsrhub.database import locks
from dsrhub.database.statements import execute, rows_of
from dsrhub.webhooks.models import Delivery, Webhook
from dsrhub.webhooks.sending import Answer, post
from dsrhub.webhooks.signing import SecretUnreadable, signed_headers, signing_secrets

logger = logging.getLogger(__name__)

# The pauses between the attempts, as Standard Webhooks suggest; then the delivery is given up. Together, three days.
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# Each pause is this much longer at most, at random: not all come back at once.
JITTER = 0.2
# How long a delivery that failed holds back later events of its subject.
HOLD = timedelta(hours=1)
# How long a webhook rests after failures in a row, and at most. So one that is down gets no more than some requests,
# however many events wait for it.
REST, LONGEST_REST, MOST_DOUBLINGS = timedelta(seconds=1), timedelta(minutes=5), 10
# A webhook is disabled when every attempt of this time has failed.
PATIENCE = timedelta(days=3)
# How many of the last answers a delivery keeps.
MOST_ANSWERS = 10
# After this many deliveries to one webhook, another one has its turn.
MOST_AT_A_TIME = 100

# The webhooks that something may be sent to now.
DUE_WEBHOOKS = """
SELECT id FROM webhooks_webhook AS webhook
WHERE is_enabled AND coalesce(rests_until <= %(now)s, true) AND EXISTS (
    SELECT FROM webhooks_delivery WHERE webhook_id = webhook.id AND state = 'waiting' AND due_at <= %(now)s
)
ORDER BY id
"""
# The first delivery that is due, and that no earlier one of its subject holds back.
NEXT = """
SELECT id FROM webhooks_delivery AS delivery
WHERE webhook_id = %(webhook)s AND state = 'waiting' AND due_at <= %(now)s AND NOT EXISTS (
    SELECT FROM webhooks_delivery AS earlier
    WHERE earlier.webhook_id = delivery.webhook_id AND earlier.subject = delivery.subject
        AND earlier.state = 'waiting' AND earlier.event_id < delivery.event_id
        AND coalesce(earlier.holds_until > %(now)s, true)
)
ORDER BY event_id LIMIT 1
"""
# The earlier deliveries of the subject that a delivery has passed.
PASSED_OVER = """
UPDATE webhooks_delivery AS earlier SET passed_over_at = %(now)s
FROM webhooks_delivery AS delivery
WHERE delivery.id = %(delivery)s AND earlier.webhook_id = delivery.webhook_id AND earlier.subject = delivery.subject
    AND earlier.state = 'waiting' AND earlier.event_id < delivery.event_id AND earlier.passed_over_at IS NULL
"""


def webhooks_due() -> list[int]:
    """The ids of the webhooks that something waits for, and that do not rest."""
    return [number for (number,) in rows_of(DUE_WEBHOOKS, now=timezone.now())]


def webhook_deliver(webhook_number: int, *, may_continue: Callable[[], bool] = lambda: True) -> int:
    """Send what is due to a webhook, and return the number of attempts.

    Nothing is sent if another session is sending to it. Without a transaction: it would stay open while the receiver
    answers. If this process is killed, the lock ends with its session, and the delivery in work is sent again.
    """
    if not locks.WEBHOOKS.try_take(webhook_number):
        return 0
    count = 0
    try:
        while count < MOST_AT_A_TIME and may_continue() and _deliver_next(webhook_number):
            count += 1
    finally:
        locks.WEBHOOKS.give_back(webhook_number)
    return count


def _deliver_next(webhook_number: int) -> bool:
    webhook = Webhook.objects.filter(pk=webhook_number, is_enabled=True).first()
    if webhook is None or (webhook.rests_until and webhook.rests_until > timezone.now()):
        return False
    found = rows_of(NEXT, webhook=webhook_number, now=timezone.now())
    if not found:
        return False
    delivery = Delivery.objects.select_related("event").get(pk=found[0][0])
    answer_note(webhook_number, delivery.pk, _sent(webhook, delivery))
    return True


def _sent(webhook: Webhook, delivery: Delivery) -> Answer:
    at, event = timezone.now(), delivery.event
    try:
        secrets = signing_secrets(webhook, at)
    except SecretUnreadable:
        return Answer(error="The secret cannot be read, as DSRHUB_SECRET_KEY is another one by now. Rotate the secret.")
    signed = signed_headers(message_id=event.message_id, at=at, body=event.body, of=secrets)
    return post(webhook.url, event.body, {"Content-Type": "application/json", "User-Agent": "dsrhub", **signed})


# --- What came of it -------------------------------------------------------------------------------------------


def answer_note(webhook_number: int, delivery_number: int, answer: Answer) -> None:
    """Note the answer to an attempt, of the delivery and of its webhook. Either may have been deleted meanwhile."""
    with transaction.atomic():
        # Writers of events share the row of their webhook: neither waits for the other.
        webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=webhook_number).first()
        delivery = Delivery.objects.select_for_update().filter(pk=delivery_number).first()
        if webhook is None or delivery is None:
            return
        now = timezone.now()
        delivery.attempts += 1
        delivery.answers = [*delivery.answers, _noted(answer, now)][-MOST_ANSWERS:]
        _webhook_note(webhook, answer, now)
        if answer.is_success:
            _delivered(delivery, now)
        elif delivery.attempts > len(PAUSES) and webhook.is_enabled:
            _given_up(delivery, now)
        else:
            _failed(delivery, answer, now)
        delivery.save()
        execute(PASSED_OVER, delivery=delivery.pk, now=now)


def _noted(answer: Answer, at: datetime) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(answer).items() if name != "pause"}
    return {"at": at.isoformat(), **kept}


def _delivered(delivery: Delivery, now: datetime) -> None:
    delivery.state, delivery.due_at, delivery.ended_at = Delivery.State.DELIVERED, None, now


def _given_up(delivery: Delivery, now: datetime) -> None:
    delivery.state, delivery.due_at, delivery.ended_at = Delivery.State.GIVEN_UP, None, now


def _failed(delivery: Delivery, answer: Answer, now: datetime) -> None:
    """Send it again later. What a disabled webhook could not take is not given up, but waits with the others."""
    pause = PAUSES[min(delivery.attempts, len(PAUSES)) - 1]
    pause *= 1 + random.uniform(0, JITTER)  # noqa: S311 - not a secret
    delivery.due_at = now + max(pause, answer.pause)
    delivery.holds_until = delivery.holds_until or now + HOLD


def _webhook_note(webhook: Webhook, answer: Answer, now: datetime) -> None:
    if answer.is_success:
        webhook.failures, webhook.failing_since, webhook.rests_until = 0, None, None
    else:
        _webhook_failed(webhook, answer, now)
    webhook.save()


def _webhook_failed(webhook: Webhook, answer: Answer, now: datetime) -> None:
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or now
    rest = min(REST * 2 ** min(webhook.failures - 1, MOST_DOUBLINGS), LONGEST_REST)
    webhook.rests_until = now + max(rest, answer.pause)
    logger.info("webhook %s: an attempt failed: %s", webhook.pk, answer.error or answer.status)
    # A person may have disabled it while the receiver was answering.
    if webhook.is_enabled and answer.is_gone:
        webhook_disable(webhook, Webhook.Reason.GONE)
    elif webhook.is_enabled and now - webhook.failing_since > PATIENCE:
        webhook_disable(webhook, Webhook.Reason.FAILING)


def webhook_disable(webhook: Webhook, reason: Webhook.Reason) -> None:
    """Send nothing to a webhook until a person enables it. The caller saves it."""
    webhook.is_enabled, webhook.disabled_reason, webhook.disabled_at = False, reason, timezone.now()
    logger.warning("webhook %s is disabled: %s", webhook.pk, reason.value)
