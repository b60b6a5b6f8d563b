"""The selectors for subscriptions."""

from collections.abc import Collection

from django.db.models import QuerySet

from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.models import Subscription


def subscription_list(
    *, carrier: str | None = None, status: str | None = None, ids: Collection[int] | None = None
) -> QuerySet[Subscription]:
    """The subscriptions of a carrier or status, or with some ids, unordered."""
    filters = {"carrier": carrier, "status": status, "pk__in": ids}
    return Subscription.objects.filter(
        **{name: value for name, value in filters.items() if value is not None}
    ).order_by()


def subscription_get(*, subscription_id: int) -> Subscription:
    """Raises SubscriptionNotFound."""
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None:
        raise no_subscription(subscription_id)
    return subscription


def no_subscription(number: int) -> SubscriptionNotFound:
    return SubscriptionNotFound(_("There is no subscription %(id)s.") % {"id": number}, id=number)
