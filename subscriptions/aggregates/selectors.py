"""The selectors for usage. REST, GraphQL and the admin call them. Every answer is exact at one point in time."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from psycopg2 import sql

from dsrhub.database.statements import composed
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import difference, ratio
from subscriptions.aggregates.ranges import Step, UsageRange
from subscriptions.aggregates.reading import read_exactly
from subscriptions.exceptions import InvalidUsageQuestion
from subscriptions.models import Subscription, UsageType

Row = TypeVar("Row")


@dataclass(frozen=True)
class Answer(Generic[Row]):
    """Rows that include every record that was accepted and not deleted at the time `as_of`."""

    as_of: datetime
    rows: list[Row]


class ReachedPrice(NamedTuple):
    """A usage type whose price reached the limit."""

    usage_type: UsageType
    total_price: Decimal
    exceeded_by: Decimal

    @property
    def exceeded_percent(self) -> Decimal | None:
        """By how many percent of the limit it is exceeded; None for a limit of 0."""
        return ratio(self.exceeded_by, difference(self.total_price, self.exceeded_by), times=100)


class SubscriptionOverPrice(NamedTuple):
    subscription_id: int
    exceeded: list[ReachedPrice]

    @property
    def cursor(self) -> int:
        return self.subscription_id


class UsageKey(NamedTuple):
    """The sort key of a row of usage totals. `first_day` is the day, or the first one of the month, that rows are
    grouped by, if they are."""

    subscription_id: int
    usage_type: UsageType
    first_day: date | None = None


class UsageTotal(NamedTuple):
    """The usage of a subscription and type: in the range, or on one day or in one month of it."""

    subscription_id: int
    usage_type: UsageType
    first_day: date | None
    total_price: Decimal
    total_usage: int
    by: Step | None = None

    @property
    def day(self) -> date | None:
        return self.first_day if self.by is Step.DAY else None

    @property
    def month(self) -> str | None:
        """Such as `2026-01`."""
        return month_text(self)

    @property
    def unit(self) -> str:
        return self.usage_type.unit

    @property
    def key(self) -> UsageKey:
        return UsageKey(*self[:3])

    @property
    def cursor(self) -> str:
        """The key as text, for the parameter `cursor`."""
        return cursor_text(*self.key)


class MetricKey(NamedTuple):
    """The sort key of a row of usage metrics. What rows are not grouped by is left out of a comparison."""

    carrier: str | None
    usage_type: UsageType
    first_day: date


class UsageMetric(NamedTuple):
    """The usage of subscriptions for a type, in the range or on one day or in one month of it, and their number.

    `carrier` is that of the subscriptions if rows are grouped by it.
    """

    usage_type: UsageType
    first_day: date | None
    subscription_count: int
    total_price: Decimal
    total_usage: int
    by: Step | None = None
    carrier: str | None = None

    @property
    def day(self) -> date | None:
        return self.first_day if self.by is Step.DAY else None

    @property
    def month(self) -> str | None:
        """Such as `2026-01`."""
        return month_text(self)

    @property
    def unit(self) -> str:
        return self.usage_type.unit

    @property
    def cursor(self) -> str:
        """The key as text, for the parameter `cursor`."""
        return cursor_text(self.carrier, self.usage_type, self.first_day)


def month_text(row: UsageTotal | UsageMetric) -> str | None:
    return f"{row.first_day:%Y-%m}" if row.by is Step.MONTH else None


def cursor_text(*key: object) -> str:
    """A sort key as text: its parts that are not None. Days are numbers."""
    parts = (part.toordinal() if isinstance(part, date) else part for part in key if part is not None)
    return "-".join(str(part) for part in parts)


# A page first reads this many subscriptions. If they have too few rows, it reads this many times more.
FEWEST_SUBSCRIPTIONS, MORE_SUBSCRIPTIONS = 200, 8

TYPES = {str(usage_type): usage_type for usage_type in UsageType}

# At least two decimals and no other trailing zeros, so the text does not depend on the order of the sum.
AMOUNT = sql.SQL("round({0}, greatest(2, min_scale({0})))")

OVER_PRICE = sql.SQL(
    """
    SELECT subscription_id, usage_type, {price}, {excess} FROM ({sums}) AS total
    WHERE price >= {price_limit} AND record_count > 0{of_carrier} ORDER BY subscription_id, usage_type LIMIT {limit}
    """
)
COUNT_OVER_PRICE = sql.SQL(
    """
    SELECT count(DISTINCT subscription_id) AS reached FROM ({sums}) AS total
    WHERE price >= {price_limit} AND record_count > 0{of_carrier}
    """
)
TOTALS = sql.SQL(
    """
    SELECT {key}, {price}, amount FROM ({sums}) AS total
    WHERE record_count > 0{of_carrier}{after} ORDER BY {key} LIMIT {limit}
    """
)
OF_SOME = sql.SQL(
    """
    SELECT {key}, {price}, amount
    FROM (
        SELECT *, row_number() OVER (PARTITION BY subscription_id ORDER BY {key}) AS place FROM ({sums}) AS total
        WHERE record_count > 0 AND subscription_id = ANY({ids}){after}
    ) AS total
    WHERE place <= {limit} ORDER BY {key}
    """
)
COUNTS_OF_SOME = sql.SQL(
    """
    SELECT subscription_id, count(*) FROM ({sums}) AS total
    WHERE record_count > 0 AND subscription_id = ANY({ids}) GROUP BY subscription_id
    """
)
METRICS = sql.SQL(
    """
    SELECT {key}, count(*), {price}, sum(amount) FROM ({sums}) AS total{carriers}
    WHERE record_count > 0{of_carrier}{after} GROUP BY {key} ORDER BY {key} LIMIT {limit}
    """
)
CARRIERS = sql.SQL(" JOIN subscriptions_subscription AS subscriber ON subscriber.id = subscription_id")
OF_CARRIER = " AND subscription_id IN (SELECT id FROM subscriptions_subscription WHERE carrier = {})"


def subscription_list_over_price(
    *,
    price_limit: Decimal,
    start: date | None = None,
    end: date | None = None,
    usage_type: UsageType | None = None,
    carrier: str | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> Answer[SubscriptionOverPrice]:
    """The subscriptions whose price for data or for voice, or for the `usage_type`, reached a limit from `start` to
    `end`, both inclusive.

    Sorted by id, starting after `after`. A subscription needs a record in the range: a limit of 0 lists all that have
    one. Raises InvalidUsageQuestion.
    """
    refuse_negative(price_limit)
    answer = partial(
        OVER_PRICE.format,
        price=AMOUNT.format(sql.SQL("price")),
        excess=AMOUNT.format(sql.SQL("price - ") + sql.Literal(price_limit)),
        price_limit=sql.Literal(price_limit),
        of_carrier=of_carrier(carrier),
        # Each subscription has at most one row for each usage type.
        limit=sql.Literal(limit and limit * len(UsageType)),
    )
    first = None if after is None else after + 1
    wanted = UsageRange(start or date.min, end or date.max, types_of(usage_type), first)
    as_of, rows = read_exactly(answer, wanted, order="subscription_id, usage_type", few_rows=limit is not None)
    over = (
        SubscriptionOverPrice(subscription_id, [ReachedPrice(TYPES[name], *prices) for _, _, name, *prices in reached])
        for subscription_id, reached in groupby(rows, itemgetter(1))
    )
    return Answer(as_of, list(islice(over, limit)))


def subscription_count_over_price(
    *,
    price_limit: Decimal,
    start: date | None = None,
    end: date | None = None,
    usage_type: UsageType | None = None,
    carrier: str | None = None,
) -> int:
    """The number of subscriptions of `subscription_list_over_price` on all pages."""
    refuse_negative(price_limit)
    answer = partial(COUNT_OVER_PRICE.format, price_limit=sql.Literal(price_limit), of_carrier=of_carrier(carrier))
    wanted = UsageRange(start or date.min, end or date.max, types_of(usage_type))
    _, rows = read_exactly(answer, wanted, order="reached")
    return int(rows[0][1])


def subscription_usage_totals(
    *,
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    subscription_id: int | None = None,
    carrier: str | None = None,
    by: Step | None = None,
    after: UsageKey | None = None,
    limit: int | None = None,
) -> Answer[UsageTotal]:
    """The usage of subscriptions from `start` to `end`, both inclusive: a row for each usage type, and day or month.

    Sorted by subscription, usage type and day, starting after `after`. Only keys with a record in the range have rows.
    Raises InvalidUsageQuestion.
    """
    key = ["subscription_id", "usage_type", "day"] if by else ["subscription_id", "usage_type"]
    answer = partial(
        TOTALS.format,
        key=sql.SQL(", ".join(key)),
        price=AMOUNT.format(sql.SQL("price")),
        of_carrier=of_carrier(carrier),
        after=_after_condition(key, after) if after else sql.SQL(""),
        limit=sql.Literal(limit),
    )
    last = subscription_id
    first = max((one for one in (after and after.subscription_id, subscription_id) if one is not None), default=None)
    usage_types = types_of(usage_type)
    # Enough for a page if half of the subscriptions have usage of each type and day. If not, the loop reads more.
    rows_of_one = len(usage_types) * _steps(start, end, by)
    count = max(2 * limit // rows_of_one, FEWEST_SUBSCRIPTIONS) if limit else None
    while True:
        until = _nth_subscription(first, last, count, carrier)
        wanted = UsageRange(start, end, usage_types, first, until)
        as_of, rows = read_exactly(answer, wanted, order=", ".join(key), by=by, few_rows=limit is not None)
        if count is None or len(rows) == limit or until == last:
            return Answer(as_of, _usage_totals(rows, by))
        count *= MORE_SUBSCRIPTIONS


def usage_by_subscription(
    *,
    subscription_ids: Collection[int],
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    by: Step | None = None,
    after: tuple[str, date | None] | None = None,
    limit: int,
) -> Mapping[int, list[UsageTotal]]:
    """The usage of some subscriptions: for each, the next `limit` rows after a usage type and day."""
    own_key = ["usage_type", "day"] if by else ["usage_type"]
    answer = partial(
        OF_SOME.format,
        key=sql.SQL(", ".join(["subscription_id", *own_key])),
        price=AMOUNT.format(sql.SQL("price")),
        ids=sql.Literal(list(subscription_ids)),
        after=_after_condition(own_key, after) if after else sql.SQL(""),
        limit=sql.Literal(limit),
    )
    wanted = _range_of(subscription_ids, start, end, usage_type)
    order = ", ".join(["subscription_id", *own_key])
    _, rows = read_exactly(answer, wanted, order=order, by=by, few_rows=True)
    totals = defaultdict(list)
    for total in _usage_totals(rows, by):
        totals[total.subscription_id].append(total)
    return totals


def usage_counts_by_subscription(
    *,
    subscription_ids: Collection[int],
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    by: Step | None = None,
) -> Mapping[int, int]:
    """The number of rows of `usage_by_subscription` for each subscription."""
    answer = partial(COUNTS_OF_SOME.format, ids=sql.Literal(list(subscription_ids)))
    wanted = _range_of(subscription_ids, start, end, usage_type)
    _, rows = read_exactly(answer, wanted, order="subscription_id", by=by, few_rows=True)
    return {subscription_id: count for _, subscription_id, count in rows}


def _range_of(subscription_ids: Collection[int], start: date, end: date, usage_type: UsageType | None) -> UsageRange:
    return UsageRange(start, end, types_of(usage_type), min(subscription_ids), max(subscription_ids))


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
        after=_after_condition(names, after if by_carrier else after[1:]) if after else sql.SQL(""),
        limit=sql.Literal(limit),
    )
    wanted = UsageRange(start, end, types_of(usage_type), first=subscription_id, last=subscription_id)
    as_of, rows = read_exactly(answer, wanted, order=key, by=by, few_rows=subscription_id is not None)
    return Answer(as_of, [_metric(dict(zip(names, row[1:], strict=False)), row[-3:], by) for row in rows])


def _metric(key: Mapping[str, Any], sums: tuple[Any, ...], by: Step | None) -> UsageMetric:
    count, price, amount = sums
    usage_type = TYPES[key["usage_type"]]
    return UsageMetric(usage_type, key.get("day"), count, price, int(amount), by, key.get("carrier"))


def refuse_negative(price_limit: Decimal) -> None:
    """Raise InvalidUsageQuestion for a price limit below 0."""
    if price_limit < 0:
        raise InvalidUsageQuestion(
            _("The price limit is negative: %(price_limit)s.") % {"price_limit": price_limit}, parameter="price_limit"
        )


def types_of(usage_type: UsageType | None) -> tuple[UsageType, ...]:
    return (usage_type,) if usage_type else tuple(UsageType)


def _steps(start: date, end: date, by: Step | None) -> int:
    """How many rows of a usage type a subscription has at most in a range."""
    if by is None:
        return 1
    months = (end.year - start.year) * 12 + end.month - start.month + 1
    return months if by is Step.MONTH else (end - start).days + 1


def of_carrier(carrier: str | None) -> sql.Composable:
    return composed(OF_CARRIER, sql.Literal(carrier)) if carrier else sql.SQL("")


def _after_condition(key: list[str], after: Sequence[Any]) -> sql.Composed:
    values = sql.SQL(", ").join(sql.Literal(value) for value in after[: len(key)])
    return composed(" AND ({}) > ({})", sql.SQL(", ".join(key)), values)


def _nth_subscription(first: int | None, last: int | None, count: int | None, carrier: str | None) -> int | None:
    """The id of the subscription (of a carrier) that is `count` places after `first`, or else `last`."""
    if count is None or last is not None:
        return last
    subscriptions = Subscription.objects.all() if carrier is None else Subscription.objects.filter(carrier=carrier)
    if first is not None:
        subscriptions = subscriptions.filter(pk__gte=first)
    ids = subscriptions.order_by("pk").values_list("pk", flat=True)
    return next(iter(ids[count : count + 1]), None)


def _usage_totals(rows: list[tuple[Any, ...]], by: Step | None) -> list[UsageTotal]:
    if by:
        return [UsageTotal(one, TYPES[name], day, price, int(amount), by) for _, one, name, day, price, amount in rows]
    return [UsageTotal(one, TYPES[name], None, price, int(amount)) for _, one, name, price, amount in rows]
