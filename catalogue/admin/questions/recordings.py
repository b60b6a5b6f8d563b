"""The comparison of two periods by recording: which moved most, are new or gone; and all of them as a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from django.utils.translation import gettext as _

from catalogue.admin.cells import recording_link
from catalogue.admin.questions.changes import AMOUNTS, COLUMNS, change_cells, change_values, incomplete_in
from catalogue.resources.comparison import ComparedResource, ResourceComparison, Show, resource_comparison
from dsrhub.database.pages import CutShort
from dsrhub.import_export.tables import PAGE_ROWS, Table

# The page looks for movers among the first recordings of the top, and shows some of each kind.
MOST_COMPARED, SHOWN = 1000, 20


@dataclass
class Section:
    """A table of recordings, and whether there are more of its kind."""

    title: str
    rows: list[dict[str, Any]]
    has_more: bool


def recording_sections(asked: ResourceComparison, *, has_links: bool) -> dict[str, Any]:
    """What the page shows. Raises RankingNotReady."""
    found = resource_comparison(asked=asked, after=0, limit=MOST_COMPARED + 1)
    gone = resource_comparison(asked=replace(asked, show=Show.GONE), after=0, limit=SHOWN + 1)
    top = found[:MOST_COMPARED]
    known = [one for one in top if not one.is_new]
    ranked = [one for one in top if one.rank_change is not None]
    kinds = [
        (_("Revenue rose most"), _rises(known, "revenue_difference")),
        (_("Revenue fell most"), _falls(known, "revenue_difference")),
        (_("Rank rose most"), _rises(ranked, "rank_change")),
        (_("Rank fell most"), _falls(ranked, "rank_change")),
        (_("New"), [one for one in top if one.is_new]),
        (_("Gone"), gone),
    ]
    return {
        "sections": [_section(title, rows, has_links=has_links) for title, rows in kinds if rows],
        "compared_count": len(top),
        "has_more_compared": len(found) > len(top) or isinstance(found, CutShort),
    }


def _rises(rows: Iterable[ComparedResource], name: str) -> list[ComparedResource]:
    """Those of which a number rose, the largest rise first, then by rank."""
    number = attrgetter(name)
    return sorted((one for one in rows if number(one) > 0), key=number, reverse=True)


def _falls(rows: Iterable[ComparedResource], name: str) -> list[ComparedResource]:
    number = attrgetter(name)
    return sorted((one for one in rows if number(one) < 0), key=number)


def _section(title: str, rows: Sequence[ComparedResource], *, has_links: bool) -> Section:
    shown = [_row(one, has_links=has_links) for one in rows[:SHOWN]]
    return Section(title, shown, len(rows) > SHOWN or isinstance(rows, CutShort))


def _row(one: ComparedResource, *, has_links: bool) -> dict[str, Any]:
    resource = one.resource
    return {
        "name": recording_link(resource) if has_links else resource.title or resource.dsp_id,
        "artists": resource.artists,
        "dsp": resource.dsp,
        "ranks": [one.rank_before, one.rank, one.rank_change],
        "cells": change_cells(one),
        "incomplete": incomplete_in(one),
    }


# --- Export ----------------------------------------------------------------------------------------------------

DESCRIBED = ("dsp", "dsp_id", "title", "artists", "isrc")
RANKS = ("rank_before", "rank", "rank_change")


def exported_recordings(asked: ResourceComparison) -> Table:
    """The recordings of the top by rank, then those that are gone."""
    return Table((*DESCRIBED, *RANKS, "is_new", "is_gone", *COLUMNS), _exported_rows(asked), amounts=AMOUNTS)


def _exported_rows(asked: ResourceComparison) -> Iterator[tuple[Any, ...]]:
    for show in Show:
        listed, after = replace(asked, show=show), 0
        while page := resource_comparison(asked=listed, after=after, limit=PAGE_ROWS):
            for one in page:
                described = (getattr(one.resource, name) for name in DESCRIBED)
                ranks = (getattr(one, name) for name in RANKS)
                yield (*described, *ranks, one.is_new, one.now is None, *change_values(one))
            after = page[-1].place or 0
