"""Lists of resources. One selector decides between the index, the sums and the ranking; no caller chooses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from catalogue.lines.scope import Scope
from catalogue.ranking.cached.resources import RankedResource
from catalogue.ranking.selectors import resource_ranking
from catalogue.resources.browsing import (
    count_by_index,
    count_in_ranking,
    count_with_sums,
    first_rows,
    rows_by_index,
    rows_with_sums,
)
from catalogue.resources.found import FoundResource, Place, ResourceSearch, TopResource, resource_sums_of
from dsrhub.database.pages import CutShort, converted, like

# A text search sorts at most this many resources. A text that finds more needs another word rather than more pages.
MOST_FOUND = 1000


def resource_list(*, search: ResourceSearch, after: Place | None, limit: int) -> list[FoundResource]:
    """The next `limit` found resources behind a place, of those that the DSRs in scope report; fewer where their texts
    are long.

    Raises SearchTooWide and RankingNotReady.
    """
    if search.is_ranking:
        top = resource_top(percentile=100, scope=search.scope, after=after[0] if after else 0, limit=limit)
        least = search.min_revenue
        return like(top, (one.resource for one in top if least is None or one.revenue_eur >= least))
    return rows_with_sums(search, after, limit) if search.needs_sums else rows_by_index(search, after, limit)


def resource_count(*, search: ResourceSearch) -> int:
    """The number of resources that `resource_list` finds on all pages. Raises SearchTooWide and RankingNotReady."""
    if search.is_ranking:
        is_whole = search.min_revenue is None
        return resource_top_count(percentile=100, scope=search.scope) if is_whole else count_in_ranking(search)
    return count_with_sums(search) if search.needs_sums else count_by_index(search)


# --- By rank ---------------------------------------------------------------------------------------------------


def resource_top(*, percentile: int, scope: Scope, after: int, limit: int) -> list[TopResource]:
    """The next `limit` behind a rank of the resources that together make `percentile` per cent of all revenue.

    Raises InvalidArgument and RankingNotReady.
    """
    with resource_ranking(percentile=percentile, scope=scope) as ranking:
        rows = ranking.rows(after_rank=after, limit=limit)
    return converted(
        rows, lambda row: TopResource(row.rank, row.revenue, row.cumulative_share, ranked_resource(row, scope))
    )


def resource_top_count(*, percentile: int, scope: Scope) -> int:
    with resource_ranking(percentile=percentile, scope=scope) as ranking:
        return ranking.count


def ranked_resource(ranked: RankedResource, scope: Scope) -> FoundResource:
    """The resource of a row of the ranking in this scope."""
    sums = resource_sums_of(ranked.usages, ranked.revenue, len(ranked.dsrs))
    described = (ranked.dsp, ranked.dsp_id, ranked.title, ranked.artists, ranked.isrc)
    return FoundResource(*described, scope, place=(ranked.rank,), sums=sums)


# --- By any text -----------------------------------------------------------------------------------------------


class TextKind(StrEnum):
    """What a text can be, in the order in which it is tried. The values are fields of ResourceSearch."""

    DSP_ID = "dsp_id"
    ISRC = "isrc"
    WORDS = "words"
    DSP_ID_PREFIX = "dsp_id_prefix"


@dataclass
class ResourcePage:
    """A page of a list, and the search that found it. `is_cut` says that a text finds more than MOST_FOUND."""

    search: ResourceSearch
    resources: list[FoundResource]
    kind: TextKind | None = None
    has_more: bool = False
    is_cut: bool = False


def resource_page(*, text: str, kind: TextKind | None, scope: Scope, after: Place | None, limit: int) -> ResourcePage:
    """The next `limit` resources behind a place, of those that a text finds, by title.

    The text is of the first kind by which it finds anything, or of the given one. Without a text, all resources in
    scope are found.
    """
    if not text:
        search = ResourceSearch(scope=scope)
        return _page(search, None, resource_list(search=search, after=after, limit=limit + 1), limit)
    for one in [kind] if kind else TextKind:
        field: dict[str, Any] = {one.value: text}
        search = ResourceSearch(**field, scope=scope)
        found = first_rows(search, MOST_FOUND + 1)
        if found:
            break
    if len(found) > MOST_FOUND or isinstance(found, CutShort):
        return ResourcePage(search, found[:limit], one, is_cut=True)
    # The database orders bytewise, which is the order of code points in Python.
    return _page(search, one, [resource for resource in found if after is None or resource.place > after], limit)


def _page(search: ResourceSearch, kind: TextKind | None, rest: list[FoundResource], limit: int) -> ResourcePage:
    return ResourcePage(search, rest[:limit], kind, has_more=len(rest) > limit or isinstance(rest, CutShort))
