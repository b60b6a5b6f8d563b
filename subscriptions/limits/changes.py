"""What is different between the crossings that are written and those that should be, where there are marks."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from psycopg2 import sql

from dsrhub.database.statements import composed, rows_of
from subscriptions.models import LimitMark, LimitScope, LimitSpan, Subscription, UsageType

# How many subscriptions are looked at in one transaction. A refresh waits for it.
BATCH = 2000
# The ends of a mark of all subscriptions. Behind the last one is room for the beginning of a rest.
FIRST_ID, LAST_ID = -(2**63), 2**63 - 2

# `starts` is the first day of the month, and for the total a day before all others.
TOTAL_STARTS = "'0001-01-01'::date"
# The limit that applies to each row of a table `key` with a subscription, its carrier and `starts`.
APPLIES = """
SELECT key.*, coalesce(own.price, of_carrier.price, of_all.price) AS limit_price, CASE
    WHEN own.price IS NOT NULL THEN 'subscription' WHEN of_carrier.price IS NOT NULL THEN 'carrier' ELSE 'all'
END AS scope
FROM {keys} AS key
LEFT JOIN subscriptions_pricelimit AS own
    ON own.subscription_id = key.subscription_id AND (own.usage_type, own.span) = ({type}, {span})
    AND coalesce(own.since <= key.starts, true)
LEFT JOIN subscriptions_pricelimit AS of_carrier
    ON of_carrier.subscription_id IS NULL AND of_carrier.carrier = key.carrier
    AND (of_carrier.usage_type, of_carrier.span) = ({type}, {span})
    AND coalesce(of_carrier.since <= key.starts, true)
LEFT JOIN subscriptions_pricelimit AS of_all
    ON of_all.subscription_id IS NULL AND of_all.carrier IS NULL
    AND (of_all.usage_type, of_all.span) = ({type}, {span}) AND coalesce(of_all.since <= key.starts, true)
"""
TAKEN = """
WITH taken AS (
    DELETE FROM subscriptions_limitmark WHERE usage_type = {type} AND first <= {last} RETURNING first, last, month
),
rest AS (
    INSERT INTO subscriptions_limitmark (usage_type, first, last, month)
    SELECT {type}, {last} + 1, last, month FROM taken WHERE last > {last}
),
touched AS MATERIALIZED (
    SELECT subscription.id AS subscription_id, carrier, month
    FROM taken JOIN subscriptions_subscription AS subscription ON id BETWEEN first AND least(last, {last})
),
"""
# What is `different` for the subscriptions and months of a table `touched`. Without a month, of all time.
COMPARED = """
key_of_month AS MATERIALIZED (
    SELECT subscription_id, carrier, month AS starts FROM touched WHERE month IS NOT NULL
    UNION
    SELECT subscription_id, carrier, monthly.month
    FROM touched JOIN subscriptions_monthlyusage AS monthly USING (subscription_id)
    WHERE touched.month IS NULL AND usage_type = {type}
    UNION
    SELECT subscription_id, carrier, crossing.month
    FROM touched JOIN subscriptions_limitcrossing AS crossing USING (subscription_id)
    WHERE touched.month IS NULL AND usage_type = {type} AND span = 'month' AND withdrawn_at IS NULL
),
-- The total changes from the first of the months on, unless it had reached its limit before.
key_of_total AS MATERIALIZED (
    SELECT key.*, {total_starts} AS starts
    FROM (
        SELECT subscription_id, carrier, CASE WHEN bool_and(month IS NOT NULL) THEN min(month) END AS since
        FROM touched GROUP BY subscription_id, carrier
    ) AS key
    WHERE NOT EXISTS (
        SELECT FROM subscriptions_limitcrossing AS crossing
        WHERE crossing.subscription_id = key.subscription_id AND usage_type = {type} AND span = 'total'
            AND withdrawn_at IS NULL AND day < since
    )
),
sum_of_month AS (
    SELECT subscription_id, starts, limit_price, scope, day,
        sum(price) OVER (PARTITION BY subscription_id, starts ORDER BY day) AS price
    FROM ({applies_to_month}) AS key JOIN subscriptions_dailyusage AS daily USING (subscription_id)
    WHERE limit_price IS NOT NULL AND usage_type = {type}
        AND day >= starts AND day < (starts + interval '1 month')::date
),
sum_of_total AS (
    SELECT subscription_id, starts, limit_price, scope, day,
        before + sum(price) OVER (PARTITION BY subscription_id ORDER BY day) AS price
    FROM ({applies_to_total}) AS key
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(price), 0) AS before FROM subscriptions_monthlyusage AS monthly
        WHERE monthly.subscription_id = key.subscription_id AND usage_type = {type} AND month < since
    ) AS earlier
    JOIN subscriptions_dailyusage AS daily USING (subscription_id)
    WHERE limit_price IS NOT NULL AND usage_type = {type} AND day >= coalesce(since, {total_starts})
),
wanted AS MATERIALIZED (
    SELECT subscription_id, 'month' AS span, starts, limit_price, scope, min(day) AS day
    FROM sum_of_month WHERE price >= limit_price GROUP BY subscription_id, starts, limit_price, scope
    UNION ALL
    SELECT subscription_id, 'total', starts, limit_price, scope, min(day)
    FROM sum_of_total WHERE price >= limit_price GROUP BY subscription_id, starts, limit_price, scope
),
written AS MATERIALIZED (
    SELECT id, subscription_id, span, coalesce(month, {total_starts}) AS starts, price_limit AS limit_price, scope, day
    FROM subscriptions_limitcrossing
    WHERE usage_type = {type} AND withdrawn_at IS NULL AND subscription_id IN (SELECT subscription_id FROM touched)
),
different AS (
    SELECT subscription_id, span, nullif(starts, {total_starts}) AS month, written.id,
        written.day AS written_day, written.limit_price AS written_price, written.scope AS written_scope,
        wanted.day AS wanted_day, wanted.limit_price AS wanted_price, wanted.scope AS wanted_scope
    FROM (
        SELECT subscription_id, 'month' AS span, starts FROM key_of_month
        UNION ALL SELECT subscription_id, 'total', starts FROM key_of_total
    ) AS key
    LEFT JOIN wanted USING (subscription_id, span, starts)
    LEFT JOIN written USING (subscription_id, span, starts)
    WHERE (wanted.day, wanted.limit_price, wanted.scope)
        IS DISTINCT FROM (written.day, written.limit_price, written.scope)
)
"""
CHANGES = """
SELECT subscription_id, span, month, id, wanted_day, wanted_price, wanted_scope FROM different
ORDER BY subscription_id, span, month
"""


class Reached(NamedTuple):
    """The day on which a limit was first reached."""

    day: date
    price_limit: Decimal
    scope: LimitScope


class Change(NamedTuple):
    """A crossing that is to be withdrawn, by its id, or one that is to be written, or one in place of the other."""

    subscription_id: int
    span: LimitSpan
    month: date | None
    withdrawn: int | None
    reached: Reached | None


def marks_take(usage_type: UsageType) -> list[Change] | None:
    """Take the marks of the first subscriptions that have any, and return what changes; None without marks.

    The caller holds USAGE_AGGREGATES and USAGE_LIMITS, and writes the changes in the same transaction.
    """
    last = _last_of_batch(usage_type)
    if last is None:
        return None
    statement = compared(TAKEN, CHANGES, usage_type, last=sql.Literal(last))
    return [
        Change(number, LimitSpan(span), month, crossing, reached_or_none(*facts))
        for number, span, month, crossing, *facts in rows_of(statement)
    ]


def compared(touched: str, answer: str, usage_type: UsageType, **parts: sql.Composable) -> sql.Composed:
    """A statement that begins with a table `touched`, and answers from what is `different` there."""
    kind = sql.Literal(usage_type.value)
    return composed(
        touched + COMPARED + answer,
        type=kind,
        total_starts=sql.SQL(TOTAL_STARTS),
        applies_to_month=composed(APPLIES, keys=sql.SQL("key_of_month"), type=kind, span=sql.Literal("month")),
        applies_to_total=composed(APPLIES, keys=sql.SQL("key_of_total"), type=kind, span=sql.Literal("total")),
        **parts,
    )


def reached_or_none(day: date | None, price_limit: Decimal, scope: str) -> Reached | None:
    return None if day is None else Reached(day, price_limit, LimitScope(scope))


def batch_last(first: int) -> int:
    """The last of the subscriptions from `first` on that are looked at together."""
    ids = Subscription.objects.filter(pk__gte=first).order_by("pk").values_list("pk", flat=True)
    return next(iter(ids[BATCH - 1 : BATCH]), LAST_ID)


def _last_of_batch(usage_type: UsageType) -> int | None:
    """The last of the subscriptions that are looked at together."""
    marks = list(LimitMark.objects.filter(usage_type=usage_type).order_by("first")[:BATCH])
    if not marks:
        return None
    if all(mark.first == mark.last for mark in marks):
        return marks[-1].first
    return batch_last(marks[0].first)
