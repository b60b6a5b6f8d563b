"""Questions about DSRs and what they report. REST, GraphQL and the admin ask these."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.db import OperationalError, transaction
from django.db.models import QuerySet

from catalogue.counting import ALL, Counting, IngestedDSR, counting_state, stand
from catalogue.exceptions import DSRNotFound, RankingNotReady
from catalogue.kept_rankings import (
    RankedResource,
    Ranking,
    ranking_close,
    ranking_find,
    ranking_keep,
    ranking_lock,
    ranking_open,
    ranking_want,
    rankings_drop_surplus,
)
from catalogue.models import DSR, LeftoverLines, ReportProblem, UsageLine, WantedRanking
from dsrhub.database.statements import is_canceled, rows_of


@dataclass(frozen=True)
class CatalogueState:
    """How far the catalogue of resources is behind: DSRs to be registered, and deleted ones to be cleared up."""

    uncatalogued_count: int
    leftover_count: int


class ListedDSR(NamedTuple):
    """What a list shows of a DSR."""

    id: int
    path: str
    period_start: date
    period_end: date
    status: str
    territory: str
    territory_code: str
    currency: str
    currency_code: str


# Plain SQL: with thousands of DSRs, model instances would be most of the work.
DSRS = """
SELECT dsr.id, path, period_start, period_end, status, territory.name, territory.code_2, currency.name, currency.code
FROM catalogue_dsr AS dsr
JOIN catalogue_territory AS territory ON territory.code_2 = dsr.territory_id
JOIN catalogue_currency AS currency ON currency.code = dsr.currency_id
WHERE dsr.id > %(after)s ORDER BY dsr.id LIMIT %(limit)s
"""


def dsr_list(*, after: int = 0, limit: int | None = None) -> list[ListedDSR]:
    """The next `limit` DSRs behind an id, or all of them; failed ones included."""
    return [ListedDSR._make(row) for row in rows_of(DSRS, after=after, limit=limit)]


def dsr_get(*, dsr_number: int) -> DSR:
    """Raises DSRNotFound."""
    dsr = DSR.objects.select_related("territory", "currency").filter(pk=dsr_number).first()
    if dsr is None:
        raise DSRNotFound(f"There is no DSR {dsr_number}.", id=dsr_number)
    return dsr


def dsr_lines(*, dsr: DSR, after: int, limit: int) -> list[UsageLine]:
    """The next `limit` lines of a DSR behind line number `after`, as they were delivered.

    Raises DSRNotFound where the DSR is gone by then: its lines would seem to have come to their end.
    """
    lines = list(UsageLine.objects.of([dsr]).after(after, limit=limit).order_by("line_number"))
    dsr_get(dsr_number=dsr.pk)
    return lines


def dsr_problems(*, dsr: DSR, after: int, limit: int) -> QuerySet[ReportProblem]:
    """The next `limit` problems of a DSR behind the problem with id `after`."""
    return dsr.problems.filter(id__gt=after).order_by("id")[:limit]


def catalogue_state() -> CatalogueState:
    return CatalogueState(DSR.objects.uncatalogued().count(), LeftoverLines.objects.count())


def resource_top_percentile(
    *,
    percentile: int,
    territory: str | None = None,
    period_start: date | None = None,
    period_end: date | None = None,
) -> list[RankedResource]:
    """The fewest resources that together have `percentile` per cent (1 to 100) of the revenue, highest first.

    Counted are the ingested DSRs of a territory whose whole period lies between two days. Resources are ordered by
    their revenue in EUR, then by dsp_id and DSP (bytewise), and the list ends with the first at which the running
    sum reaches the share of the total; at 100 it ends with the last resource that has revenue. A total of zero or
    less has no answer: an empty list. Resources without any revenue are never in it.
    """
    counting = Counting(territory, period_start, period_end)
    with resource_ranking(percentile=percentile, counting=counting) as ranking:
        return ranking.rows(limit=ranking.count)


@contextmanager
def resource_ranking(*, percentile: int, counting: Counting = ALL) -> Iterator[Ranking]:
    """The same answer of any size, to be read page by page: it stays as long as the context."""
    ranking = None
    while ranking is None:
        ranking = ranking_find(counting, percentile) or _made(counting, percentile)
    try:
        yield ranking
    finally:
        ranking_close(ranking)


def wanted_rankings_make() -> int:
    """Make the rankings that questions had no time for, as a worker does, and return how many."""
    wanted = WantedRanking.objects.all()
    for one in wanted:
        # Of these DSRs as they are now: that may be another state, and then nobody asks for the earlier one.
        with resource_ranking(percentile=one.percentile, counting=Counting(dsrs=tuple(one.dsr_numbers))):
            one.delete()
    return len(wanted)


def _made(counting: Counting, percentile: int) -> Ranking | None:
    """A ranking of this state, or None where the state is another by now.

    Raises RankingNotReady where the statements may not take as long; then a worker makes it.
    """
    key, dsrs = counting_state(counting)
    try:
        return _made_now(key, percentile, dsrs)
    except OperationalError as error:
        if not is_canceled(error):
            raise
        ranking_want(key, percentile, [dsr.id for dsr in dsrs if dsr.counts])
        raise RankingNotReady("This ranking takes a while, and is being made: ask again later.") from error


def _made_now(key: str, percentile: int, dsrs: list[IngestedDSR]) -> Ranking | None:
    with transaction.atomic():
        ranking_lock(key)
        ranking = ranking_open(key, percentile)
        if ranking is None:
            ranking_keep(key, percentile, dsrs)
            # What was imported meanwhile is in the next answer, and in no part of this.
            if not stand(dsrs):
                transaction.set_rollback(True)
                return None
            ranking = ranking_open(key, percentile)
    rankings_drop_surplus()
    return ranking
