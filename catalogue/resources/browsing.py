"""The SQL of lists of resources: walked by an index, added up where they are few, or read from a ranking."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from catalogue.exceptions import SearchTooWide
from catalogue.lines.gathering import Lines, batch_sizes, lines_gathered, places_of, reads_lines
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
from dsrhub.database.pages import CutShort, converted, joined, page_rows
from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import gettext_lazy as _

# Sums are added up where the DSRs in scope have no more lines, or the search finds no more resources, than these.
FEW_LINES, FEW_RESOURCES = 20_000, 1_000
# On a cluster, the first batch has this many resources for each place on a page: see `batch_sizes`.
FIRST_BATCH = 4

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
# The place of the last resource of a batch.
END_OF_BATCH = """
SELECT {order} FROM catalogue_resource WHERE {conditions} ORDER BY {order} OFFSET %(size)s - 1 LIMIT 1
"""
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

    def answer(dsrs: Sequence[IngestedDSR]) -> list[Any]:
        walk = Walk(search, dsrs)
        page: list[Any] = []
        for batch in walk.batches(after, limit):
            page = walk.continued(page, batch, limit)
            if len(page) == limit or isinstance(page, CutShort):
                break
        return page

    return converted(consistent_answer(search.scope, answer), lambda row: _found(search, row[:5], row[5:]))


def rows_with_sums(search: ResourceSearch, after: Place | None, limit: int) -> list[FoundResource]:
    """The resources behind a place, in the order of their sums or with a least sum. Raises SearchTooWide."""
    conditions = _and(*_smallest_sums(search), *Batch(after).conditions(search.order))
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
        with _lines_of(text, _few_keys(search, dsrs), dsrs, _values(search)) as lines:
            return _listed(lines.statement(text), **dsr_arrays(dsrs), **_values(search), limit=most)

    return converted(consistent_answer(search.scope, answer), lambda row: _found(search, row[:5], row[5:]))


def count_by_index(search: ResourceSearch) -> int:
    return consistent_answer(search.scope, lambda dsrs: Walk(search, dsrs).count())


def count_with_sums(search: ResourceSearch) -> int:
    """Raises SearchTooWide."""
    return int(_with_sums(search, COUNT_FOUND.format(conditions=_and(*_smallest_sums(search))), rows_of)[0][0])


def count_in_ranking(search: ResourceSearch) -> int:
    """The number of ranked resources with the least revenue of the search."""
    return int(_ranked(search, COUNT_FOUND.format(conditions=_and(*_smallest_sums(search))), rows_of)[0][0])


def _listed(statement: str, /, **parameters: Any) -> list[Any]:
    """The rows of a list, cut short where their texts are long."""
    return page_rows(statement, *TEXTS, **parameters)


def _text_bytes(texts: Sequence[str | None]) -> int:
    return sum(len(text.encode()) for text in texts if text)


Read = Callable[..., list[Any]]


class Batch(NamedTuple):
    """Resources in the order of a list: behind one place, up to another. None is an open end.

    A cluster gathers the lines of its keys, or those of all keys where it has too many.
    """

    after: Place | None = None
    last: Place | None = None
    has_few_keys: bool = False

    def conditions(self, order: ResourceOrder) -> list[str]:
        ends = {f"({ORDERS[order]}) > ({_names(self.after, 'after')})": self.after}
        ends |= {f"({ORDERS[order]}) <= ({_names(self.last, 'last')})": self.last}
        return [condition for condition, place in ends.items() if place is not None]

    def values(self) -> dict[str, Any]:
        return {**_place_values(self.after), **_place_values(self.last, "last")}


class Walk:
    """All resources that the DSRs in scope report, or those that the indexes find."""

    def __init__(self, search: ResourceSearch, dsrs: Sequence[IngestedDSR]) -> None:
        self._search, self._dsrs = search, dsrs
        self._conditions = [*_wanted(search), *(_of_few_lines(dsrs) if search.scope != ALL else [])]
        self._is_reported = IS_REPORTED if _has_unreported(search) else "true"

    def batches(self, after: Place | None, limit: int) -> Iterator[Batch]:
        """The resources behind a place. One after the other is read until a page is full.

        Between two of them, the catalogue may change, as it may between two pages.
        """
        for size in self._sizes(limit):
            last = None if size is None else self._last_of(Batch(after), size)
            yield Batch(after, last, has_few_keys=size is not None)
            if last is None:
                return
            after = last

    def _sizes(self, limit: int) -> Iterable[int | None]:
        """None is all that is left."""
        if self._conditions or not reads_lines(self._is_reported):
            return [None]
        return batch_sizes(first=FIRST_BATCH * limit, most=sum(dsr.line_count for dsr in self._dsrs))

    def _last_of(self, rest: Batch, size: int) -> Place | None:
        """The place of the last of the next resources; None where fewer are left."""
        order = self._search.order
        statement = END_OF_BATCH.format(order=ORDERS[order], conditions=_and(*rest.conditions(order)))
        places = rows_of(statement, size=size, **rest.values())
        return tuple(places[0]) if places else None

    def continued(self, page: list[Any], batch: Batch, limit: int) -> list[Any]:
        """The rows of a page, continued by the next ones of a batch up to the `limit`."""
        order = self._search.order
        statement = partial(WALK.format, conditions=_and(*batch.conditions(order)), order=ORDERS[order])
        read_bytes = sum(_text_bytes(row[1:5]) for row in page)
        rows = self._read(statement, partial(_listed, read_bytes=read_bytes), batch, limit=limit - len(page))
        return joined(page, rows, read_bytes=read_bytes)

    def count(self) -> int:
        return int(self._read(COUNT_WALK.format, rows_of, Batch())[0][0])

    def _read(self, statement: Callable[..., str], read: Read, batch: Batch, **values: Any) -> list[Any]:
        # The inner query has no order, so that the planner does not walk an order to find a few resources.
        source = SOME_RESOURCES.format(conditions=_and(*self._conditions)) if self._conditions else ALL_RESOURCES
        text = statement(source=source, is_reported=self._is_reported)
        keys = batch.conditions(self._search.order) if batch.has_few_keys else _few_keys(self._search, self._dsrs)
        values |= _values(self._search) | batch.values()
        with _lines_of(text, keys, self._dsrs, values) as lines:
            return read(lines.statement(text), **dsr_arrays(self._dsrs), **values)


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
        with _lines_of(text, _few_keys(search, dsrs), dsrs, _values(search)) as lines:
            return read(lines.statement(text), **parameters)

    return consistent_answer(search.scope, answer)


def _few_keys(search: ResourceSearch, dsrs: Sequence[IngestedDSR]) -> list[str] | None:
    """The conditions of the keys whose lines a search needs; None where it needs all, or where these are few."""
    wanted = _wanted(search)
    return wanted if wanted and not _of_few_lines(dsrs) else None


@contextmanager
def _lines_of(
    text: str, keys: Sequence[str] | None, dsrs: Sequence[IngestedDSR], values: dict[str, Any]
) -> Iterator[Lines]:
    """The lines of the DSRs that have keys with these conditions, or all of them, if a statement reads any."""
    if not reads_lines(text):
        yield Lines()
        return
    with lines_gathered(["usages", "revenue"]) as lines:
        if keys is None:
            lines.add_of_dsrs(places_of(dsrs))
        else:
            lines.add_of_keys(KEYS_OF_SOME.format(conditions=_and(*keys)), places_of(dsrs), **values)
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


def _place_values(place: Place | None, name: str = "after") -> dict[str, Any]:
    return {f"{name}_{number}": value for number, value in enumerate(place or ())}


def _names(place: Place | None, name: str) -> str:
    return ", ".join(f"%({one})s" for one in _place_values(place, name))


def _found(
    search: ResourceSearch, described: tuple[Any, ...], place: Place, sums: ResourceSums | None = None
) -> FoundResource:
    dsp, dsp_id, title, artists, isrc = described
    return FoundResource(dsp, dsp_id, title, artists, isrc, search.scope, place, sums)
