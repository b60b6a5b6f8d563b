"""Compares the crossings that are written with those that the daily sums and the limits make."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.db.models import Q, QuerySet
from psycopg2 import sql

from dsrhub.database.statements import rows_of
from subscriptions.aggregates.ranges import require_order
from subscriptions.limits.changes import FIRST_ID, LAST_ID, Reached, batch_last, compared, reached_or_none
from subscriptions.models import LimitCrossing, LimitMark, LimitSpan, PriceLimit, UsageType

BATCH_TOUCHED = """
WITH touched AS MATERIALIZED (
    SELECT id AS subscription_id, carrier, NULL::date AS month
    FROM subscriptions_subscription WHERE id BETWEEN {first} AND {last}
),
"""
# What has a mark waits for a worker. A mark of a month is one of the total, too.
DIFFERENCES = """
SELECT subscription_id, span, month, written_day, written_price, written_scope, wanted_day, wanted_price, wanted_scope
FROM different
WHERE coalesce(month BETWEEN {start} AND {end}, true) AND NOT EXISTS (
    SELECT FROM subscriptions_limitmark AS mark
    WHERE mark.usage_type = {type} AND subscription_id BETWEEN mark.first AND mark.last
        AND coalesce(mark.month = different.month, true)
)
ORDER BY subscription_id, span, month
"""


class CrossingDifference(NamedTuple):
    """A crossing that is wrong, missing (`written` is None), or one too many (`expected` is None)."""

    usage_type: UsageType
    subscription: int
    span: LimitSpan
    month: date | None
    written: Reached | None
    expected: Reached | None


@dataclass(frozen=True)
class CrossingsReport:
    """The result of a comparison. There should be no differences.

    `crossing_count` is the number of crossings that were read. Where `is_waiting`, a worker has to follow changes: what
    these concern was skipped.
    """

    crossing_count: int
    is_waiting: bool
    differences: list[CrossingDifference]


def limit_crossings_check(*, start: date = date.min, end: date = date.max) -> CrossingsReport:
    """Compare the crossings of the months from `start` to `end`, and of the totals, with the daily sums.

    A day counts with its sum also where its raw records were purged. Raises InvalidUsageQuestion where the range ends
    before it starts.
    """
    require_order(start, end)
    first_month = start.replace(day=1)
    return CrossingsReport(
        crossing_count=_crossings().filter(Q(month=None) | Q(month__range=(first_month, end))).count(),
        is_waiting=LimitMark.objects.exists(),
        differences=[
            difference
            for usage_type in UsageType
            if _has_any(usage_type)
            for difference in _differences(usage_type, first_month, end)
        ],
    )


def _crossings() -> QuerySet[LimitCrossing]:
    return LimitCrossing.objects.filter(withdrawn_at=None).order_by()


def _has_any(usage_type: UsageType) -> bool:
    """Whether there are limits or crossings."""
    return any(rows.filter(usage_type=usage_type).exists() for rows in (PriceLimit.objects, _crossings()))


def _differences(usage_type: UsageType, start: date, end: date) -> Iterator[CrossingDifference]:
    """What is different, batch by batch: each is of one snapshot."""
    first = FIRST_ID
    while first <= LAST_ID:
        last = batch_last(first)
        limits = {"first": first, "last": last, "start": start, "end": end}
        parts = {name: sql.Literal(value) for name, value in limits.items()}
        for number, span, month, *facts in rows_of(compared(BATCH_TOUCHED, DIFFERENCES, usage_type, **parts)):
            sides = reached_or_none(*facts[:3]), reached_or_none(*facts[3:])
            yield CrossingDifference(usage_type, number, LimitSpan(span), month, *sides)
        first = last + 1
