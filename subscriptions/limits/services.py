"""Setting and deleting price limits. What crosses them is worked out by a worker: see `following`."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from dsrhub.database.locks import USAGE_LIMITS
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import AMOUNT, DECIMALS, INTEGER_DIGITS
from subscriptions.exceptions import InvalidLimit, LimitNotFound, SubscriptionNotFound
from subscriptions.limits.changes import FIRST_ID, LAST_ID
from subscriptions.models import LimitCrossing, LimitMark, LimitSpan, PriceLimit, Subscription, UsageType
from subscriptions.records.events import usage_day


def price_limit_set(
    *,
    usage_type: UsageType,
    span: LimitSpan,
    price: Decimal,
    subscription_id: int | None = None,
    carrier: str | None = None,
    since: date | None = None,
) -> PriceLimit:
    """Set the price limit of a subscription, of a carrier, or without both of all, in place of the one it has.

    A limit of months applies from the month of `since`; without it, from the present month. The returned object
    `is_new` where there was none.

    Raises InvalidLimit and SubscriptionNotFound.
    """
    _require_price(price)
    _require_scope(subscription_id, carrier)
    key = {"usage_type": usage_type, "span": span, "subscription_id": subscription_id, "carrier": carrier}
    with transaction.atomic():
        USAGE_LIMITS.take(usage_type=usage_type)
        limit = PriceLimit.objects.filter(**_null_safe(key)).first()
        old = limit and _facts(limit)
        limit = limit or PriceLimit(**key)
        limit.price, limit.since = price, _month_since(span, since, limit.since)
        limit.save()
        _mark([limit])
        audit(Action.LIMIT_SET, limit, details={"old": old, "new": _facts(limit)})
    limit.is_new = old is None
    return limit


def price_limit_delete(*, limit_number: int) -> None:
    """Delete a price limit. What crossed it is withdrawn, unless a more general limit is crossed as well.

    Raises LimitNotFound.
    """
    with transaction.atomic():
        limit = PriceLimit.objects.filter(pk=limit_number).first()
        if limit is not None:
            USAGE_LIMITS.take(usage_type=limit.usage_type)
            limit = PriceLimit.objects.select_for_update().filter(pk=limit_number).first()
        if limit is None:
            raise LimitNotFound(_("There is no price limit %(id)s.") % {"id": limit_number}, id=limit_number)
        _mark([limit])
        audit(Action.LIMIT_DELETED, limit, details={"old": _facts(limit)})
        limit.delete()


def limits_lock() -> None:
    """Let others who change limits wait until this transaction ends."""
    for usage_type in UsageType:
        USAGE_LIMITS.take(usage_type=usage_type)


def limits_apply_anew(*, subscription_id: int) -> None:
    """Another limit may apply to a subscription: call it in the transaction that changes its carrier."""
    LimitMark.objects.bulk_create(
        LimitMark(usage_type=usage_type, first=subscription_id, last=subscription_id) for usage_type in UsageType
    )


def limits_mark() -> None:
    """Have all crossings worked out anew, also those of a usage type that has no limit any more."""
    rows = (PriceLimit.objects, LimitCrossing.objects.filter(withdrawn_at=None))
    types = {name for found in rows for name in found.order_by().values_list("usage_type", flat=True).distinct()}
    LimitMark.objects.bulk_create(LimitMark(usage_type=name, first=FIRST_ID, last=LAST_ID) for name in sorted(types))


def _mark(limits: Iterable[PriceLimit]) -> None:
    """Mark all whom limits may concern."""
    LimitMark.objects.bulk_create(
        LimitMark(
            usage_type=limit.usage_type,
            first=FIRST_ID if limit.subscription_id is None else limit.subscription_id,
            last=LAST_ID if limit.subscription_id is None else limit.subscription_id,
        )
        for limit in limits
    )


def _month_since(span: LimitSpan, since: date | None, before: date | None) -> date | None:
    if span == LimitSpan.TOTAL:
        if since is not None:
            raise InvalidLimit(_("A limit of the total has no month."), argument="since")
        return None
    return (since or before or usage_day(timezone.now())).replace(day=1)


def _require_price(price: Decimal) -> None:
    if not re.fullmatch(AMOUNT, f"{price:f}") or not price:
        raise InvalidLimit(
            _("Not a price of more than 0, with at most %(digits)s digits before and %(decimals)s after the point.")
            % {"digits": INTEGER_DIGITS, "decimals": DECIMALS},
            argument="price",
        )


def _require_scope(subscription_id: int | None, carrier: str | None) -> None:
    if subscription_id is not None and carrier is not None:
        raise InvalidLimit(_("A limit is for a subscription or for a carrier, not for both."), argument="carrier")
    if subscription_id is not None and not Subscription.objects.filter(pk=subscription_id).exists():
        raise SubscriptionNotFound(_("There is no subscription %(id)s.") % {"id": subscription_id}, id=subscription_id)


def _null_safe(key: dict[str, Any]) -> dict[str, Any]:
    """The conditions under which a row has these values."""
    given = {name: value for name, value in key.items() if value is not None}
    return given | {f"{name}__isnull": True for name, value in key.items() if value is None}


def _facts(limit: PriceLimit) -> dict[str, Any]:
    names = ("usage_type", "span", "subscription_id", "carrier", "since", "price")
    return {name: getattr(limit, name) for name in names}
