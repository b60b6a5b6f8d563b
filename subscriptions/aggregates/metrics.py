"""The usage of subscriptions together: of all, of each carrier, or of one."""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from psycopg2 import sql

from subscriptions.aggregates.answers import Answer, MetricKey, UsageMetric
from subscriptions.aggregates.questions import AMOUNT, TYPES, behind, of_carrier, types_of
from subscriptions.aggregates.ranges import Step, UsageRange
from subscriptions.aggregates.reading import read_exactly
from subscriptions.models import UsageType

METRICS = sql.SQL(
    """
    SELECT {key}, count(*), {price}, sum(amount) FROM ({sums}) AS total{carriers}
    WHERE record_count > 0{of_carrier}{after} GROUP BY {key} ORDER BY {key} LIMIT {limit}
    """
)
CARRIERS = sql.SQL(" JOIN subscriptions_subscription AS subscriber ON subscriber.id = subscription_id")


def usage_metrics(
    *,
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    carrier: str | None = None,
    subscription_id: int | None = None,
    by: Step | None = None,
    by_carrier: bool = False,
    after: MetricKey | None = None,
    limit: int | None = None,
) -> Answer[UsageMetric]:
    """The usage of all subscriptions, or those of a carrier, or of one, from `start` to `end`, both inclusive.

    A row for each usage type, and day or month, and carrier if `by_carrier`. Sorted by carrier, usage type and day,
    starting after `after`. Raises InvalidUsageQuestion.
    """
    names = [*(["carrier"] if by_carrier else []), "usage_type", *(["day"] if by else [])]
    key = ", ".join(names)
    answer = partial(
        METRICS.format,
        key=sql.SQL(key),
        price=AMOUNT.format(sql.SQL("sum(price)")),
        carriers=CARRIERS if by_carrier else sql.SQL(""),
        of_carrier=of_carrier(carrier),
        after=behind(names, after if by_carrier or after is None else after[1:]),
        limit=sql.Literal(limit),
    )
    wanted = UsageRange(start, end, types_of(usage_type), first=subscription_id, last=subscription_id)
    as_of, rows = read_exactly(answer, wanted, order=key, by=by, few_rows=subscription_id is not None)
    return Answer(as_of, [_metric(dict(zip(names, row[1:], strict=False)), row[-3:], by) for row in rows])


def _metric(key: Mapping[str, Any], sums: tuple[Any, ...], by: Step | None) -> UsageMetric:
    count, price, amount = sums
    usage_type = TYPES[key["usage_type"]]
    return UsageMetric(usage_type, key.get("day"), count, price, int(amount), by, key.get("carrier"))
