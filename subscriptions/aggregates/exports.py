"""Exports: answers about usage that are stored as a whole, so that all pages of one are of the same time.

Between two pages, records come, change and go. A page that is read afresh would be right by itself, but the pages
together would be the usage of no time. An export is stored by the statement that reads it, and kept for a while.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Generic

from django.utils import timezone

from dsrhub.database.locks import USAGE_EXPORTS
from dsrhub.database.statements import execute, rows_of
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.exceptions import AnswerTooLarge
from dsrhub.texts.marked import Grouped
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.aggregates.answers import Row
from subscriptions.exceptions import ExportGone, UsageBusy
from subscriptions.models import UsageExport

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


def export_page(
    question: tuple[Any, ...],
    store: Callable[..., tuple[datetime, int, int]],
    converted: Callable[[Sequence[Any]], list[Row]],
    *,
    export: int | None,
    after: int,
    limit: int,
) -> ExportPage[Row]:
    """The first page of a new export, or the page after a place of an export of the same question.

    `store(export=number)` stores the answer: see `store_exactly`, whose statement needs no more than MOST_ROWS + 1
    rows. `converted` makes the rows of PAGE those of the answer. Raises ExportGone, UsageBusy and AnswerTooLarge.
    """
    digest = sha256(repr(question).encode()).hexdigest()
    kept = _create(digest, store) if export is None else _kept(export, digest)
    last = after + limit
    rows = rows_of(PAGE, export=kept.pk, after=after, last=last)
    if not rows and after < kept.last_place:
        raise _gone(kept.pk)  # It was dropped between the two statements.
    next_place = last if last < kept.last_place else None
    return ExportPage(kept.pk, kept.as_of, converted(rows), next_place)  # type: ignore[arg-type]


def export_rows(first: ExportPage[Row], page: Callable[..., ExportPage[Row]]) -> Iterator[Row]:
    """The rows of an export from its first page on, page by page. After the last one, they are dropped."""
    here = first
    yield from here.rows
    while here.next_place is not None:
        here = page(export=here.export, after=here.next_place)
        yield from here.rows
    _drop([here.export])


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
