"""Questions about DSRs and what they report. REST, GraphQL and the admin ask these."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from catalogue.exceptions import DSRNotFound
from catalogue.models import DSR, LeftoverLines, ReportProblem, UsageLine
from catalogue.ranking import IngestedDSR, Ranked, top_percentile


@dataclass(frozen=True)
class RankedResource:
    """A resource with its sums over the DSRs that count. What has no value is None.

    `revenue` is in EUR and exact; `dsrs` are the ids, ascending, of the counting DSRs that report it.
    """

    dsp: str
    dsp_id: str
    title: str | None
    artists: str | None
    isrc: str | None
    usages: int | None
    revenue: Decimal
    dsrs: list[int]


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
    while True:
        ingested = _ingested(territory, period_start, period_end)
        ranked = _ranked(ingested, percentile)
        # A DSR's lines go only after its row is gone: where all rows stand afterwards, all their lines were there
        # to be read, without any lock. What was imported meanwhile is in the next answer, and in no part of this.
        if set(ingested) <= set(_ingested(territory, period_start, period_end)):
            return ranked


def _ingested(territory: str | None, period_start: date | None, period_end: date | None) -> list[IngestedDSR]:
    counting = DSR.objects.ingested().within(start=period_start, end=period_end)
    if territory is not None:
        counting = counting.of_territory(territory)
    dsrs = DSR.objects.ingested().annotate(counts=Q(pk__in=counting)).order_by("id")
    return [IngestedDSR._make(row) for row in dsrs.values_list(*IngestedDSR._fields)]


def _ranked(ingested: list[IngestedDSR], percentile: int) -> list[RankedResource]:
    counting = [dsr for dsr in ingested if dsr.counts]
    ranked = top_percentile(counting, percentile)
    return _described(ranked, ingested) if ranked else []


# A resource is described by the latest report that says anything, whichever was imported first.
DESCRIPTIONS = """
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%(dsps)s::text[], %(dsp_ids)s::text[]) WITH ORDINALITY AS asked (dsp, dsp_id, place)
),
dsr AS MATERIALIZED (
    SELECT * FROM unnest(%(of_dsps)s::text[], %(ids)s::integer[], %(own)s::integer[]) WITH ORDINALITY
        AS dsr (dsp, id, partition, lateness)
),
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM dsr)
SELECT described.*
FROM asked CROSS JOIN LATERAL (
    SELECT (array_agg(title ORDER BY lateness DESC, line_number DESC) FILTER (WHERE title IS NOT NULL))[1],
        (array_agg(artists ORDER BY lateness DESC, line_number DESC) FILTER (WHERE artists IS NOT NULL))[1],
        (array_agg(isrc ORDER BY lateness DESC, line_number DESC) FILTER (WHERE isrc IS NOT NULL))[1]
    FROM storage CROSS JOIN LATERAL (
        SELECT dsr_id, line_number, title, artists, isrc FROM catalogue_usageline
        WHERE partition = storage.partition AND partition = ANY(%(partitions)s)
            AND hashtextextended(dsp_id, 0) = hashtextextended(asked.dsp_id, 0) AND dsp_id = asked.dsp_id
        OFFSET 0
    ) AS line
    JOIN dsr ON dsr.id = line.dsr_id AND dsr.dsp = asked.dsp
    WHERE storage.dsp = asked.dsp
) AS described (title, artists, isrc)
ORDER BY asked.place
"""


def _described(ranked: list[Ranked], ingested: list[IngestedDSR]) -> list[RankedResource]:
    """The resources with title, artists and ISRC: each by itself the value of the latest line that has one."""
    dsps = {resource.dsp for resource in ranked}
    dsrs = sorted((dsr for dsr in ingested if dsr.dsp in dsps), key=_lateness)
    parameters: dict[str, Any] = {
        "dsps": [resource.dsp for resource in ranked],
        "dsp_ids": [resource.dsp_id for resource in ranked],
        "of_dsps": [dsr.dsp for dsr in dsrs],
        "ids": [dsr.id for dsr in dsrs],
        "own": [dsr.partition for dsr in dsrs],
        "partitions": sorted({dsr.partition for dsr in dsrs}),
    }
    with connection.cursor() as cursor:
        cursor.execute(DESCRIPTIONS, parameters)
        return [
            RankedResource(
                dsp=resource.dsp,
                dsp_id=resource.dsp_id,
                title=title,
                artists=artists,
                isrc=isrc,
                usages=resource.usages,
                revenue=resource.revenue,
                dsrs=resource.dsrs,
            )
            for resource, (title, artists, isrc) in zip(ranked, cursor.fetchall(), strict=True)
        ]


def _lateness(dsr: IngestedDSR) -> tuple[date, date, bytes]:
    """Reports in the order of their periods; those of one period by file name, byte by byte."""
    return dsr.period_end, dsr.period_start, dsr.path.encode()
