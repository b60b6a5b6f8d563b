"""Bringing the crossings up to date, and telling webhooks what has changed."""

from collections.abc import Callable, Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from dsrhub.database.locks import USAGE_AGGREGATES, USAGE_LIMITS
from dsrhub.webhooks.models import EventType
from dsrhub.webhooks.outbox import NewEvent, events_write
from dsrhub.webhooks.payloads import Crossing
from subscriptions.aggregates.refreshing import month_refresh, stale_days
from subscriptions.limits.changes import Change, marks_take
from subscriptions.models import LimitCrossing, LimitMark, PriceLimit, UsageType

# Rows are written by this many at a time.
BATCH = 1000


def limits_follow(*, may_continue: Callable[[], bool] = lambda: True) -> int:
    """Refresh the usage that has limits, and write what crossed them since; return the number of changes.

    It may be stopped at any time: the next call continues. Several at the same time take turns. Where there are no
    limits, it does nothing.
    """
    for usage_type in _limited_types():
        days = stale_days(usage_type, start=date.min, end=date.max)
        for month in sorted({day.replace(day=1) for day in days}):
            if may_continue():
                month_refresh(usage_type, month, start=date.min, end=date.max)
    return refreshed_limits_follow(may_continue=may_continue)


def refreshed_limits_follow(*, may_continue: Callable[[], bool] = lambda: True) -> int:
    """The same without a refresh: what was refreshed already, and other limits."""
    count = 0
    for usage_type in UsageType:
        while may_continue() and (changes := _marks_follow(usage_type)) is not None:
            count += len(changes)
    return count


def _limited_types() -> list[UsageType]:
    limited = PriceLimit.objects.values_list("usage_type", flat=True).distinct().order_by()
    return [UsageType(name) for name in limited]


def _marks_follow(usage_type: UsageType) -> list[Change] | None:
    """Follow the marks of the first subscriptions that have any; None without marks."""
    if not LimitMark.objects.filter(usage_type=usage_type).exists():
        return None
    with transaction.atomic():
        USAGE_AGGREGATES.take(usage_type=usage_type)
        USAGE_LIMITS.take(usage_type=usage_type)
        changes = marks_take(usage_type)
        if changes:
            _withdraw([change.withdrawn for change in changes if change.withdrawn is not None])
            _write(usage_type, changes)
    return changes


def _withdraw(numbers: Sequence[int]) -> None:
    crossings = LimitCrossing.objects.filter(pk__in=numbers)
    crossings.update(withdrawn_at=timezone.now())
    events_write(EventType.LIMIT_WITHDRAWN, [_event(crossing) for crossing in crossings.order_by("pk")])


def _write(usage_type: UsageType, changes: Sequence[Change]) -> None:
    now = timezone.now()
    crossings = LimitCrossing.objects.bulk_create(
        [
            LimitCrossing(
                subscription_id=change.subscription_id,
                usage_type=usage_type,
                span=change.span,
                month=change.month,
                found_at=now,
                **change.reached._asdict(),
            )
            for change in changes
            if change.reached is not None
        ],
        batch_size=BATCH,
    )
    events_write(EventType.LIMIT_REACHED, [_event(crossing) for crossing in crossings])


def _event(crossing: LimitCrossing) -> NewEvent:
    data = Crossing(
        crossing=crossing.pk,
        subscription=crossing.subscription_id,
        usage_type=str(crossing.usage_type),
        span=str(crossing.span),
        month=f"{crossing.month:%Y-%m}" if crossing.month else None,
        day=crossing.day.isoformat(),
        price_limit=f"{crossing.price_limit:f}",
        limit_of=str(crossing.scope),
    )
    return NewEvent(f"subscription:{crossing.subscription_id}", data)
