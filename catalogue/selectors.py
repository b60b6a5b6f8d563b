"""Questions about DSRs and what they report. REST, GraphQL and the admin ask these."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet

from catalogue.exceptions import DSRNotFound
from catalogue.models import DSR, ReportProblem, UsageLine


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


class IngestedDSR(NamedTuple):
    """What a question needs of a DSR, and whether the DSR counts for it."""

    id: int
    dsp: str
    exchange_rate: Decimal
    partition: int
    counts: bool


def dsr_list() -> QuerySet[DSR]:
    """All DSRs, failed ones included, by id."""
    return DSR.objects.select_related("territory", "currency").order_by("id")


def dsr_get(*, dsr_number: int) -> DSR:
    """Raises DSRNotFound."""
    dsr = dsr_list().filter(pk=dsr_number).first()
    if dsr is None:
        raise DSRNotFound(f"There is no DSR {dsr_number}.", id=dsr_number)
    return dsr


def dsr_lines(*, dsr: DSR, after: int, limit: int) -> QuerySet[UsageLine]:
    """The next `limit` lines of a DSR behind line number `after`, as they were delivered."""
    return UsageLine.objects.of([dsr]).after(after, limit=limit).order_by("line_number")


def dsr_problems(*, dsr: DSR, after: int, limit: int) -> QuerySet[ReportProblem]:
    """The next `limit` problems of a DSR behind the problem with id `after`."""
    return dsr.problems.filter(id__gt=after).order_by("id")[:limit]


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


TOP_PERCENTILE = """
WITH counting AS (
    SELECT * FROM unnest(%(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[]) AS dsr (id, dsp, rate)
),
reported AS (
    SELECT dsr.id AS dsr_id, dsr.dsp, line.dsp_id, sum(line.usages) AS usages,
        catalogue_eur(sum(line.revenue), dsr.rate) AS revenue
    FROM catalogue_usageline AS line JOIN counting AS dsr ON dsr.id = line.dsr_id
    WHERE line.partition = ANY(%(partitions)s) AND line.dsr_id = ANY(%(ids)s)
    GROUP BY dsr.id, dsr.dsp, dsr.rate, line.dsp_id
),
resource AS (
    SELECT dsp, dsp_id, sum(usages) AS usages, sum(revenue) AS revenue, array_agg(dsr_id ORDER BY dsr_id) AS dsrs
    FROM reported GROUP BY dsp, dsp_id HAVING count(revenue) > 0
),
ranked AS (
    SELECT *, row_number() OVER ranking AS rank, sum(revenue) OVER ranking AS running, sum(revenue) OVER () AS total
    FROM resource
    WINDOW ranking AS (
        ORDER BY revenue DESC, dsp_id COLLATE "C", dsp COLLATE "C" ROWS UNBOUNDED PRECEDING
    )
),
top AS MATERIALIZED (
    SELECT * FROM ranked
    WHERE total > 0 AND (
        %(percentile)s = 100
        OR rank <= (SELECT min(rank) FROM ranked WHERE running * 100 >= total * %(percentile)s)
    )
)
SELECT top.dsp, top.dsp_id, described.title, described.artists, described.isrc,
    top.usages, top.revenue, top.dsrs
FROM top CROSS JOIN LATERAL (
    -- A resource is described by the latest report that says anything, whichever was imported first.
    SELECT (array_agg(title ORDER BY {latest}) FILTER (WHERE title IS NOT NULL))[1] AS title,
        (array_agg(artists ORDER BY {latest}) FILTER (WHERE artists IS NOT NULL))[1] AS artists,
        (array_agg(isrc ORDER BY {latest}) FILTER (WHERE isrc IS NOT NULL))[1] AS isrc
    FROM catalogue_usageline AS line
    JOIN catalogue_dsr AS dsr ON dsr.id = line.dsr_id AND dsr.partition = line.partition
    WHERE hashtextextended(line.dsp_id, 0) = hashtextextended(top.dsp_id, 0) AND line.dsp_id = top.dsp_id
        AND dsr.dsp = top.dsp AND dsr.id = ANY(%(ingested)s)
) AS described
ORDER BY top.rank
""".replace("{latest}", 'period_end DESC, period_start DESC, path COLLATE "C" DESC, line_number DESC')


def _ranked(ingested: list[IngestedDSR], percentile: int) -> list[RankedResource]:
    counting = [dsr for dsr in ingested if dsr.counts]
    parameters: dict[str, Any] = {
        "ids": [dsr.id for dsr in counting],
        "dsps": [dsr.dsp for dsr in counting],
        "rates": [dsr.exchange_rate for dsr in counting],
        "partitions": sorted({dsr.partition for dsr in counting}),
        "ingested": [dsr.id for dsr in ingested],
        "percentile": percentile,
    }
    with connection.cursor() as cursor:
        cursor.execute(TOP_PERCENTILE, parameters)
        return [
            RankedResource(dsp, dsp_id, title, artists, isrc, None if usages is None else int(usages), revenue, dsrs)
            for dsp, dsp_id, title, artists, isrc, usages, revenue, dsrs in cursor.fetchall()
        ]
