"""What the pages of the admin ask about usage by day: its latest day, its totals, and since when it is over a limit."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from psycopg2 import sql

from dsrhub.database.statements import rows_of
from dsrhub.values.numbers import WIDE
from subscriptions.aggregates.answers import UsageMetric
from subscriptions.aggregates.questions import refuse_negative
from subscriptions.aggregates.ranges import Step, UsageRange
from subscriptions.aggregates.reading import read_exactly
from subscriptions.models import UsageType

LATEST_DAY = """
SELECT max(day) FROM (
    SELECT max(day) AS day FROM subscriptions_dailyusage WHERE usage_type = 'data' AND record_count > 0
    UNION ALL SELECT max(day) FROM subscriptions_dailyusage WHERE usage_type = 'voice' AND record_count > 0
    UNION ALL SELECT max(day) FROM subscriptions_usagemark
) AS latest
"""
LATEST_DAY_OF_ONE = sql.SQL("SELECT max(day) AS latest FROM ({sums}) AS total WHERE record_count > 0")


class TypeTotal(NamedTuple):
    """The sum of some days of a usage type."""

    usage_type: UsageType
    total_price: Decimal
    total_usage: int


class LimitOfDays(NamedTuple):
    """The price of a usage type in some days, and the first day since which it is at the limit or above.

    `since` is None where the price ends below the limit. `exceeded_by` is negative then.
    """

    usage_type: UsageType
    total_price: Decimal
    exceeded_by: Decimal
    since: date | None


def usage_latest_day(*, subscription_id: int | None = None) -> date | None:
    """The latest day with a record of a subscription, or of any; None if there is none.

    Of any, it may be a day whose records were all deleted, until the next refresh.
    """
    if subscription_id is None:
        ((latest,),) = rows_of(LATEST_DAY)
    else:
        wanted = UsageRange(first=subscription_id, last=subscription_id)
        _, rows = read_exactly(LATEST_DAY_OF_ONE.format, wanted, order="latest", by=Step.DAY, few_rows=True)
        latest = rows[0][1] if rows else None
    found: date | None = latest
    return found


def day_totals(*, days: Iterable[UsageMetric]) -> list[TypeTotal]:
    """The exact sum of the days of each usage type, in the order of `usage_metrics`."""
    totals: dict[UsageType, TypeTotal] = {}
    for one in days:
        before = totals.get(one.usage_type, TypeTotal(one.usage_type, Decimal(0), 0))
        price = WIDE.add(before.total_price, one.total_price)
        totals[one.usage_type] = TypeTotal(one.usage_type, price, before.total_usage + one.total_usage)
    return list(totals.values())


def price_limit_by_days(*, days: Sequence[UsageMetric], price_limit: Decimal) -> list[LimitOfDays]:
    """For each usage type: whether the price of some days, in their order, reached a limit, and since which day.

    As a credit can lower a price, it is the day since which the sum stays at the limit or above. Raises
    InvalidUsageQuestion.
    """
    refuse_negative(price_limit)
    return [
        LimitOfDays(
            total.usage_type,
            total.total_price,
            WIDE.subtract(total.total_price, price_limit),
            _since([one for one in days if one.usage_type == total.usage_type], price_limit),
        )
        for total in day_totals(days=days)
    ]


def _since(days: Iterable[UsageMetric], price_limit: Decimal) -> date | None:
    price, since = Decimal(0), None
    for one in days:
        price = WIDE.add(price, one.total_price)
        if price < price_limit:
            since = None
        elif since is None:
            since = one.day
    return since
