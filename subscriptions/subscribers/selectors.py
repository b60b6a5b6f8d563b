"""The selectors for subscriptions."""

from django.db.models import QuerySet

from dsrhub.texts import gettext_lazy as _
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.models import Subscription


def subscription_list(*, carrier: str | None = None, status: str | None = None) -> QuerySet[Subscription]:
    """The subscriptions of a carrier or status, unordered."""
    filters = {"carrier": carrier, "status": status}
    return Subscription.objects.filter(
        **{name: value for name, value in filters.items() if value is not None}
    ).order_by()


def subscription_get(*, subscription_id: int) -> Subscription:
    """Raises SubscriptionNotFound."""
    subscription = Subscription.objects.filter(pk=subscription_id).first()
    if subscription is None:
        raise SubscriptionNotFound(_("There is no subscription %(id)s.") % {"id": subscription_id}, id=subscription_id)
    return subscription
