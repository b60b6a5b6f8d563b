"""Compares aggregates with their expected values."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg2 import sql

from dsrhub.database.statements import composed, rows_of, union_all
from subscriptions.aggregates.ranges import MONTHS, TOTALS, UsageRange, days_between, days_in, month_last_day
from subscriptions.models import ALL_SUBSCRIPTIONS, DailyUsage, UsageType


@dataclass(frozen=True)
class Difference:
    """A wrong aggregate. `level` is "day", "month" or "total".

    Both `aggregate` and `expected` are (price, amount, number of records); values of a missing row are None.
    """

    level: str
    usage_type: UsageType
    day: date | None
    subscription: int
    aggregate: tuple[Any, ...]
    expected: tuple[Any, ...]


DAY_DIFFERENCES = """
SELECT subscription_id, daily.price, daily.amount, daily.record_count, live.price, live.amount, live.record_count
FROM ({daily}) AS daily
FULL JOIN (
    SELECT subscription_id, sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count
    FROM ({live}) AS part GROUP BY subscription_id
) AS live USING (subscription_id)
WHERE {differ} AND NOT EXISTS (
    SELECT FROM subscriptions_usagemark AS mark
    WHERE mark.usage_type = {type} AND mark.day = {day}
        AND mark.subscription_id IN ({all}, coalesce(daily.subscription_id, live.subscription_id))
)
ORDER BY subscription_id
"""
# Compares months with their days, and totals with their months.
LEVEL_DIFFERENCES = """
SELECT subscription_id, upper.price, upper.amount, upper.record_count, lower.price, lower.amount, lower.record_count
FROM ({upper}) AS upper
FULL JOIN (
    SELECT subscription_id, sum(price) AS price, sum(amount) AS amount, sum(record_count) AS record_count
    FROM ({lower}) AS part GROUP BY subscription_id
) AS lower USING (subscription_id)
WHERE {differ}
ORDER BY subscription_id
"""


def _differ(one: str, other: str) -> sql.SQL:
    """A condition: two rows of sums differ. A missing row equals zeros."""
    columns = ("price", "amount", "record_count")
    ones, others = (", ".join(f"coalesce({side}.{column}, 0)" for column in columns) for side in (one, other))
    return sql.SQL(f"({ones}) IS DISTINCT FROM ({others})")


def day_differences(usage_type: UsageType, day: date) -> list[Difference]:
    """The keys of a day that have no mark and not their live value. There should be none."""
    everybody = UsageRange()
    statement = composed(
        DAY_DIFFERENCES,
        daily=everybody.aggregate_rows(usage_type, "subscriptions_dailyusage", days_in([day])),
        live=union_all(everybody.live_rows(usage_type, [day])),
        differ=_differ("daily", "live"),
        type=sql.Literal(usage_type.value),
        day=sql.Literal(day),
        all=sql.Literal(ALL_SUBSCRIPTIONS),
    )
    rows = rows_of(statement)
    return [Difference("day", usage_type, day, row[0], row[1:4], row[4:]) for row in rows]


def month_differences(usage_type: UsageType, month: date) -> list[Difference]:
    """The sums of a month that differ from the sums of its days. There should be none."""
    upper = UsageRange().aggregate_rows(usage_type, MONTHS, days_in([month]))
    lower = UsageRange().aggregate_rows(
        usage_type, "subscriptions_dailyusage", days_between(month, month_last_day(month))
    )
    return _level_differences("month", usage_type, month, upper, lower)


def total_differences(usage_type: UsageType) -> list[Difference]:
    """The totals that differ from the sums of all months. There should be none."""
    upper, lower = UsageRange().aggregate_rows(usage_type, TOTALS), UsageRange().aggregate_rows(usage_type, MONTHS)
    return _level_differences("total", usage_type, None, upper, lower)


def _level_differences(
    level: str, usage_type: UsageType, day: date | None, upper: sql.Composed, lower: sql.Composed
) -> list[Difference]:
    statement = composed(LEVEL_DIFFERENCES, upper=upper, lower=lower, differ=_differ("upper", "lower"))
    return [Difference(level, usage_type, day, row[0], row[1:4], row[4:]) for row in rows_of(statement)]


def aggregated_days(usage_type: UsageType, *, start: date, end: date) -> set[date]:
    rows = DailyUsage.objects.filter(usage_type=usage_type, day__range=(start, end))
    return set(rows.order_by().values_list("day", flat=True).distinct())
