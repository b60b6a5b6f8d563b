"""Sets the aggregates of marked keys to their live values."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from psycopg2 import sql

from dsrhub.database.locks import USAGE_AGGREGATES
from dsrhub.database.statements import composed, rows_of, union_all
from subscriptions.aggregates.ranges import (
    MARKED,
    ZEROS,
    UsageRange,
    days_between,
    days_in,
    marked_rows,
    month_last_day,
)
from subscriptions.models import ALL_SUBSCRIPTIONS, UsageMark, UsageType
from subscriptions.records.partitions import partitions_reload

REFRESH_MEMORY = "64MB"


@dataclass(frozen=True)
class RefreshedMonth:
    """One step of a refresh: the refreshed days of one month, and the number of keys that were set."""

    usage_type: UsageType
    days: list[date]
    key_count: int


REFRESH = """
WITH mark AS (
    DELETE FROM subscriptions_usagemark WHERE usage_type = {type} AND {days}
    RETURNING usage_type, day, subscription_id
), {marked},
fresh AS MATERIALIZED (
    SELECT subscription_id, usage_type, day,
        sum(price) AS price, sum(amount) AS amount, sum(record_count)::bigint AS record_count
    FROM ({parts}) AS part GROUP BY subscription_id, usage_type, day
),
daily AS (
    INSERT INTO subscriptions_dailyusage AS old (subscription_id, usage_type, day, price, amount, record_count)
    -- In this order, the rows of a day are stored next to each other.
    SELECT subscription_id, usage_type, day, price, amount, record_count FROM fresh ORDER BY day, subscription_id
    ON CONFLICT (subscription_id, usage_type, day) DO UPDATE {set}
    RETURNING subscription_id
),
-- Where there is no limit, nobody can reach one. A new limit makes marks of its own.
limited AS (
    INSERT INTO subscriptions_limitmark (usage_type, first, last, month)
    SELECT {type}, subscription_id, subscription_id, {month}::date FROM (
        SELECT DISTINCT subscription_id FROM daily
        WHERE EXISTS (SELECT FROM subscriptions_pricelimit WHERE usage_type = {type})
    ) AS changed
),
fresh_month AS MATERIALIZED (
    SELECT subscription_id, usage_type, {month}::date AS month,
        sum(price) AS price, sum(amount) AS amount, sum(record_count)::bigint AS record_count
    FROM (
        SELECT subscription_id, usage_type, day, price, amount, record_count FROM fresh
        UNION ALL
        SELECT subscription_id, usage_type, day, price, amount, record_count FROM subscriptions_dailyusage AS kept
        WHERE usage_type = {type} AND {days_of_month}
            AND subscription_id IN (SELECT subscription_id FROM fresh)
            AND NOT EXISTS (
                SELECT FROM fresh WHERE fresh.subscription_id = kept.subscription_id AND fresh.day = kept.day
            )
    ) AS of_month GROUP BY subscription_id, usage_type
),
monthly AS (
    INSERT INTO subscriptions_monthlyusage AS old (subscription_id, usage_type, month, price, amount, record_count)
    SELECT subscription_id, usage_type, month, price, amount, record_count FROM fresh_month
    ON CONFLICT (subscription_id, usage_type, month) DO UPDATE {set}
),
total AS (
    INSERT INTO subscriptions_totalusage AS old (subscription_id, usage_type, price, amount, record_count)
    SELECT subscription_id, usage_type, sum(price), sum(amount), sum(record_count)
    FROM (
        SELECT subscription_id, usage_type, price, amount, record_count FROM fresh_month
        UNION ALL
        SELECT subscription_id, usage_type, price, amount, record_count FROM subscriptions_monthlyusage AS kept
        WHERE usage_type = {type} AND month <> {month} AND subscription_id IN (SELECT subscription_id FROM fresh)
    ) AS of_all GROUP BY subscription_id, usage_type
    ON CONFLICT (subscription_id, usage_type) DO UPDATE {set}
)
SELECT count(*) FROM fresh
"""
SET = """
SET price = excluded.price, amount = excluded.amount, record_count = excluded.record_count
WHERE (old.price, old.amount, old.record_count)
    IS DISTINCT FROM (excluded.price, excluded.amount, excluded.record_count)
"""


def stale_days(usage_type: UsageType, *, start: date, end: date) -> list[date]:
    """The days with marks between two days."""
    rows = rows_of(
        "SELECT DISTINCT day FROM subscriptions_usagemark "
        "WHERE usage_type = %(type)s AND day BETWEEN %(start)s AND %(end)s ORDER BY day",
        type=usage_type,
        start=start,
        end=end,
    )
    return [day for (day,) in rows]


def month_refresh(usage_type: UsageType, month: date, *, start: date, end: date) -> RefreshedMonth:
    """Set the marked keys of those days of a month that are between two days to their live values."""
    with transaction.atomic():
        USAGE_AGGREGATES.take(usage_type=usage_type)
        # Read under the lock: from here on, no purge can drop a partition of these days.
        days = stale_days(usage_type, start=max(start, month), end=min(end, month_last_day(month)))
        return RefreshedMonth(usage_type, days, days_refresh(usage_type, days))


def days_refresh(usage_type: UsageType, days: Collection[date]) -> int:
    """Set the marked keys of some days of one month to their live values. The caller holds USAGE_AGGREGATES."""
    if not days:
        return 0
    partitions_reload()
    everybody = UsageRange()
    # Keys without any record left must become zero. No record stands for them, so their old rows do.
    zeros = everybody.aggregate_rows(usage_type, "subscriptions_dailyusage", days_in(days), ZEROS)
    parts = [zeros, *everybody.live_rows(usage_type, days)]
    month = min(days).replace(day=1)
    statement = composed(
        REFRESH,
        type=sql.Literal(usage_type.value),
        days=days_in(days),
        marked=MARKED,
        parts=union_all([*marked_rows(parts, whole_days=True), *marked_rows(parts, whole_days=False)]),
        month=sql.Literal(month),
        days_of_month=days_between(month, month_last_day(month)),
        set=sql.SQL(SET),
    )
    # With less memory, the groups would spill to disk.
    rows_of("SELECT set_config('work_mem', %(memory)s, true)", memory=REFRESH_MEMORY)
    ((count,),) = rows_of(statement)
    return int(count)


def marks_count(*, limit: int) -> int:
    """How many changes there are since the last refresh: no more than `limit`, as the table of marks has no index."""
    return UsageMark.objects.values("usage_type")[:limit].count()


def days_mark(usage_type: UsageType, days: Iterable[date]) -> None:
    """Mark whole days, so that the next refresh rebuilds their aggregates."""
    UsageMark.objects.bulk_create(
        [UsageMark(usage_type=usage_type, day=day, subscription_id=ALL_SUBSCRIPTIONS) for day in days]
    )
