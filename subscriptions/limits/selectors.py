"""Questions about price limits and what reached them."""

from datetime import date
from typing import Any

from django.db.models import QuerySet

from subscriptions.aggregates.ranges import require_order
from subscriptions.models import LimitCrossing, LimitMark, LimitSpan, PriceLimit, UsageMark, UsageType


def price_limit_list(
    *, subscription_id: int | None = None, carrier: str | None = None, usage_type: UsageType | None = None
) -> QuerySet[PriceLimit]:
    """The price limits themselves: those of a subscription, of a carrier, or all."""
    filters = {"subscription": subscription_id, "carrier": carrier, "usage_type": usage_type}
    return PriceLimit.objects.filter(**_given(filters)).order_by()


def limit_crossing_list(
    *,
    subscription_id: int | None = None,
    usage_type: UsageType | None = None,
    span: LimitSpan | None = None,
    start: date | None = None,
    end: date | None = None,
    with_withdrawn: bool = False,
) -> QuerySet[LimitCrossing]:
    """The limits that subscriptions reached on the days from `start` to `end`, both inclusive.

    Without those that were withdrawn, unless they are wanted too. `limits_are_current` says whether a worker has to
    follow. Raises InvalidUsageQuestion.
    """
    require_order(start or date.min, end or date.max)
    filters = {
        "subscription": subscription_id,
        "usage_type": usage_type,
        "span": span,
        "day__gte": start,
        "day__lte": end,
        "withdrawn_at__isnull": None if with_withdrawn else True,
    }
    return LimitCrossing.objects.filter(**_given(filters)).order_by()


def limits_are_current() -> bool:
    """Whether the crossings include every record and every limit that was accepted: no worker has to follow."""
    limited = PriceLimit.objects.values("usage_type")
    return not (LimitMark.objects.exists() or UsageMark.objects.filter(usage_type__in=limited).exists())


def _given(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}
