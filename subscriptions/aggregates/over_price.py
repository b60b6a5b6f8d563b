"""The subscriptions whose price reached a limit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from psycopg2 import sql

from subscriptions.aggregates.answers import Answer, ReachedPrice, SubscriptionOverPrice
from subscriptions.aggregates.exports import MOST_ROWS, ExportPage, export_page
from subscriptions.aggregates.questions import AMOUNT, PRICE, TYPES, of_carrier, refuse_negative, types_of
from subscriptions.aggregates.ranges import UsageRange
from subscriptions.aggregates.reading import read_exactly, store_exactly
from subscriptions.models import UsageType

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
    # Each subscription has at most one row for each usage type.
    answer = _answer(price_limit, carrier, limit and limit * len(UsageType))
    first = None if after is None else after + 1
    wanted = UsageRange(start or date.min, end or date.max, types_of(usage_type), first)
    as_of, rows = read_exactly(answer, wanted, order="subscription_id, usage_type", few_rows=limit is not None)
    return Answer(as_of, list(islice(_over(rows), limit)))


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


def over_price_export(
    *,
    price_limit: Decimal,
    start: date | None = None,
    end: date | None = None,
    usage_type: UsageType | None = None,
    carrier: str | None = None,
    export: int | None = None,
    after: int = 0,
    limit: int,
) -> ExportPage[SubscriptionOverPrice]:
    """A page of `subscription_list_over_price`: the first one of a new export, or the one after a place of an export.

    Raises InvalidUsageQuestion, ExportGone, UsageBusy and AnswerTooLarge.
    """
    question = ("over price", price_limit, start, end, usage_type, carrier)
    answer = _answer(price_limit, carrier, MOST_ROWS + 1)
    wanted = UsageRange(start or date.min, end or date.max, types_of(usage_type))
    columns = ["subscription_id", "usage_type", "price", "amount"]
    # Both usage types of a subscription are on one page.
    place = "dense_rank() OVER (ORDER BY subscription_id)"
    store = partial(store_exactly, answer, wanted, columns=columns, place=place)
    return export_page(question, store, lambda rows: list(_over(rows)), export=export, after=after, limit=limit)


def _answer(price_limit: Decimal, carrier: str | None, limit: int | None) -> Callable[..., sql.Composed]:
    """The query for at most `limit` rows, without its sums. Raises InvalidUsageQuestion."""
    refuse_negative(price_limit)
    return partial(
        OVER_PRICE.format,
        price=PRICE,
        excess=AMOUNT.format(sql.SQL("price - ") + sql.Literal(price_limit)),
        price_limit=sql.Literal(price_limit),
        of_carrier=of_carrier(carrier),
        limit=sql.Literal(limit),
    )


def _over(rows: Iterable[Sequence[Any]]) -> Iterator[SubscriptionOverPrice]:
    """The subscriptions of rows: a column for internal use, the id, the usage type, and at the end both prices."""
    for subscription_id, reached in groupby(rows, itemgetter(1)):
        yield SubscriptionOverPrice(subscription_id, [ReachedPrice(TYPES[row[2]], *row[-2:]) for row in reached])
