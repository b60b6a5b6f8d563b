"""What the search of the header finds of subscriptions."""

from django.http import HttpRequest

from dsrhub.pages.site_search import Findings, Found, finder, found_in_list, page_of
from dsrhub.values.cells import rounded
from dsrhub.values.numbers import plain_id
from subscriptions.models import PriceLimit, Subscription


@finder(order=50)
def subscriptions(request: HttpRequest, text: str) -> Findings | None:
    """The subscription of a number. The search of the list would compare all numbers as texts."""
    return found_in_list(request, text, Subscription.objects.filter(pk=plain_id(text) or 0), _subscription)


def _subscription(subscription: Subscription) -> Found:
    return Found(str(subscription), page_of(subscription), subscription.get_status_display())


@finder(order=60)
def price_limits(request: HttpRequest, text: str) -> Findings | None:
    return found_in_list(request, text, PriceLimit.objects.select_related("subscription").order_by("id"), _limit)


def _limit(limit: PriceLimit) -> Found:
    return Found(str(limit), page_of(limit), rounded(limit.price))
