"""Exports: answers about usage that are stored as a whole, so that all pages of one are of the same time.

Between two pages, records come, change and go. A page that is read afresh would be right by itself, but the pages
together would be the usage of no time. An export is stored by the statement that reads it, and kept for a while.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, NamedTuple

from django.db import connection
from django.db.models import Max, Min, QuerySet
from django.utils import timezone
from psycopg2 import sql

from dsrhub.database.locks import USAGE_EXPORTS
from dsrhub.database.statements import composed, execute, rows_of
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.exceptions import AnswerTooLarge
from dsrhub.texts.marked import Grouped
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.aggregates.ranges import Step, UsageRange
from subscriptions.aggregates.reading import store_exactly
from subscriptions.aggregates.selectors import (
    AMOUNT,
    OVER_PRICE,
    TOTALS,
    TYPES,
    ReachedPrice,
    Row,
    SubscriptionOverPrice,
    UsageTotal,
    of_carrier,
    refuse_negative,
    types_of,
)
from subscriptions.exceptions import ExportGone, UsageBusy
from subscriptions.models import Subscription, UsageExport, UsageType

KEPT_FOR = timedelta(hours=1)
# Rows of one export, and of all together: about 100 bytes each.
MOST_ROWS, MOST_KEPT_ROWS = 1_000_000, 2_000_000
SECONDS = 30

PAGE = """
SELECT place, subscription_id, usage_type, day, price, amount FROM subscriptions_exportedusage
WHERE export_id = %(export)s AND place > %(after)s AND place <= %(last)s ORDER BY place, usage_type
"""
DROP = "DELETE FROM subscriptions_exportedusage WHERE export_id = ANY(%(exports)s::bigint[])"


@dataclass(frozen=True)
class ExportPage(Generic[Row]):
    """A page of an export, and the place after which the next one starts; None if it is the last one."""

    export: int
    as_of: datetime
    rows: list[Row]
    next_place: int | None


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
    key = ["subscription_id", "usage_type", *(["day"] if by else [])]
    answer = partial(
        TOTALS.format,
        key=sql.SQL(", ".join(key)),
        price=AMOUNT.format(sql.SQL("price")),
        of_carrier=chosen.condition if chosen else of_carrier(carrier),
        after=sql.SQL(""),
        limit=sql.Literal(MOST_ROWS + 1),
    )
    first, last = chosen[:2] if chosen else (subscription_id, subscription_id)
    wanted = UsageRange(start, end, types_of(usage_type), first, last)
    place = f"row_number() OVER (ORDER BY {', '.join(key)})"
    store = partial(store_exactly, answer, wanted, columns=[*key, "price", "amount"], place=place, by=by)

    def totals(rows: Sequence[Any]) -> list[UsageTotal]:
        return [UsageTotal(one, TYPES[name], day, price, int(amount), by) for _, one, name, day, price, amount in rows]

    return _page(question, store, totals, export=export, after=after, limit=limit)


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
    return first.as_of, _all_rows(first, page)


def _all_rows(first: ExportPage[Row], page: Callable[..., ExportPage[Row]]) -> Iterator[Row]:
    here = first
    yield from here.rows
    while here.next_place is not None:
        here = page(export=here.export, after=here.next_place)
        yield from here.rows
    _drop([here.export])


def _chosen(subscriptions: QuerySet[Subscription]) -> Chosen:
    """The bounds make a query of few subscriptions fast. The condition is read with the usage, in one snapshot."""
    ends = subscriptions.order_by().aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return NOBODY
    statement, parameters = subscriptions.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        query = cursor.mogrify(statement, parameters).decode()
    return Chosen(**ends, condition=composed(" AND subscription_id IN ({})", sql.SQL(query)))


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
    """A page of `subscription_list_over_price`, in the same way. Raises InvalidUsageQuestion, too."""
    refuse_negative(price_limit)
    question = ("over price", price_limit, start, end, usage_type, carrier)
    answer = partial(
        OVER_PRICE.format,
        price=AMOUNT.format(sql.SQL("price")),
        excess=AMOUNT.format(sql.SQL("price - ") + sql.Literal(price_limit)),
        price_limit=sql.Literal(price_limit),
        of_carrier=of_carrier(carrier),
        limit=sql.Literal(MOST_ROWS + 1),
    )
    wanted = UsageRange(start or date.min, end or date.max, types_of(usage_type))
    columns = ["subscription_id", "usage_type", "price", "amount"]
    # Both usage types of a subscription are on one page.
    place = "dense_rank() OVER (ORDER BY subscription_id)"
    store = partial(store_exactly, answer, wanted, columns=columns, place=place)

    def over(rows: Sequence[Any]) -> list[SubscriptionOverPrice]:
        return [
            SubscriptionOverPrice(one, [ReachedPrice(TYPES[name], *sums) for _, _, name, _, *sums in reached])
            for one, reached in groupby(rows, itemgetter(1))
        ]

    return _page(question, store, over, export=export, after=after, limit=limit)


def _page(
    question: tuple[Any, ...],
    store: Callable[..., tuple[datetime, int, int]],
    converted: Callable[[Sequence[Any]], list[Row]],
    *,
    export: int | None,
    after: int,
    limit: int,
) -> ExportPage[Row]:
    digest = sha256(repr(question).encode()).hexdigest()
    kept = _create(digest, store) if export is None else _kept(export, digest)
    last = after + limit
    rows = rows_of(PAGE, export=kept.pk, after=after, last=last)
    if not rows and after < kept.last_place:
        raise _gone(kept.pk)  # It was dropped between the two statements.
    next_place = last if last < kept.last_place else None
    return ExportPage(kept.pk, kept.as_of, converted(rows), next_place)  # type: ignore[arg-type]


def _kept(number: int, digest: str) -> UsageExport:
    """Raises ExportGone."""
    kept = UsageExport.objects.filter(pk=number, question=digest, as_of__isnull=False).first()
    if kept is None or kept.created_at < timezone.now() - KEPT_FOR:
        raise _gone(number)
    return kept


def _gone(number: int) -> ExportGone:
    return ExportGone(
        _("The export %(id)s is not kept any more, or it is of another question. Begin a new one.") % {"id": number}
    )


def _create(digest: str, store: Callable[..., tuple[datetime, int, int]]) -> UsageExport:
    """Store a new export, and drop those that are too old or too many. Raises UsageBusy and AnswerTooLarge."""
    with _one_at_a_time():
        _drop_old()
        export = UsageExport.objects.create(question=digest)
        try:
            with answered_within(SECONDS):
                export.as_of, export.row_count, export.last_place = store(export=export.pk)
        except OutOfTime as error:
            _drop([export.pk])
            raise AnswerTooLarge(_("The export takes too long. Ask for fewer days.")) from error
        if export.row_count > MOST_ROWS:
            _drop([export.pk])
            raise AnswerTooLarge(
                _("The export has more than %(most)s rows. Ask for fewer days.") % {"most": Grouped(MOST_ROWS)}
            )
        export.save()
    return export


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not USAGE_EXPORTS.try_take(0):
        raise UsageBusy(_("Another export is being made. Try again soon."))
    try:
        yield
    finally:
        USAGE_EXPORTS.give_back(0)


def _drop_old() -> None:
    """Drop the exports that are too old, and the oldest ones until a new one has room."""
    kept, rows, dropped = timezone.now() - KEPT_FOR, 0, []
    for export in UsageExport.objects.order_by("-created_at", "-pk"):
        rows += export.row_count
        # What has no time was not finished: only one request at a time makes an export.
        if export.created_at < kept or export.as_of is None or rows > MOST_KEPT_ROWS - MOST_ROWS:
            dropped.append(export.pk)
    _drop(dropped)


def _drop(exports: list[int]) -> None:
    if exports:
        execute(DROP, exports=exports)
        UsageExport.objects.filter(pk__in=exports).delete()
