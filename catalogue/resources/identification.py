"""Recordings that are hard to identify: without an ISRC, with a malformed one or with several, highest revenue first.

They are looked for in the ranking of the highest-earning resources, a bounded number of ranks for a page.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from catalogue.exceptions import SearchTooWide
from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import TEXTS, dsr_arrays
from catalogue.lines.scope import IngestedDSR, Scope, scope_state
from catalogue.ranking.cached.resources import Ranking
from catalogue.ranking.selectors import resource_ranking
from catalogue.reports.cells import ISRC
from catalogue.resources.browsing import REPORTING, lines_of_resource
from catalogue.resources.found import FoundResource, resource_sums_of
from dsrhub.database.pages import CutAt, CutShort, converted, page_rows
from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import Grouped
from dsrhub.texts.marked import gettext_lazy as _

Answer = TypeVar("Answer")


class IsrcProblem(StrEnum):
    """Why a recording is hard to identify."""

    NO_ISRC = "no_isrc"
    MALFORMED_ISRC = "malformed_isrc"
    SEVERAL_ISRCS = "several_isrcs"


@dataclass
class Unidentified:
    """A resource with a problem, by its rank. `isrcs` are all of its ISRCs, separated by `|`, if these are the problem.

    The sums of the resource are those in scope.
    """

    rank: int
    problem: IsrcProblem
    isrcs: str | None
    resource: FoundResource


# How many ranks are searched for a page, and how many may be counted: several ISRCs are looked up in lines.
SEARCHED = {IsrcProblem.NO_ISRC: 20_000, IsrcProblem.MALFORMED_ISRC: 20_000, IsrcProblem.SEVERAL_ISRCS: 500}
MOST_COUNTED = 20_000

RANGE = "SELECT * FROM {table} WHERE ranking = %(ranking)s AND rank > %(after)s AND rank <= %(last)s"
BY_RANKING = f"""
SELECT resource.*, NULL::text AS isrcs FROM ({RANGE}) AS resource WHERE {{condition}}
"""  # noqa: S608 - no value is in it, here and below
CONDITIONS = {
    IsrcProblem.NO_ISRC: "isrc IS NULL",
    IsrcProblem.MALFORMED_ISRC: 'isrc COLLATE "C" !~ %(isrc)s',
}
# All ISRCs of a resource, as all DSRs of its DSP report them. A wrong cell may have several, too.
BY_LINES = f"""
SELECT resource.*, reported.isrcs
FROM ({RANGE}) AS resource CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT isrc, '|' ORDER BY isrc) AS isrcs
    FROM (
        SELECT btrim(part) COLLATE "C" AS isrc
        FROM {lines_of_resource("isrc, isrcs")}
        CROSS JOIN LATERAL unnest(string_to_array(concat_ws('|', line.isrc, line.isrcs), '|')) AS part
        WHERE storage.dsp = resource.dsp
    ) AS part
    WHERE isrc <> ''
) AS reported
WHERE strpos(reported.isrcs, '|') > 0
"""  # noqa: S608
PAGE = f"""
{{reporting}}
SELECT rank, isrcs, dsp, {", ".join(TEXTS)}, usages, trim_scale(revenue) AS revenue, cardinality(dsrs) AS dsr_count
FROM ({{found}}) AS found ORDER BY rank LIMIT %(limit)s
"""  # noqa: S608
COUNT = "{reporting} SELECT count(*) FROM ({found}) AS found"


def identification(
    *, problem: IsrcProblem, percentile: int, scope: Scope, after: int = 0, limit: int
) -> list[Unidentified]:
    """The next `limit` resources behind a rank that have the problem, of those that make `percentile` per cent.

    A resource has no ISRC if no line of its DSP's DSRs has one. Its ISRC, the one of the most recent line that has one,
    is malformed if it is not of the form of ISO 3901. It has several if these lines have different ones.

    The list is CutAt a rank where not all ranks were searched. Raises InvalidArgument and RankingNotReady.
    """

    def answer(ranking: Ranking, dsrs: Sequence[IngestedDSR]) -> list[Unidentified]:
        last = min(after + SEARCHED[problem], ranking.count)
        with _statement(PAGE, problem, ranking, dsrs, after=after, last=last) as (statement, parameters):
            rows = page_rows(statement, *TEXTS, "isrcs", **parameters, limit=limit)
        found = converted(rows, lambda row: _unidentified(problem, scope, row))
        is_searched = len(rows) == limit or isinstance(rows, CutShort) or last >= ranking.count
        return found if is_searched else CutAt(found, last)

    return _answered(answer, percentile, scope)


def identification_count(*, problem: IsrcProblem, percentile: int, scope: Scope) -> int:
    """The number of resources that `identification` finds on all pages. Raises SearchTooWide and RankingNotReady."""

    def answer(ranking: Ranking, dsrs: Sequence[IngestedDSR]) -> int:
        if problem == IsrcProblem.SEVERAL_ISRCS and ranking.count > MOST_COUNTED:
            raise SearchTooWide(
                _("More than %(most)s resources would have to be looked up: choose a smaller percentile.")
                % {"most": Grouped(MOST_COUNTED)},
                limit=MOST_COUNTED,
            )
        with _statement(COUNT, problem, ranking, dsrs, after=0, last=ranking.count) as (statement, parameters):
            return int(rows_of(statement, **parameters)[0][0])

    return _answered(answer, percentile, scope)


def _answered(answer: Callable[[Ranking, Sequence[IngestedDSR]], Answer], percentile: int, scope: Scope) -> Answer:
    """An answer from the ranking and the DSRs of one state. If it changes meanwhile, the question is asked again."""
    while True:
        key, dsrs = scope_state(scope)
        with resource_ranking(percentile=percentile, scope=scope) as ranking:
            found = answer(ranking, dsrs)
        if scope_state(scope)[0] == key:
            return found


@contextmanager
def _statement(
    statement: str, problem: IsrcProblem, ranking: Ranking, dsrs: Sequence[IngestedDSR], **ranks: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The statement about the resources of the ranking that have the problem, with its parameters."""
    parameters = {"ranking": ranking.number, **ranks}
    if problem == IsrcProblem.SEVERAL_ISRCS:
        with lines_gathered(["isrc", "isrcs"]) as lines:
            lines.add_of_keys(RANGE.format(table=ranking.table), places_of(dsrs), **parameters)
            found = lines.statement(BY_LINES).format(table=ranking.table)
            yield statement.format(reporting=f"WITH {REPORTING}", found=found), parameters | dsr_arrays(dsrs)
        return
    found = BY_RANKING.format(table=ranking.table, condition=CONDITIONS[problem])
    yield statement.format(reporting="", found=found), parameters | {"isrc": f"^{ISRC.pattern}$"}


def _unidentified(problem: IsrcProblem, scope: Scope, row: Sequence[Any]) -> Unidentified:
    rank, isrcs, dsp, dsp_id, title, artists, isrc, *sums = row
    resource = FoundResource(dsp, dsp_id, title, artists, isrc, scope, place=(rank,), sums=resource_sums_of(*sums))
    return Unidentified(rank, problem, isrcs, resource)
