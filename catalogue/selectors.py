"""Questions about DSRs and what they report. REST, GraphQL and the admin ask these."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date

from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from psycopg2.errors import QueryCanceled

from catalogue.exceptions import DSRNotFound, RankingNotReady
from catalogue.kept_rankings import (
    RankedResource,
    Ranking,
    ranking_close,
    ranking_keep,
    ranking_key,
    ranking_lock,
    ranking_open,
    ranking_want,
    rankings_drop_surplus,
)
from catalogue.models import DSR, LeftoverLines, ReportProblem, UsageLine, WantedRanking
from catalogue.ranking import IngestedDSR


@dataclass(frozen=True)
class CatalogueState:
    """How far the catalogue of resources is behind: DSRs to be registered, and deleted ones to be cleared up."""

    uncatalogued_count: int
    leftover_count: int


def dsr_list() -> QuerySet[DSR]:
    """All DSRs, failed ones included, by id."""
    return DSR.objects.select_related("territory", "currency").order_by("id")


def dsr_get(*, dsr_number: int) -> DSR:
    """Raises DSRNotFound."""
    dsr = dsr_list().filter(pk=dsr_number).first()
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
    dsrs = _counting(territory, period_start, period_end)
    return dsrs_top_percentile(percentile=percentile, dsrs=dsrs)


def resource_ranking(
    *,
    percentile: int,
    territory: str | None = None,
    period_start: date | None = None,
    period_end: date | None = None,
) -> AbstractContextManager[Ranking]:
    """The same answer of any size, to be read page by page: it stays as long as the context."""
    return dsrs_ranking(percentile=percentile, dsrs=_counting(territory, period_start, period_end))


def dsrs_top_percentile(*, percentile: int, dsrs: QuerySet[DSR]) -> list[RankedResource]:
    """The same of any choice of DSRs, of which the ingested ones count."""
    with dsrs_ranking(percentile=percentile, dsrs=dsrs) as ranking:
        return ranking.rows(limit=ranking.count)


@contextmanager
def dsrs_ranking(*, percentile: int, dsrs: QuerySet[DSR]) -> Iterator[Ranking]:
    ranking = None
    while ranking is None:
        ingested = _ingested(dsrs)
        key = ranking_key(ingested)
        ranking = ranking_open(key, percentile) or _made(key, percentile, ingested, dsrs)
    try:
        yield ranking
    finally:
        ranking_close(ranking)


def _counting(territory: str | None, period_start: date | None, period_end: date | None) -> QuerySet[DSR]:
    dsrs = DSR.objects.within(start=period_start, end=period_end)
    return dsrs if territory is None else dsrs.of_territory(territory)


def _ingested(counting: QuerySet[DSR]) -> list[IngestedDSR]:
    dsrs = DSR.objects.ingested().annotate(counts=Q(pk__in=counting.order_by().values("pk"))).order_by("id")
    return [IngestedDSR._make(row) for row in dsrs.values_list(*IngestedDSR._fields)]


def wanted_rankings_make() -> int:
    """Make the rankings that questions had no time for, as a worker does, and return how many."""
    wanted = WantedRanking.objects.all()
    for one in wanted:
        # Of these DSRs as they are now: that may be another state, and then nobody asks for the earlier one.
        with dsrs_ranking(percentile=one.percentile, dsrs=DSR.objects.filter(pk__in=one.dsr_numbers)):
            one.delete()
    return len(wanted)


def _made(key: str, percentile: int, ingested: list[IngestedDSR], counting: QuerySet[DSR]) -> Ranking | None:
    """A ranking of this state, or None where the state is another by now.

    Raises RankingNotReady where the statements may not take as long; then a worker makes it.
    """
    try:
        return _made_now(key, percentile, ingested, counting)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        ranking_want(key, percentile, [dsr.id for dsr in ingested if dsr.counts])
        raise RankingNotReady("This ranking takes a while, and is being made: ask again later.") from error


def _made_now(key: str, percentile: int, ingested: list[IngestedDSR], counting: QuerySet[DSR]) -> Ranking | None:
    with transaction.atomic():
        ranking_lock(key)
        ranking = ranking_open(key, percentile)
        if ranking is None:
            ranking_keep(key, percentile, ingested)
            # A DSR's lines go only after its row is gone: where all rows stand afterwards, all their lines were there
            # to be read, without any lock. What was imported meanwhile is in the next answer, and in no part of this.
            if not set(ingested) <= set(_ingested(counting)):
                transaction.set_rollback(True)
                return None
            ranking = ranking_open(key, percentile)
    rankings_drop_surplus()
    return ranking
