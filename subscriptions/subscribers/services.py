"""The services that write subscriptions."""

from typing import Any

from django.db import transaction

from dsrhub.logs.audit import audit
from dsrhub.models import Action
from subscriptions.limits.services import limits_apply_anew
from subscriptions.models import Subscription
from subscriptions.subscribers.selectors import no_subscription


def subscription_create(*, carrier: str, status: str = Subscription.Status.NEW) -> Subscription:
    with transaction.atomic():
        subscription = Subscription.objects.create(carrier=carrier, status=status)
        values = {"carrier": carrier, "status": status}
        changed = {name: {"old": None, "new": value} for name, value in values.items()}
        audit(Action.SUBSCRIPTION_ADDED, subscription, details={"changed": changed})
    return subscription


def subscription_change(*, subscription_id: int, carrier: str | None = None, status: str | None = None) -> Subscription:
    """Change the values that are given. The audit log has an entry if one differs. Raises SubscriptionNotFound."""
    with transaction.atomic():
        # No key of its own changes, so that writers of usage do not wait.
        locked = Subscription.objects.select_for_update(no_key=True)
        subscription = locked.filter(pk=subscription_id).first()
        if subscription is None:
            raise no_subscription(subscription_id)
        changed: dict[str, Any] = {
            name: {"old": getattr(subscription, name), "new": value}
            for name, value in {"carrier": carrier, "status": status}.items()
            if value is not None and value != getattr(subscription, name)
        }
        for name, values in changed.items():
            setattr(subscription, name, values["new"])
        if changed:
            subscription.save(update_fields=list(changed))
            if "carrier" in changed:
                limits_apply_anew(subscription_id=subscription_id)
            audit(Action.SUBSCRIPTION_CHANGED, subscription, details={"changed": changed})
    return subscription
