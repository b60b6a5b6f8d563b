"""The usage of each subscription."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Min, QuerySet
from psycopg2 import sql

from dsrhub.database.statements import composed
from subscriptions.aggregates.answers import Answer, UsageKey, UsageTotal
from subscriptions.aggregates.exports import MOST_ROWS, ExportPage, export_page, export_rows
from subscriptions.aggregates.questions import PRICE, TYPES, behind, of_carrier, types_of
from subscriptions.aggregates.ranges import Step, UsageRange
from subscriptions.aggregates.reading import read_exactly, store_exactly
from subscriptions.models import Subscription, UsageType

# A page first reads this many subscriptions. If they have too few rows, it reads this many times more.
FEWEST_SUBSCRIPTIONS, MORE_SUBSCRIPTIONS = 200, 8

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
    key = _key(by)
    answer = _answer(key, of_carrier(carrier), limit, after)
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
            return Answer(as_of, _totals(rows, by))
        count *= MORE_SUBSCRIPTIONS


def _key(by: Step | None) -> list[str]:
    """The columns that rows are sorted by."""
    return ["subscription_id", "usage_type", *(["day"] if by else [])]


def _answer(
    key: Sequence[str], condition: sql.Composable, limit: int | None, after: UsageKey | None = None
) -> Callable[..., sql.Composed]:
    """The query for at most `limit` rows, without its sums."""
    return partial(
        TOTALS.format,
        key=sql.SQL(", ".join(key)),
        price=PRICE,
        of_carrier=condition,
        after=behind(key, after),
        limit=sql.Literal(limit),
    )


def _steps(start: date, end: date, by: Step | None) -> int:
    """How many rows of a usage type a subscription has at most in a range."""
    if by is None:
        return 1
    months = (end.year - start.year) * 12 + end.month - start.month + 1
    return months if by is Step.MONTH else (end - start).days + 1


def _nth_subscription(first: int | None, last: int | None, count: int | None, carrier: str | None) -> int | None:
    """The id of the subscription (of a carrier) that is `count` places after `first`, or else `last`."""
    if count is None or last is not None:
        return last
    subscriptions = Subscription.objects.all() if carrier is None else Subscription.objects.filter(carrier=carrier)
    if first is not None:
        subscriptions = subscriptions.filter(pk__gte=first)
    ids = subscriptions.order_by("pk").values_list("pk", flat=True)
    return next(iter(ids[count : count + 1]), None)


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
    key = _key(by)
    answer = partial(
        OF_SOME.format,
        key=sql.SQL(", ".join(key)),
        price=PRICE,
        ids=sql.Literal(list(subscription_ids)),
        after=behind(key[1:], after),
        limit=sql.Literal(limit),
    )
    wanted = _range_of(subscription_ids, start, end, usage_type)
    _, rows = read_exactly(answer, wanted, order=", ".join(key), by=by, few_rows=True)
    totals = defaultdict(list)
    for total in _totals(rows, by):
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


# --- Exports ------------------------------------------------------------------------------------------------------


class Chosen(NamedTuple):
    """Some subscriptions: all of them have ids from `first` to `last`, and fulfil the condition."""

    first: int
    last: int
    condition: sql.Composable


NOBODY = Chosen(1, 0, sql.SQL(" AND false"))


def usage_totals_export(
    *,
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    subscription_id: int | None = None,
    carrier: str | None = None,
    by: Step | None = None,
    chosen: Chosen | None = None,
    export: int | None = None,
    after: int = 0,
    limit: int,
) -> ExportPage[UsageTotal]:
    """A page of `subscription_usage_totals`: the first one of a new export, or the one after a place of an export.

    `chosen` takes the place of `subscription_id` and `carrier`. Raises ExportGone, UsageBusy and AnswerTooLarge.
    """
    question = ("totals", start, end, usage_type, subscription_id, carrier, by, *([chosen] if chosen else []))
    key = _key(by)
    answer = _answer(key, chosen.condition if chosen else of_carrier(carrier), MOST_ROWS + 1)
    first, last = chosen[:2] if chosen else (subscription_id, subscription_id)
    wanted = UsageRange(start, end, types_of(usage_type), first, last)
    place = f"row_number() OVER (ORDER BY {', '.join(key)})"
    store = partial(store_exactly, answer, wanted, columns=[*key, "price", "amount"], place=place, by=by)
    return export_page(question, store, partial(_totals, by=by), export=export, after=after, limit=limit)


def usage_totals_of_one_time(
    *,
    subscriptions: QuerySet[Subscription],
    start: date,
    end: date,
    usage_type: UsageType | None = None,
    by: Step | None = None,
    page_rows: int,
) -> tuple[datetime, Iterator[UsageTotal]]:
    """A time, and the usage of some subscriptions at that time, sorted by subscription, usage type and day.

    The rows are stored by the time that this returns, and are read page by page. After the last one, they are dropped.
    Raises UsageBusy and AnswerTooLarge; an iterator that is read too slowly raises ExportGone.
    """
    page = partial(
        usage_totals_export,
        start=start,
        end=end,
        usage_type=usage_type,
        by=by,
        chosen=_chosen(subscriptions),
        limit=page_rows,
    )
    first = page()
    return first.as_of, export_rows(first, page)


def _chosen(subscriptions: QuerySet[Subscription]) -> Chosen:
    """The bounds make a query of few subscriptions fast. The condition is read with the usage, in one snapshot."""
    ends = subscriptions.order_by().aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return NOBODY
    statement, parameters = subscriptions.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        query = cursor.mogrify(statement, parameters).decode()
    return Chosen(**ends, condition=composed(" AND subscription_id IN ({})", sql.SQL(query)))


def _totals(rows: Iterable[Sequence[Any]], by: Step | None) -> list[UsageTotal]:
    """The totals of rows: a column for internal use, the key, the price, and the amount.

    Rows of an export have a day in any case, which is NULL where they are not grouped.
    """
    if by:
        return [UsageTotal(one, TYPES[name], day, price, int(amount), by) for _, one, name, day, price, amount in rows]
    return [UsageTotal(row[1], TYPES[row[2]], None, row[-2], int(row[-1])) for row in rows]
