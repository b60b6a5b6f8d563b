"""The selectors for usage. REST, GraphQL and the admin call them. Every answer is exact at one point in time."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from psycopg2 import sql

from dsrhub.database.statements import composed
from dsrhub.texts import gettext_lazy as _
from dsrhub.values import difference, ratio
from subscriptions.aggregates.ranges import UsageRange
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
    """The sort key of a row of usage totals. If rows are not grouped by day, `day` is None."""

    subscription_id: int
    usage_type: UsageType
    day: date | None = None


class UsageTotal(NamedTuple):
    """The usage of a subscription and type: in the range, or on one day of it."""

    subscription_id: int
    usage_type: UsageType
    day: date | None
    total_price: Decimal
    total_usage: int

    @property
    def unit(self) -> str:
        return self.usage_type.unit

    @property
    def key(self) -> UsageKey:
        return UsageKey(*self[:3])

    @property
    def cursor(self) -> str:
        """The key as text, for the parameter `cursor`."""
        day = [] if self.day is None else [self.day.toordinal()]
        return "-".join(str(part) for part in (self.subscription_id, self.usage_type, *day))


class UsageMetric(NamedTuple):
    """The usage of subscriptions for a type, in the range or on one day of it, and their number."""

    usage_type: UsageType
    day: date | None
    subscription_count: int
    total_price: Decimal
    total_usage: int

    @property
    def unit(self) -> str:
        return self.usage_type.unit


# A page first reads this many subscriptions. If they have too few rows, it reads this many times more.
FEWEST_SUBSCRIPTIONS, MORE_SUBSCRIPTIONS = 200, 8

TYPES = {str(usage_type): usage_type for usage_type in UsageType}

# At least two decimals and no other trailing zeros, so the text does not depend on the order of the sum.
AMOUNT = sql.SQL("round({0}, greatest(2, min_scale({0})))")

OVER_PRICE = sql.SQL(
    """
    SELECT subscription_id, usage_type, {price}, {excess} FROM ({sums}) AS total
    WHERE price >= {price_limit} AND record_count > 0 ORDER BY subscription_id, usage_type LIMIT {limit}
    """
)
COUNT_OVER_PRICE = sql.SQL(
    """
    SELECT count(DISTINCT subscription_id) AS reached FROM ({sums}) AS total
    WHERE price >= {price_limit} AND record_count > 0
    """
)
TOTALS = sql.SQL(
    """
    SELECT {key}, {price}, amount FROM ({sums}) AS total
    WHERE record_count > 0{after} ORDER BY {key} LIMIT {limit}
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
    SELECT {key}, count(*), {price}, sum(amount) FROM ({sums}) AS total
    WHERE record_count > 0{of_carrier} GROUP BY {key}
    """
)
OF_CARRIER = " AND subscription_id IN (SELECT id FROM subscriptions_subscription WHERE carrier = {})"


def subscription_list_over_price(
    *,
    price_limit: Decimal,
    start: date | None = None,
    end: date | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> Answer[SubscriptionOverPrice]:
    """The subscriptions whose price for data or for voice reached a limit from `start` to `end`, both inclusive.

    Sorted by id, starting after `after`. A subscription needs a record in the range: a limit of 0 lists all that have
    one. Raises InvalidUsageQuestion.
    """
    refuse_negative(price_limit)
    answer = partial(
        OVER_PRICE.format,
        price=AMOUNT.format(sql.SQL("price")),
        excess=AMOUNT.format(sql.SQL("price - ") + sql.Literal(price_limit)),
        price_limit=sql.Literal(price_limit),
        # Each subscription has at most one row for each usage type.
        limit=sql.Literal(limit and limit * len(UsageType)),
    )
    first = None if after is None else after + 1
    wanted = UsageRange(start=start or date.min, end=end or date.max, first=first)
    as_of, rows = read_exactly(answer, wanted, order="subscription_id, usage_type", few_rows=limit is not None)
    over = (
        SubscriptionOverPrice(subscription_id, [ReachedPrice(TYPES[name], *prices) for _, _, name, *prices in reached])
        for subscription_id, reached in groupby(rows, itemgetter(1))
    )
    return Answer(as_of, list(islice(over, limit)))


def subscription_count_over_price(*, price_limit: Decimal, start: date | None = None, end: date | None = None) -> int:
    """The number of subscriptions of `subscription_list_over_price` on all pages."""
    refuse_negative(price_limit)
    answer = partial(COUNT_OVER_PRICE.format, price_limit=sql.Literal(price_limit))
    _, rows = read_exactly(answer, UsageRange(start=start or date.min, end=end or date.max), order="reached")
    return int(rows[0][1])


def subscription_usage_totals(
    *,
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    subscription_id: int | None = None,
    by_day: bool = False,
    after: UsageKey | None = None,
    limit: int | None = None,
) -> Answer[UsageTotal]:
    """The usage of subscriptions from `start` to `end`, both inclusive: a row for each usage type, and day if `by_day`.

    Sorted by subscription, usage type and day, starting after `after`. Only keys with a record in the range have rows.
    Raises InvalidUsageQuestion.
    """
    key = ["subscription_id", "usage_type", "day"] if by_day else ["subscription_id", "usage_type"]
    answer = partial(
        TOTALS.format,
        key=sql.SQL(", ".join(key)),
        price=AMOUNT.format(sql.SQL("price")),
        after=_after_condition(key, after) if after else sql.SQL(""),
        limit=sql.Literal(limit),
    )
    last = subscription_id
    first = max((one for one in (after and after.subscription_id, subscription_id) if one is not None), default=None)
    usage_types = (usage_type,) if usage_type else tuple(UsageType)
    # Enough for a page if half of the subscriptions have usage of each type and day. If not, the loop reads more.
    rows_of_one = len(usage_types) * ((end - start).days + 1 if by_day else 1)
    count = max(2 * limit // rows_of_one, FEWEST_SUBSCRIPTIONS) if limit else None
    while True:
        until = _nth_subscription(first, last, count)
        wanted = UsageRange(start, end, usage_types, first, until)
        as_of, rows = read_exactly(answer, wanted, order=", ".join(key), by_day=by_day, few_rows=limit is not None)
        if count is None or len(rows) == limit or until == last:
            return Answer(as_of, _usage_totals(rows, by_day))
        count *= MORE_SUBSCRIPTIONS


def usage_by_subscription(
    *,
    subscription_ids: Collection[int],
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    by_day: bool = False,
    after: tuple[str, date | None] | None = None,
    limit: int,
) -> Mapping[int, list[UsageTotal]]:
    """The usage of some subscriptions: for each, the next `limit` rows after a usage type and day."""
    own_key = ["usage_type", "day"] if by_day else ["usage_type"]
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
    _, rows = read_exactly(answer, wanted, order=order, by_day=by_day, few_rows=True)
    totals = defaultdict(list)
    for total in _usage_totals(rows, by_day):
        totals[total.subscription_id].append(total)
    return totals


def usage_counts_by_subscription(
    *,
    subscription_ids: Collection[int],
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    by_day: bool = False,
) -> Mapping[int, int]:
    """The number of rows of `usage_by_subscription` for each subscription."""
    answer = partial(COUNTS_OF_SOME.format, ids=sql.Literal(list(subscription_ids)))
    wanted = _range_of(subscription_ids, start, end, usage_type)
    _, rows = read_exactly(answer, wanted, order="subscription_id", by_day=by_day, few_rows=True)
    return {subscription_id: count for _, subscription_id, count in rows}


def _range_of(subscription_ids: Collection[int], start: date, end: date, usage_type: UsageType | None) -> UsageRange:
    usage_types = (usage_type,) if usage_type else tuple(UsageType)
    return UsageRange(start, end, usage_types, min(subscription_ids), max(subscription_ids))


def usage_metrics(
    *,
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    carrier: str | None = None,
    subscription_id: int | None = None,
    by_day: bool = False,
) -> Answer[UsageMetric]:
    """The usage of all subscriptions, or those of a carrier, or of one, from `start` to `end`, both inclusive.

    A row for each usage type, and day if `by_day`. Raises InvalidUsageQuestion.
    """
    key = "usage_type, day" if by_day else "usage_type"
    answer = partial(
        METRICS.format,
        key=sql.SQL(key),
        price=AMOUNT.format(sql.SQL("sum(price)")),
        of_carrier=composed(OF_CARRIER, sql.Literal(carrier)) if carrier else sql.SQL(""),
    )
    usage_types = (usage_type,) if usage_type else tuple(UsageType)
    wanted = UsageRange(start, end, usage_types, first=subscription_id, last=subscription_id)
    as_of, rows = read_exactly(answer, wanted, order=key, by_day=by_day, few_rows=subscription_id is not None)
    return Answer(
        as_of,
        [
            UsageMetric(TYPES[name], day[0] if day else None, count, price, int(amount))
            for _, name, *day, count, price, amount in rows
        ],
    )


def refuse_negative(price_limit: Decimal) -> None:
    """Raise InvalidUsageQuestion for a price limit below 0."""
    if price_limit < 0:
        raise InvalidUsageQuestion(
            _("The price limit is negative: %(price_limit)s.") % {"price_limit": price_limit}, parameter="price_limit"
        )


def _after_condition(key: list[str], after: tuple[Any, ...]) -> sql.Composed:
    values = sql.SQL(", ").join(sql.Literal(value) for value in after[: len(key)])
    return composed(" AND ({}) > ({})", sql.SQL(", ".join(key)), values)


def _nth_subscription(first: int | None, last: int | None, count: int | None) -> int | None:
    """The id of the subscription that is `count` places after `first`, or else `last`."""
    if count is None or last is not None:
        return last
    subscriptions = Subscription.objects.all() if first is None else Subscription.objects.filter(pk__gte=first)
    ids = subscriptions.order_by("pk").values_list("pk", flat=True)
    return next(iter(ids[count : count + 1]), None)


def _usage_totals(rows: list[tuple[Any, ...]], by_day: bool) -> list[UsageTotal]:
    if by_day:
        return [UsageTotal(one, TYPES[name], day, price, int(amount)) for _, one, name, day, price, amount in rows]
    return [UsageTotal(one, TYPES[name], None, price, int(amount)) for _, one, name, price, amount in rows]
