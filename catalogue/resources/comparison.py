"""Comparison of the highest-earning resources of two months, quarters or years, one by one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar

from catalogue.dsrs.selectors import EVERY_DSR, DSRSearch
from catalogue.dsrs.statistics.comparison import Change, Period, incomplete_months
from catalogue.dsrs.statistics.groups import Grouping
from catalogue.lines.gathering import Lines, lines_gathered, places_of
from catalogue.lines.lookups import TEXTS, dsr_arrays
from catalogue.lines.scope import IngestedDSR, Scope, scope_state, still_current
from catalogue.ranking.cached.resources import Ranking
from catalogue.ranking.selectors import LARGEST_PERCENTILE, resource_ranking
from catalogue.resources.browsing import COLUMNS, IS_REPORTED, REPORTING
from catalogue.resources.found import FoundResource, ResourceKey, ResourceSums, resource_sums_of
from catalogue.resources.reported import sums_in_dsrs
from catalogue.resources.selectors import ranked_resource, resource_top_count
from dsrhub.database.pages import converted, page_rows
from dsrhub.database.statements import rows_of

# What the rows of a comparison can be beside groups of DSRs.
RECORDING = "recording"

Answer = TypeVar("Answer")


class Show(StrEnum):
    """Which resources are listed: the top of the period now, or those of the top before that have no line now."""

    TOP = "top"
    GONE = "gone"


class PeriodState(NamedTuple):
    """The DSRs of a period, at one moment: the scope of those that count, and the name of their state."""

    scope: Scope
    key: str
    dsrs: list[IngestedDSR]


@dataclass(frozen=True)
class ResourceComparison:
    """What is compared: the resources that together make `percentile` per cent of the revenue of `period`, with what
    they had in `other`. Those that are gone make `percentile` per cent of the revenue of `other`.

    Only DSRs count whose whole period lies in one of the two. The days of `search` are not used.
    """

    percentile: int
    period: Period
    other: Period
    search: DSRSearch = EVERY_DSR
    show: Show = Show.TOP

    def now(self) -> Scope:
        """Raises InvalidArgument where only a part of a DSR would count."""
        return self.period.narrow(self.search).scope()

    def states(self) -> tuple[PeriodState, PeriodState]:
        """The DSRs now and before. Raises InvalidArgument where only a part of one would count."""
        return _state(self.now()), _state(self.other.narrow(self.search).scope())


def _state(scope: Scope) -> PeriodState:
    key, dsrs = scope_state(scope)
    return PeriodState(scope, key, [dsr for dsr in dsrs if dsr.in_scope])


@dataclass
class ComparedResource(Change):
    """A resource in both periods: `now` or `before` is None where it has no line there.

    A rank is that among all resources of its period: 1 has the highest revenue. It is None where a resource has no
    revenue, and in a period whose total is zero or less. `incomplete_now` and `incomplete_before` are the months for
    which a series of its DSP is not ingested completely.
    """

    resource: FoundResource
    rank: int | None
    now: ResourceSums | None
    rank_before: int | None
    before: ResourceSums | None
    incomplete_now: list[str] = field(default_factory=list)
    incomplete_before: list[str] = field(default_factory=list)

    @property
    def place(self) -> int | None:
        """Its place in the list: the rank, or the rank before if it is gone."""
        return self.rank_before if self.now is None else self.rank

    @property
    def rank_change(self) -> int | None:
        """By how many ranks it rose, negative if it fell; None without a rank in one of the periods."""
        return None if self.rank is None or self.rank_before is None else self.rank_before - self.rank

    @property
    def is_new(self) -> bool:
        """Whether it has no line before."""
        return self.before is None


def resource_comparison(*, asked: ResourceComparison, after: int, limit: int) -> list[ComparedResource]:
    """The next `limit` resources behind a place, in the order of their places; fewer where their texts are long.

    Raises InvalidArgument and RankingNotReady: it needs a ranking of all resources of the earlier period.
    """
    read = _top if asked.show == Show.TOP else _gone
    found = _of_one_state(asked, lambda now, before: read(asked, now, before, after=after, limit=limit))
    months_now, months_before = (
        incomplete_months(Grouping.DSP, period, asked.search) for period in (asked.period, asked.other)
    )
    for one in found:
        one.incomplete_now = months_now.get(one.resource.dsp, [])
        one.incomplete_before = months_before.get(one.resource.dsp, [])
    return found


def resource_comparison_count(*, asked: ResourceComparison) -> int:
    """The number of resources on all pages. Raises InvalidArgument and RankingNotReady."""
    if asked.show == Show.TOP:
        return resource_top_count(percentile=asked.percentile, scope=asked.now())
    return _of_one_state(asked, lambda now, before: _gone_count(asked, now, before))


def _of_one_state(asked: ResourceComparison, answer: Callable[[PeriodState, PeriodState], Answer | None]) -> Answer:
    """An answer about the DSRs of both periods, which is None where it saw another state of them.

    If they change meanwhile, the question is asked again. A DSR that is replaced gets another id: an answer about the
    earlier ids would have neither of the two.
    """
    while True:
        states = asked.states()
        found = answer(*states)
        if found is not None and states == asked.states():
            return found


# --- The top of the period now ---------------------------------------------------------------------------------


class Past(NamedTuple):
    """What a resource has in the earlier period."""

    rank: int | None
    sums: ResourceSums | None


def _top(
    asked: ResourceComparison, now: PeriodState, before: PeriodState, *, after: int, limit: int
) -> list[ComparedResource] | None:
    with resource_ranking(percentile=asked.percentile, scope=now.scope) as ranking:
        rows = ranking.rows(after_rank=after, limit=limit)
    past = _past([ResourceKey(row.dsp, row.dsp_id) for row in rows], before)
    if past is None or ranking.key != now.key:
        return None
    return converted(rows, lambda row: _compared(ranked_resource(row, now.scope), row.rank, past))


def _compared(resource: FoundResource, rank: int, past: Mapping[ResourceKey, Past]) -> ComparedResource:
    return ComparedResource(resource, rank, resource.sums, *past[resource.key])


def _past(resources: Sequence[ResourceKey], before: PeriodState) -> Mapping[ResourceKey, Past] | None:
    """What the resources have in the earlier period, or None where its DSRs have changed meanwhile.

    A rank comes from the ranking of all resources: what rises into a top was not in a smaller one.
    """
    if not resources:
        return {}
    with resource_ranking(percentile=LARGEST_PERCENTILE, scope=before.scope) as ranking:
        sums = sums_in_dsrs(resources, before.dsrs)
        if ranking.key != before.key or not still_current(before.dsrs):
            return None
        revenues = {one: sums[one].revenue_eur for one in resources}
        ranks = ranking.ranks({one: revenue for one, revenue in revenues.items() if revenue is not None})
    return {one: Past(ranks.get(one), sums[one] if sums[one].report_count else None) for one in resources}


# --- What is gone ----------------------------------------------------------------------------------------------

# Of the first resources of a ranking, those that no DSR in scope reports.
RANKS = "FROM {table} WHERE ranking = %(ranking)s AND rank > %(after)s AND rank <= %(count)s"
GONE = f"""
FROM (SELECT * {RANKS} ORDER BY rank OFFSET 0) AS resource
WHERE NOT {IS_REPORTED}
"""
GONE_PAGE = f"""
WITH {REPORTING} SELECT {COLUMNS}, usages, revenue, cardinality(dsrs), rank {GONE} ORDER BY rank LIMIT %(limit)s
"""
GONE_COUNT = f"WITH {REPORTING} SELECT count(*) {GONE}"


def _gone(
    asked: ResourceComparison, now: PeriodState, before: PeriodState, *, after: int, limit: int
) -> list[ComparedResource] | None:
    with resource_ranking(percentile=asked.percentile, scope=before.scope) as ranking:
        parameters = _gone_parameters(ranking, now, after)
        with _lines_of_ranks(ranking, now, parameters) as lines:
            statement = lines.statement(GONE_PAGE).format(table=ranking.table)
            rows = page_rows(statement, *TEXTS, **parameters, limit=limit)
    return None if ranking.key != before.key else converted(rows, partial(_gone_resource, before.scope))


def _gone_count(asked: ResourceComparison, now: PeriodState, before: PeriodState) -> int | None:
    with resource_ranking(percentile=asked.percentile, scope=before.scope) as ranking:
        parameters = _gone_parameters(ranking, now, after=0)
        with _lines_of_ranks(ranking, now, parameters) as lines:
            ((count,),) = rows_of(lines.statement(GONE_COUNT).format(table=ranking.table), **parameters)
    return None if ranking.key != before.key else int(count)


@contextmanager
def _lines_of_ranks(ranking: Ranking, now: PeriodState, parameters: Mapping[str, Any]) -> Iterator[Lines]:
    """The lines now of the resources in a ranking of the period before."""
    with lines_gathered([]) as lines:
        lines.add_of_keys(f"SELECT dsp_id {RANKS.format(table=ranking.table)}", places_of(now.dsrs), **parameters)
        yield lines


def _gone_parameters(ranking: Ranking, now: PeriodState, after: int) -> dict[str, Any]:
    return {"ranking": ranking.number, "count": ranking.count, "after": after, **dsr_arrays(now.dsrs)}


def _gone_resource(before: Scope, row: Sequence[Any]) -> ComparedResource:
    dsp, dsp_id, title, artists, isrc, usages, revenue, report_count, rank = row
    sums = resource_sums_of(usages, revenue, report_count)
    resource = FoundResource(dsp, dsp_id, title, artists, isrc, before, place=(rank,), sums=sums)
    return ComparedResource(resource, rank=None, now=None, rank_before=rank, before=sums)
