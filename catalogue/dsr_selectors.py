"""Questions about DSRs to browse: which there are, and what belongs to each of a page, by one query for all."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count

from catalogue.exceptions import DSRNotFound
from catalogue.models import DSR, ReportProblem, UsageLine
from catalogue.querysets import DSRQuerySet
from dsrhub.database.statements import rows_of


@dataclass(frozen=True)
class DSRSearch:
    """Which DSRs are meant: of a DSP, offer, territory, currency or status, and wholly between two days."""

    dsp: str | None = None
    offer: str | None = None
    territory: str | None = None
    currency: str | None = None
    status: DSR.Status | None = None
    period_start: date | None = None
    period_end: date | None = None

    def dsrs(self) -> DSRQuerySet:
        named = {name: getattr(self, name) for name in ("dsp", "offer", "territory", "currency", "status")}
        dsrs = DSR.objects.filter(**{name: value for name, value in named.items() if value is not None})
        return dsrs.within(start=self.period_start, end=self.period_end)


PROBLEMS = """
SELECT problem.*
FROM unnest(%(dsrs)s::integer[]) AS dsr (id) CROSS JOIN LATERAL (
    SELECT * FROM catalogue_reportproblem
    WHERE dsr_id = dsr.id AND id > %(after)s ORDER BY id LIMIT %(limit)s
) AS problem
ORDER BY problem.dsr_id, problem.id
"""


EVERY_DSR = DSRSearch()

# The search in the other DSRs ends with the first that has the recording.
OWN_RESOURCES = """
WITH own AS MATERIALIZED (
    SELECT DISTINCT dsp_id FROM catalogue_usageline
    WHERE partition = ANY(%(own_partitions)s) AND dsr_id = ANY(%(own)s)
)
SELECT count(*) FROM own WHERE NOT EXISTS (
    SELECT FROM catalogue_usageline AS line
    WHERE partition = ANY(%(partitions)s) AND dsr_id + 0 = ANY(%(others)s)
        AND hashtextextended(line.dsp_id, 0) = hashtextextended(own.dsp_id, 0) AND line.dsp_id = own.dsp_id
)
"""


def dsrs_matching(search: DSRSearch) -> DSRQuerySet:
    """With all that a client may be shown of them; in no order."""
    return search.dsrs().described().order_by()


def dsr_described(*, dsr_number: int) -> DSR:
    """Raises DSRNotFound."""
    dsr = DSR.objects.described().filter(pk=dsr_number).first()
    if dsr is None:
        raise DSRNotFound(f"There is no DSR {dsr_number}.", id=dsr_number)
    return dsr


def dsrs_by_id(ids: Iterable[int]) -> Mapping[int, DSR]:
    """Those of the DSRs that are there, with all that a client may be shown of them."""
    return DSR.objects.described().in_bulk(set(ids))


def lines_by_dsr(dsrs: Sequence[DSR], *, after: int, limit: int) -> Mapping[int, list[UsageLine]]:
    """The next `limit` lines of each DSR behind line number `after`. DSRs that are gone by then are left out."""
    lines = list(UsageLine.objects.of(dsrs).after(after, limit=limit).order_by("dsr", "line_number"))
    standing = DSR.objects.filter(pk__in=[dsr.pk for dsr in dsrs]).values_list("pk", flat=True)
    by_dsr: dict[int, list[UsageLine]] = {number: [] for number in standing}
    for line in lines:
        if line.dsr_id in by_dsr:
            by_dsr[line.dsr_id].append(line)
    return by_dsr


def problems_by_dsr(dsrs: Sequence[DSR], *, after: int, limit: int) -> Mapping[int, list[ReportProblem]]:
    """The next `limit` problems of each DSR behind the problem with id `after`."""
    parameters = {"dsrs": [dsr.pk for dsr in dsrs], "after": after, "limit": limit}
    by_dsr = defaultdict(list)
    for problem in ReportProblem.objects.raw(PROBLEMS, parameters):
        by_dsr[problem.dsr_id].append(problem)
    return by_dsr


def problem_counts_by_dsr(dsrs: Sequence[DSR]) -> Mapping[int, int]:
    """How many problems of each DSR are kept."""
    kept = ReportProblem.objects.filter(dsr__in=[dsr.pk for dsr in dsrs]).order_by()
    return dict(kept.values_list("dsr").annotate(Count("id")))


def own_resource_count(dsrs: Sequence[DSR]) -> int:
    """How many resources these DSRs report and no other ingested one."""
    ingested = [dsr for dsr in dsrs if dsr.status == DSR.Status.INGESTED]
    return sum(_own_resource_count(dsp, ingested) for dsp in {dsr.dsp for dsr in ingested})


def _own_resource_count(dsp: str, dsrs: Sequence[DSR]) -> int:
    own = [dsr for dsr in dsrs if dsr.dsp == dsp]
    others = DSR.objects.ingested().filter(dsp=dsp).exclude(pk__in=[dsr.pk for dsr in own])
    ((count,),) = rows_of(
        OWN_RESOURCES,
        own=[dsr.pk for dsr in own],
        own_partitions=sorted({dsr.partition for dsr in own}),
        others=[dsr.pk for dsr in others],
        partitions=sorted({dsr.partition for dsr in others}),
    )
    return int(count)
