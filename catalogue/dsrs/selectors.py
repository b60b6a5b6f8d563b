"""Questions about DSRs: lists of them, and what belongs to each DSR of a page, by one query for all."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Exists, Min, OuterRef, Q

from catalogue.exceptions import DSRNotFound
from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import has_line_with_dsp_id, lines_after, lines_of_dsrs, partitions_of
from catalogue.lines.scope import Scope
from catalogue.models import DSR, ReportProblem, RevenueKind, UsageLine, UseTypeTotal
from catalogue.querysets import DSRQuerySet, require_order
from dsrhub.database.statements import rows_of
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _

# What belongs to a DSR.
Part = TypeVar("Part", ReportProblem, UseTypeTotal)


class ListedDSR(NamedTuple):
    """A row of the list of DSRs."""

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
WHERE (%(after)s IS NULL OR dsr.id > %(after)s) ORDER BY dsr.id LIMIT %(limit)s
"""


def dsr_list(*, after: int | None = None, limit: int | None = None) -> list[ListedDSR]:
    """The next `limit` DSRs behind an id, or all of them; failed DSRs are included."""
    return [ListedDSR._make(row) for row in rows_of(DSRS, after=after, limit=limit)]


class DSRCounts(NamedTuple):
    """How many DSRs have each status, and how many of them are not catalogued yet, the oldest one `since` a time."""

    by_status: dict[str, int]
    uncatalogued: int
    since: datetime | None


def dsr_counts() -> DSRCounts:
    uncatalogued = Q(status=DSR.Status.INGESTED, is_catalogued=False)
    counts = DSR.objects.aggregate(
        uncatalogued=Count("pk", filter=uncatalogued),
        since=Min("imported_at", filter=uncatalogued),
        **{status.value: Count("pk", filter=Q(status=status)) for status in DSR.Status},
    )
    by_status = {status.value: counts[status.value] for status in DSR.Status}
    return DSRCounts(by_status, counts["uncatalogued"], counts["since"])


def dsr_get(*, dsr_number: int) -> DSR:
    """Raises DSRNotFound."""
    dsr = DSR.objects.select_related("territory", "currency").filter(pk=dsr_number).first()
    if dsr is None:
        raise DSRNotFound(_("There is no DSR %(id)s.") % {"id": dsr_number}, id=dsr_number)
    return dsr


def dsr_lines(*, dsr: DSR, after: int, limit: int) -> list[UsageLine]:
    """The next `limit` lines of a DSR behind line number `after`, as they were delivered; fewer where they are long.

    Raises DSRNotFound where the DSR is gone meanwhile: an empty page would look like the end of its lines.
    """
    lines = lines_after([dsr], after=after, limit=limit)[dsr.pk]
    dsr_get(dsr_number=dsr.pk)
    return lines


def dsr_problems(*, dsr: DSR, after: int | None, limit: int, user: User | AnonymousUser) -> list[ReportProblem]:
    """The next `limit` problems of a DSR behind the problem with id `after`, as the user may see them."""
    following = dsr.problems.all() if after is None else dsr.problems.filter(id__gt=after)
    problems = list(following.order_by("id")[:limit])
    _hide_cells(problems, [dsr], user)
    return problems


# Permissions to see what a refused file has in its cells. The admin asks for the same.
SEES_CELLS = ("catalogue.view_dsr", "catalogue.view_reportproblem")


def _hide_cells(problems: Iterable[ReportProblem], dsrs: Sequence[DSR], user: User | AnonymousUser) -> None:
    """Remove what refused files have in their cells, unless the user imported them or has a permission.

    A refused file may be no report at all. The cells of an ingested DSR are in its lines, for everyone who may read.
    """
    refused = {
        dsr.pk for dsr in dsrs if dsr.status == DSR.Status.FAILED and (user.pk is None or dsr.imported_by_id != user.pk)
    }
    if not refused or any(user.has_perm(permission) for permission in SEES_CELLS):
        return
    for problem in problems:
        if problem.dsr_id in refused and problem.line is not None:
            if problem.column == problem.value:  # The name of an unknown column is a cell, too.
                problem.column = None
            problem.value = problem.excerpt = None


# --- Browsing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DSRSearch:
    """The DSRs of a DSP, offer, territory, currency, message and so on whose whole period lies between two days.

    A DSR is of a `use_type` if it has this use type itself, or lines of it.

    Raises PeriodReversed where the `period_start` is after the `period_end`.
    """

    dsp: str | None = None
    offer: str | None = None
    society: str | None = None
    territory: str | None = None
    currency: str | None = None
    status: DSR.Status | None = None
    period_start: date | None = None
    period_end: date | None = None
    message: int | None = None
    commercial_model: str | None = None
    use_type: str | None = None
    revenue_kind: RevenueKind | None = None

    NAMED = ("dsp", "offer", "society", "territory", "currency", "status", "message", "commercial_model")

    def __post_init__(self) -> None:
        require_order(start=self.period_start, end=self.period_end, argument="period_end")

    def dsrs(self) -> DSRQuerySet:
        named = {name: getattr(self, name) for name in self.NAMED}
        dsrs = DSR.objects.filter(**{name: value for name, value in named.items() if value is not None})
        if self.use_type is not None:
            with_lines = UseTypeTotal.objects.filter(dsr=OuterRef("pk"), use_type=self.use_type)
            dsrs = dsrs.filter(Q(use_type=self.use_type) | Exists(with_lines))
        if self.revenue_kind is not None:
            dsrs = dsrs.with_revenue(self.revenue_kind)
        return dsrs.within(start=self.period_start, end=self.period_end)

    def scope(self) -> Scope:
        """The same DSRs as the scope of a question about recordings, to which a DSR belongs as a whole.

        Raises InvalidArgument where a DSR has lines of the `use_type` and others.
        """
        dsrs = self.dsrs().ingested().order_by("pk")
        if self.use_type is not None:
            others = UseTypeTotal.objects.filter(~Q(use_type=self.use_type) | Q(use_type=None), dsr=OuterRef("pk"))
            mixed = dsrs.filter(Exists(others)).values_list("pk", flat=True).first()
            if mixed is not None:
                raise InvalidArgument(
                    _("DSR %(mixed)s has lines of %(use_type)s and others. Recordings are known by whole DSRs only.")
                    % {"mixed": mixed, "use_type": self.use_type},
                    argument="use_type",
                )
        return Scope(dsrs=tuple(dsrs.values_list("pk", flat=True)))


EVERY_DSR = DSRSearch()


def dsrs_matching(search: DSRSearch) -> DSRQuerySet:
    """The DSRs with everything that a client may see of them, in no order."""
    return search.dsrs().described().order_by()


def dsr_described(*, dsr_number: int) -> DSR:
    """Raises DSRNotFound."""
    dsr = DSR.objects.described().filter(pk=dsr_number).first()
    if dsr is None:
        raise DSRNotFound(_("There is no DSR %(id)s.") % {"id": dsr_number}, id=dsr_number)
    return dsr


def dsrs_by_id(ids: Iterable[int]) -> Mapping[int, DSR]:
    """The DSRs that are there, with everything that a client may see of them."""
    return DSR.objects.described().in_bulk(set(ids))


def lines_by_dsr(dsrs: Sequence[DSR], *, after: int, limit: int) -> Mapping[int, list[UsageLine]]:
    """The next `limit` lines of each DSR behind line number `after`, without the DSRs that are gone meanwhile.

    There are fewer where they are long. Raises AnswerTooLarge where not each DSR can have one.
    """
    by_dsr = lines_after(dsrs, after=after, limit=limit)
    present = DSR.objects.filter(pk__in=[dsr.pk for dsr in dsrs]).values_list("pk", flat=True)
    return {number: by_dsr[number] for number in present}


# The next rows of each DSR in a table of what belongs to DSRs.
PARTS = """
SELECT part.*
FROM unnest(%(dsrs)s::integer[]) AS dsr (id) CROSS JOIN LATERAL (
    SELECT * FROM {table}
    WHERE dsr_id = dsr.id AND (%(after)s IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s
) AS part
ORDER BY part.dsr_id, part.id
"""


def _parts(model: type[Part], dsrs: Sequence[DSR], after: int | None, limit: int) -> list[Part]:
    parameters = {"dsrs": [dsr.pk for dsr in dsrs], "after": after, "limit": limit}
    return list(model._default_manager.raw(PARTS.format(table=model._meta.db_table), parameters))


def _by_dsr(parts: Iterable[Part]) -> Mapping[int, list[Part]]:
    by_dsr = defaultdict(list)
    for part in parts:
        if part.dsr_id is not None:
            by_dsr[part.dsr_id].append(part)
    return by_dsr


def problems_by_dsr(
    dsrs: Sequence[DSR], *, after: int | None, limit: int, user: User | AnonymousUser
) -> Mapping[int, list[ReportProblem]]:
    """The next `limit` problems of each DSR behind the problem with id `after`, as the user may see them."""
    problems = _parts(ReportProblem, dsrs, after, limit)
    _hide_cells(problems, dsrs, user)
    return _by_dsr(problems)


def problem_counts_by_dsr(dsrs: Sequence[DSR]) -> Mapping[int, int]:
    """The number of kept problems of each DSR."""
    kept = ReportProblem.objects.filter(dsr__in=[dsr.pk for dsr in dsrs]).order_by()
    return dict(kept.values_list("dsr").annotate(Count("id")))


def use_type_totals_by_dsr(dsrs: Sequence[DSR], *, after: int | None, limit: int) -> Mapping[int, list[UseTypeTotal]]:
    """The next `limit` totals of each DSR by use type, behind the one with id `after`."""
    return _by_dsr(_parts(UseTypeTotal, dsrs, after, limit))


def use_type_counts_by_dsr(dsrs: Sequence[DSR]) -> Mapping[int, int]:
    """The number of use types of each DSR."""
    totals = UseTypeTotal.objects.filter(dsr__in=[dsr.pk for dsr in dsrs]).order_by()
    return dict(totals.values_list("dsr").annotate(Count("id")))


# The search in the other DSRs ends with the first that has the recording.
OWN_DSP_IDS = f"""
SELECT DISTINCT dsp_id FROM ({lines_of_dsrs("dsp_id", ids="own", partitions="own_partitions")}) AS line
"""  # noqa: S608 - no value is in it, here and below
OWN_RESOURCES = f"""
WITH own AS MATERIALIZED ({OWN_DSP_IDS})
SELECT count(*) FROM own WHERE NOT {has_line_with_dsp_id(key="own", ids="others")}
"""  # noqa: S608


def own_resource_count(dsrs: Sequence[DSR]) -> int:
    """The number of resources that these DSRs report and no other ingested DSR."""
    ingested = [dsr for dsr in dsrs if dsr.status == DSR.Status.INGESTED]
    return sum(_own_resource_count(dsp, ingested) for dsp in {dsr.dsp for dsr in ingested})


def _own_resource_count(dsp: str, dsrs: Sequence[DSR]) -> int:
    own = [dsr for dsr in dsrs if dsr.dsp == dsp]
    others = DSR.objects.ingested().filter(dsp=dsp).exclude(pk__in=[dsr.pk for dsr in own])
    parameters = {
        "own": [dsr.pk for dsr in own],
        "own_partitions": partitions_of(own),
        "others": [dsr.pk for dsr in others],
        "partitions": partitions_of(others),
    }
    with lines_gathered([]) as lines:
        lines.add_of_dsrs(places_of(own))
        lines.add_of_keys(OWN_DSP_IDS, places_of(others), **parameters)
        ((count,),) = rows_of(lines.statement(OWN_RESOURCES), **parameters)
        is_whole = lines.are_of(places_of(others))
    return int(count) if is_whole else _own_resource_count(dsp, dsrs)
