"""The SQL of lists of resources: walked by an index, added up where they are few, or read from a ranking."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from catalogue.exceptions import SearchTooWide
from catalogue.lines.gathering import Lines, lines_gathered, places_of, reads_lines
from catalogue.lines.lookups import DSRS, TEXTS, dsr_arrays, lines_of_dsrs, lines_with_dsp_id
from catalogue.lines.scope import ALL, IngestedDSR, consistent_answer
from catalogue.ranking.selectors import resource_ranking
from catalogue.resources.found import (
    FoundResource,
    Place,
    ResourceOrder,
    ResourceSearch,
    ResourceSums,
    resource_sums_of,
)
from catalogue.resources.isrcs import searched_isrcs
from catalogue.resources.register import dsps_with_gone
from catalogue.resources.words import words_condition, words_values
from dsrhub.database.pages import converted, page_rows
from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import gettext_lazy as _

# Sums are added up where the DSRs in scope have no more lines, or the search finds no more resources, than these.
FEW_LINES, FEW_RESOURCES = 20_000, 1_000

# A resource without a title comes behind all titles: as the greatest character, which is no letter.
LOWER_TITLE = """(coalesce(lower(left(title, 100)), U&'\\+10FFFF') COLLATE "C")"""
# The first two are the expressions of the catalogue's indexes.
ORDERS = {
    ResourceOrder.TITLE: f"""{LOWER_TITLE}, id""",
    ResourceOrder.DSP_ID: "left(dsp_id, 100), id",
    ResourceOrder.REVENUE: "(-revenue_eur), left(dsp_id, 100), id",
    ResourceOrder.USAGES: "(-usages), left(dsp_id, 100), id",
}

# The DSRs in scope, and their partitions.
REPORTING = f"""
dsr AS MATERIALIZED (SELECT * FROM {DSRS}),
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM dsr)
"""  # noqa: S608 - no value is in it, here and below


def lines_of_resource(columns: str) -> str:
    """The lines of the row `resource` in the DSRs in scope, to follow FROM."""
    return f"""
    storage CROSS JOIN LATERAL ({lines_with_dsp_id(f"dsr_id, {columns}", key="resource", ids="ids")}) AS line
    JOIN dsr ON dsr.id = line.dsr_id AND dsr.dsp = resource.dsp
    """


LINES = lines_of_resource("usages, revenue")
SUMS = f"""
SELECT sum(usages) AS usages, sum(revenue_eur) AS revenue_eur, count(*) AS report_count
FROM (
    SELECT sum(line.usages) AS usages, catalogue_eur(sum(line.revenue), dsr.rate) AS revenue_eur
    FROM {LINES} WHERE storage.dsp = resource.dsp GROUP BY dsr.id, dsr.rate
) AS report
"""  # noqa: S608

COLUMNS = ", ".join(("dsp", *TEXTS))
# The inner query walks the order until enough reported resources are found.
WALK = f"""
WITH {REPORTING}
SELECT resource.* FROM (
    SELECT {COLUMNS}, {{order}} FROM {{source}} WHERE {{conditions}} ORDER BY {{order}} OFFSET 0
) AS resource
WHERE {{is_reported}} LIMIT %(limit)s
"""  # noqa: S608
COUNT_WALK = f"""
WITH {REPORTING} SELECT count(*) FROM {{source}} WHERE {{is_reported}}
"""  # noqa: S608
IS_REPORTED = f"EXISTS (SELECT FROM {LINES} WHERE storage.dsp = resource.dsp)"

# The found resources with their sums: of a few candidates, or of all resources in a ranking.
ADDED_UP = f"""
WITH {REPORTING},
found AS (
    SELECT id, {COLUMNS}, sums.*
    FROM (SELECT * FROM catalogue_resource WHERE {{candidates}} OFFSET 0) AS resource
    CROSS JOIN LATERAL ({SUMS}) AS sums
    WHERE report_count > 0
)
"""  # noqa: S608
RANKED = f"""
WITH found AS (
    SELECT rank AS id, {COLUMNS}, usages, revenue AS revenue_eur, cardinality(dsrs) AS report_count
    FROM {{table}} WHERE ranking = %(ranking)s AND rank <= %(count)s
)
"""  # noqa: S608
SELECT_FOUND = f"""
SELECT {COLUMNS}, usages, revenue_eur, report_count, {{order}}
FROM found WHERE {{conditions}} ORDER BY {{order}} LIMIT %(limit)s
"""  # noqa: S608
COUNT_FOUND = "SELECT count(*) FROM found WHERE {conditions}"
ALL_RESOURCES = "catalogue_resource AS resource"
SOME_RESOURCES = "(SELECT * FROM catalogue_resource WHERE {conditions} OFFSET 0) AS resource"
FIRST_RESOURCES = """
(SELECT * FROM catalogue_resource AS resource WHERE {conditions} AND {is_reported} LIMIT %(limit)s) AS resource
"""
KEYS_OF_SOME = "SELECT dsp_id FROM catalogue_resource WHERE {conditions}"
COUNT_SOME = """
SELECT count(*) FROM (SELECT FROM catalogue_resource WHERE {conditions} LIMIT %(few)s + 1) AS resource
"""
OF_FEW_LINES = f"""
(dsp, dsp_id_hash, dsp_id) IN (
    SELECT dsr.dsp, hashtextextended(line.dsp_id, 0), line.dsp_id
    FROM ({lines_of_dsrs("dsr_id, dsp_id")}) AS line JOIN dsr ON dsr.id = line.dsr_id
)
"""  # noqa: S608


def rows_by_index(search: ResourceSearch, after: Place | None, limit: int) -> list[FoundResource]:
    """The resources behind a place, in the order of an index or of what the indexes find; fewer with long texts."""
    statement = partial(WALK.format, conditions=_and(*_behind(search, after)), order=ORDERS[search.order])
    rows = _walked(search, statement, _listed, limit=limit, **_place_values(after))
    return converted(rows, lambda row: _found(search, row[:5], row[5:]))


def rows_with_sums(search: ResourceSearch, after: Place | None, limit: int) -> list[FoundResource]:
    """The resources behind a place, in the order of their sums or with a least sum. Raises SearchTooWide."""
    conditions = _and(*_smallest_sums(search), *_behind(search, after))
    statement = SELECT_FOUND.format(conditions=conditions, order=ORDERS[search.order])
    rows = _with_sums(search, statement, _listed, limit=limit, **_place_values(after))
    return converted(rows, lambda row: _found(search, row[:5], row[8:], resource_sums_of(*row[5:8])))


def first_rows(search: ResourceSearch, most: int) -> list[FoundResource]:
    """At most `most` of the found resources, in the order of the search.

    Where there are more, it is open which: to sort all resources with a frequent word takes seconds.
    """

    def answer(dsrs: Sequence[IngestedDSR]) -> list[Any]:
        conditions = [*_wanted(search), *(_of_few_lines(dsrs) if search.scope != ALL else [])]
        is_reported = IS_REPORTED if _has_unreported(search) else "true"
        source = FIRST_RESOURCES.format(conditions=_and(*conditions), is_reported=is_reported)
        text = WALK.format(order=ORDERS[search.order], source=source, conditions="true", is_reported="true")
        with _lines_of_found(text, search, dsrs) as lines:
            return _listed(lines.statement(text), **dsr_arrays(dsrs), **_values(search), limit=most)

    return converted(consistent_answer(search.scope, answer), lambda row: _found(search, row[:5], row[5:]))


def count_by_index(search: ResourceSearch) -> int:
    return int(_walked(search, COUNT_WALK.format, rows_of)[0][0])


def count_with_sums(search: ResourceSearch) -> int:
    """Raises SearchTooWide."""
    return int(_with_sums(search, COUNT_FOUND.format(conditions=_and(*_smallest_sums(search))), rows_of)[0][0])


def count_in_ranking(search: ResourceSearch) -> int:
    """The number of ranked resources with the least revenue of the search."""
    return int(_ranked(search, COUNT_FOUND.format(conditions=_and(*_smallest_sums(search))), rows_of)[0][0])


def _listed(statement: str, /, **parameters: Any) -> list[Any]:
    """The rows of a list, cut short where their texts are long."""
    return page_rows(statement, *TEXTS, **parameters)


Read = Callable[..., list[Any]]


def _walked(search: ResourceSearch, statement: Callable[..., str], read: Read, **values: Any) -> list[Any]:
    """The rows of a statement about all reported resources, or about those that the indexes find."""

    def answer(dsrs: Sequence[IngestedDSR]) -> list[Any]:
        conditions = [*_wanted(search), *(_of_few_lines(dsrs) if search.scope != ALL else [])]
        # The inner query has no order, so that the planner does not walk an order to find a few resources.
        source = SOME_RESOURCES.format(conditions=_and(*conditions)) if conditions else ALL_RESOURCES
        text = statement(source=source, is_reported=IS_REPORTED if _has_unreported(search) else "true")
        with _lines_of_found(text, search, dsrs) as lines:
            return read(lines.statement(text), **dsr_arrays(dsrs), **_values(search), **values)

    return consistent_answer(search.scope, answer)


def _has_unreported(search: ResourceSearch) -> bool:
    """Whether the catalogue may have resources that no DSR in scope reports: some stay for a while after a deletion."""
    return search.scope != ALL or bool(dsps_with_gone())


def _with_sums(search: ResourceSearch, statement: str, read: Read, **values: Any) -> list[Any]:
    """The rows of a statement about resources with sums: added up where they are few, else from a ranking."""

    def answer(dsrs: Sequence[IngestedDSR]) -> list[Any]:
        candidates = [*_wanted(search), *_of_few_lines(dsrs)]
        if not candidates:
            return _ranked(search, statement, read, **values)
        if not _of_few_lines(dsrs):
            _refuse_many(search)
        parameters = {**dsr_arrays(dsrs), **_values(search), **values}
        text = ADDED_UP.format(candidates=_and(*candidates)) + statement
        with _lines_of_found(text, search, dsrs) as lines:
            return read(lines.statement(text), **parameters)

    return consistent_answer(search.scope, answer)


@contextmanager
def _lines_of_found(text: str, search: ResourceSearch, dsrs: Sequence[IngestedDSR]) -> Iterator[Lines]:
    """The lines of the resources that a search may find, in the DSRs in scope, if a statement reads any."""
    if not reads_lines(text):
        yield Lines()
        return
    with lines_gathered(["usages", "revenue"]) as lines:
        wanted = _wanted(search)
        if wanted and not _of_few_lines(dsrs):
            lines.add_of_keys(KEYS_OF_SOME.format(conditions=_and(*wanted)), places_of(dsrs), **_values(search))
        else:
            lines.add_of_dsrs(places_of(dsrs))
        yield lines


def _ranked(search: ResourceSearch, statement: str, read: Read, **values: Any) -> list[Any]:
    with resource_ranking(percentile=100, scope=search.scope) as ranking:
        parameters = {"ranking": ranking.number, "count": ranking.count, **_values(search), **values}
        return read(RANKED.format(table=ranking.table) + statement, **parameters)


def _refuse_many(search: ResourceSearch) -> None:
    statement = COUNT_SOME.format(conditions=_and(*_wanted(search)))
    ((count,),) = rows_of(statement, **_values(search), few=FEW_RESOURCES)
    if count > FEW_RESOURCES:
        raise SearchTooWide(
            _("More than %(most)s resources would have to be added up: narrow the search.") % {"most": FEW_RESOURCES},
            limit=FEW_RESOURCES,
        )


def _of_few_lines(dsrs: Sequence[IngestedDSR]) -> list[str]:
    return [OF_FEW_LINES] if sum(dsr.line_count for dsr in dsrs) <= FEW_LINES else []


def _wanted(search: ResourceSearch) -> list[str]:
    """The conditions that the catalogue's indexes answer."""
    conditions = {
        "left(dsp_id, 100) = left(%(dsp_id)s, 100) AND dsp_id = %(dsp_id)s": search.dsp_id,
        "left(dsp_id, 100) ^@ left(%(prefix)s, 100) AND dsp_id ^@ %(prefix)s": search.dsp_id_prefix,
        """left(isrc, 15) COLLATE "C" = ANY(%(isrc_starts)s) AND isrc = ANY(%(isrcs)s)""": search.isrc,
    }
    wanted = [condition for condition, value in conditions.items() if value is not None]
    return wanted if search.words is None else [*wanted, words_condition()]


def _smallest_sums(search: ResourceSearch) -> list[str]:
    """The conditions of the sums. A ranking has only resources with revenue, so the sums must have it too."""
    conditions = {
        "revenue_eur IS NOT NULL": True,
        "revenue_eur >= %(min_revenue)s": search.min_revenue is not None,
        "usages >= %(min_usages)s": search.min_usages is not None,
        "usages IS NOT NULL": search.order == ResourceOrder.USAGES,
    }
    return [condition for condition, applies in conditions.items() if applies]


def _behind(search: ResourceSearch, after: Place | None) -> list[str]:
    if after is None:
        return []
    return [f"({ORDERS[search.order]}) > ({', '.join(f'%({name})s' for name in _place_values(after))})"]


def _and(*conditions: str) -> str:
    return " AND ".join(conditions) or "true"


def _values(search: ResourceSearch) -> dict[str, Any]:
    isrcs = [] if search.isrc is None else searched_isrcs(search.isrc)
    return {
        "dsp_id": search.dsp_id,
        "prefix": search.dsp_id_prefix,
        "isrcs": isrcs,
        "isrc_starts": [isrc[:15] for isrc in isrcs],
        **words_values(search.words),
        "min_revenue": search.min_revenue,
        "min_usages": search.min_usages,
    }


def _place_values(after: Place | None) -> dict[str, Any]:
    return {f"after_{number}": value for number, value in enumerate(after or ())}


def _found(
    search: ResourceSearch, described: tuple[Any, ...], place: Place, sums: ResourceSums | None = None
) -> FoundResource:
    dsp, dsp_id, title, artists, isrc = described
    return FoundResource(dsp, dsp_id, title, artists, isrc, search.scope, place, sums)
