"""Questions about resources: to browse and search the catalogue, and who reports a resource, and how much of it.

An answer is of the DSRs that counted all the while: where one of them went meanwhile, it is asked anew.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar

from catalogue.counting import ALL, Counting, IngestedDSR, arrays_of, counting_dsrs, stand
from catalogue.exceptions import SearchTooWide
from catalogue.kept_rankings import RankedResource
from catalogue.models import LeftoverLines
from catalogue.parsing import plain_isrc
from catalogue.selectors import resource_ranking
from dsrhub.database.statements import rows_of

Answer = TypeVar("Answer")


class ResourceOrder(StrEnum):
    """By title come those without one last; by revenue and by usages the highest first, and none without revenue."""

    TITLE = "title"
    DSP_ID = "dsp_id"
    REVENUE = "revenue"
    USAGES = "usages"


@dataclass(frozen=True)
class ResourceSearch:
    """What is looked for. Words are those of title and artists, each by its beginning; amounts are sums in EUR."""

    dsp_id: str | None = None
    isrc: str | None = None
    words: str | None = None
    min_revenue: Decimal | None = None
    min_usages: int | None = None
    counting: Counting = ALL
    order: ResourceOrder = ResourceOrder.TITLE
    dsp_id_prefix: str | None = None

    @property
    def is_ranking(self) -> bool:
        """Whether a ranking has the answer in its own order."""
        others = (self.dsp_id, self.dsp_id_prefix, self.isrc, self.words, self.min_usages)
        return self.order == ResourceOrder.REVENUE and all(other is None for other in others)

    @property
    def needs_sums(self) -> bool:
        by_sum = self.order in (ResourceOrder.REVENUE, ResourceOrder.USAGES)
        return by_sum or self.min_revenue is not None or self.min_usages is not None


class ResourceKey(NamedTuple):
    dsp: str
    dsp_id: str


@dataclass(frozen=True)
class ResourceSums:
    """What a resource comes to over the DSRs that count. What has no value is None; `revenue_eur` is exact."""

    usages: int | None
    revenue_eur: Decimal | None
    report_count: int


@dataclass
class FoundResource:
    """A resource, with the DSRs that count for its sums, and its place in the order of the answer."""

    dsp: str
    dsp_id: str
    title: str | None
    artists: str | None
    isrc: str | None
    counting: Counting
    place: tuple[Any, ...] = ()
    sums: ResourceSums | None = None

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.dsp, self.dsp_id)


@dataclass
class TopResource:
    """A resource by its rank, and how many per cent of all revenue it and those before it have."""

    rank: int
    revenue_eur: Decimal
    cumulative_share: Decimal
    resource: FoundResource


@dataclass
class ResourceReport:
    """What a DSR reports of a resource. `revenue` is in the DSR's currency; what has no value is None."""

    dsr_id: int
    usages: int | None
    revenue: Decimal | None
    revenue_eur: Decimal | None


@dataclass
class ResourceDescription:
    """What some lines of a DSR call a resource, how many they are, and the numbers of the first of them."""

    dsr_id: int
    title: str | None
    artists: str | None
    isrc: str | None
    line_count: int
    lines: list[int]


def _consistently(counting: Counting, answer: Callable[[Sequence[IngestedDSR]], Answer]) -> Answer:
    """An answer from the lines of the DSRs that count."""
    while True:
        dsrs = counting_dsrs(counting)
        found = answer(dsrs)
        if stand(dsrs):
            return found


# Wide enough for any sum: zeros behind the last decimal go, and nothing else.
WIDE = Context(prec=500)

# --- Browsing and searching ------------------------------------------------------------------------------------

# Where the DSRs that count have no more lines than these, all that they report is added up; or so many resources.
FEW_LINES, FEW_RESOURCES = 20_000, 1_000

# Behind all titles comes what has none: the greatest character, which is no letter.
LOWER_TITLE = """(coalesce(lower(left(title, 100)), U&'\\+10FFFF') COLLATE "C")"""
# The first two are what the indexes of the catalogue are made of.
ORDERS = {
    ResourceOrder.TITLE: f"""{LOWER_TITLE}, id""",
    ResourceOrder.DSP_ID: "left(dsp_id, 100), id",
    ResourceOrder.REVENUE: "(-revenue_eur), left(dsp_id, 100), id",
    ResourceOrder.USAGES: "(-usages), left(dsp_id, 100), id",
}
WORDS = "to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(artists, ''))"

REPORTING = """
dsr AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[], %(own)s::integer[])
        AS dsr (id, dsp, rate, partition)
),
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM dsr)
"""
# The lines of `resource`. OFFSET 0 keeps the lookup by the index of dsp_id a lookup.
LINES_WITH = """
storage CROSS JOIN LATERAL (
    SELECT dsr_id, {columns} FROM catalogue_usageline
    WHERE partition = storage.partition AND partition = ANY(%(partitions)s) AND dsr_id + 0 = ANY(%(ids)s)
        AND hashtextextended(dsp_id, 0) = hashtextextended(resource.dsp_id, 0) AND dsp_id = resource.dsp_id
    OFFSET 0
) AS line
JOIN dsr ON dsr.id = line.dsr_id AND dsr.dsp = resource.dsp
"""
LINES = LINES_WITH.format(columns="usages, revenue")
SUMS = f"""
SELECT sum(usages) AS usages, sum(revenue_eur) AS revenue_eur, count(*) AS report_count
FROM (
    SELECT sum(line.usages) AS usages, catalogue_eur(sum(line.revenue), dsr.rate) AS revenue_eur
    FROM {LINES} WHERE storage.dsp = resource.dsp GROUP BY dsr.id, dsr.rate
) AS report
"""  # noqa: S608 - no value is in it, here and below

COLUMNS = "dsp, dsp_id, title, artists, isrc"
# The inner query walks the order, and only until enough are found that are reported.
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

# What is found among few, with its sums; and all that have revenue, with theirs.
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
COUNT_SOME = """
SELECT count(*) FROM (SELECT FROM catalogue_resource WHERE {conditions} LIMIT %(few)s + 1) AS resource
"""
OF_FEW_LINES = """
(dsp, dsp_id_hash, dsp_id) IN (
    SELECT dsr.dsp, hashtextextended(line.dsp_id, 0), line.dsp_id
    FROM catalogue_usageline AS line JOIN dsr ON dsr.id = line.dsr_id
    WHERE line.partition = ANY(%(partitions)s) AND line.dsr_id = ANY(%(ids)s)
)
"""


def resource_list(*, search: ResourceSearch, after: tuple[Any, ...] | None, limit: int) -> list[FoundResource]:
    """The next `limit` resources behind a place, of those that a DSR that counts reports.

    Raises SearchTooWide.
    """
    order, values = ORDERS[search.order], {"limit": limit, **_place_values(after)}
    if search.needs_sums:
        conditions = _and(*_least(search), *_behind(search, after))
        rows = _with_sums(search, SELECT_FOUND.format(conditions=conditions, order=order), **values)
        return [_found(search, row[:5], row[8:], _sums(row[5:8])) for row in rows]
    rows = _walked(search, partial(WALK.format, conditions=_and(*_behind(search, after)), order=order), **values)
    return [_found(search, row[:5], row[5:]) for row in rows]


def resource_find(*, search: ResourceSearch, most: int) -> list[FoundResource]:
    """At most so many of the resources that a text finds, in the order of the search.

    Where there are more, it is open which: to sort all that have a frequent word takes seconds.
    """

    def answer(dsrs: Sequence[IngestedDSR]) -> list[tuple[Any, ...]]:
        conditions = [*_wanted(search), *(_of_few_lines(dsrs) if search.counting != ALL else [])]
        is_reported = IS_REPORTED if _has_unreported(search) else "true"
        source = FIRST_RESOURCES.format(conditions=_and(*conditions), is_reported=is_reported)
        order = ORDERS[search.order]
        text = WALK.format(order=order, source=source, conditions="true", is_reported="true")
        return rows_of(text, **arrays_of(dsrs), **_values(search), limit=most)

    return [_found(search, row[:5], row[5:]) for row in _consistently(search.counting, answer)]


def resource_count(*, search: ResourceSearch) -> int:
    """How many resources are found in all. Raises SearchTooWide."""
    if search.needs_sums:
        return int(_with_sums(search, COUNT_FOUND.format(conditions=_and(*_least(search))))[0][0])
    return int(_walked(search, COUNT_WALK.format)[0][0])


def _walked(search: ResourceSearch, statement: Callable[..., str], **values: Any) -> list[tuple[Any, ...]]:
    """Rows of a statement about all resources that are reported, or about what the indexes find of them."""

    def answer(dsrs: Sequence[IngestedDSR]) -> list[tuple[Any, ...]]:
        conditions = [*_wanted(search), *(_of_few_lines(dsrs) if search.counting != ALL else [])]
        # What is found is in no order yet, lest the order be walked to find it.
        source = SOME_RESOURCES.format(conditions=_and(*conditions)) if conditions else ALL_RESOURCES
        text = statement(source=source, is_reported=IS_REPORTED if _has_unreported(search) else "true")
        return rows_of(text, **arrays_of(dsrs), **_values(search), **values)

    return _consistently(search.counting, answer)


def _has_unreported(search: ResourceSearch) -> bool:
    """Whether a resource may be reported by no DSR that counts: what deleted ones reported goes a little later."""
    return search.counting != ALL or LeftoverLines.objects.filter(is_catalogued=True).exists()


def _with_sums(search: ResourceSearch, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Rows of a statement about what is found with its sums: added up where it is little, or else from a ranking."""

    def answer(dsrs: Sequence[IngestedDSR]) -> list[tuple[Any, ...]]:
        candidates = [*_wanted(search), *_of_few_lines(dsrs)]
        if not candidates:
            return _ranked(search, statement, **values)
        if not _of_few_lines(dsrs):
            _refuse_many(search)
        parameters = {**arrays_of(dsrs), **_values(search), **values}
        return rows_of(ADDED_UP.format(candidates=_and(*candidates)) + statement, **parameters)

    return _consistently(search.counting, answer)


def _ranked(search: ResourceSearch, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with resource_ranking(percentile=100, counting=search.counting) as ranking:
        parameters = {"ranking": ranking.number, "count": ranking.count, **_values(search), **values}
        return rows_of(RANKED.format(table=ranking.table) + statement, **parameters)


def _refuse_many(search: ResourceSearch) -> None:
    statement = COUNT_SOME.format(conditions=_and(*_wanted(search)))
    ((count,),) = rows_of(statement, **_values(search), few=FEW_RESOURCES)
    if count > FEW_RESOURCES:
        raise SearchTooWide(
            f"More than {FEW_RESOURCES} resources would have to be added up: narrow the search.", limit=FEW_RESOURCES
        )


def _of_few_lines(dsrs: Sequence[IngestedDSR]) -> list[str]:
    return [OF_FEW_LINES] if sum(dsr.line_count for dsr in dsrs) <= FEW_LINES else []


def _wanted(search: ResourceSearch) -> list[str]:
    """What the catalogue's indexes find."""
    conditions = {
        "left(dsp_id, 100) = left(%(dsp_id)s, 100) AND dsp_id = %(dsp_id)s": search.dsp_id,
        "left(dsp_id, 100) ^@ left(%(prefix)s, 100) AND dsp_id ^@ %(prefix)s": search.dsp_id_prefix,
        """left(isrc, 15) COLLATE "C" = left(%(isrc)s, 15) AND isrc = %(isrc)s""": search.isrc,
        f"{WORDS} @@ to_tsquery('simple', %(words)s)": search.words,
    }
    return [condition for condition, value in conditions.items() if value is not None]


def _least(search: ResourceSearch) -> list[str]:
    """What the sums must be. A ranking has only what has revenue, so nothing else is there without one either."""
    conditions = {
        "revenue_eur IS NOT NULL": True,
        "revenue_eur >= %(min_revenue)s": search.min_revenue is not None,
        "usages >= %(min_usages)s": search.min_usages is not None,
        "usages IS NOT NULL": search.order == ResourceOrder.USAGES,
    }
    return [condition for condition, is_asked in conditions.items() if is_asked]


def _behind(search: ResourceSearch, after: tuple[Any, ...] | None) -> list[str]:
    if after is None:
        return []
    return [f"({ORDERS[search.order]}) > ({', '.join(f'%({name})s' for name in _place_values(after))})"]


def _and(*conditions: str) -> str:
    return " AND ".join(conditions) or "true"


def _values(search: ResourceSearch) -> dict[str, Any]:
    return {
        "dsp_id": search.dsp_id,
        "prefix": search.dsp_id_prefix,
        "isrc": None if search.isrc is None else plain_isrc(search.isrc),
        "words": None if search.words is None else _prefixes(search.words),
        "min_revenue": search.min_revenue,
        "min_usages": search.min_usages,
    }


def _prefixes(words: str) -> str:
    """A query for texts that have every word, or one that begins with it. Quoted, no sign has a meaning."""
    quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in words.split())
    return " & ".join(f"'{word}':*" for word in quoted)


def _place_values(after: tuple[Any, ...] | None) -> dict[str, Any]:
    return {f"after_{number}": value for number, value in enumerate(after or ())}


def _found(
    search: ResourceSearch, described: tuple[Any, ...], place: tuple[Any, ...], sums: ResourceSums | None = None
) -> FoundResource:
    dsp, dsp_id, title, artists, isrc = described
    return FoundResource(dsp, dsp_id, title, artists, isrc, search.counting, place, sums)


# --- By rank ---------------------------------------------------------------------------------------------------


def resource_top(*, percentile: int, counting: Counting, after: int, limit: int) -> list[TopResource]:
    """The next `limit` behind a rank of the fewest resources that have `percentile` per cent of all revenue."""
    with resource_ranking(percentile=percentile, counting=counting) as ranking:
        rows = ranking.rows(after_rank=after, limit=limit)
    return [TopResource(one.rank, one.revenue, one.cumulative_share, _of_rank(one, counting)) for one in rows]


def resource_top_count(*, percentile: int, counting: Counting) -> int:
    with resource_ranking(percentile=percentile, counting=counting) as ranking:
        return ranking.count


def resource_ranking_list(*, search: ResourceSearch, after: int, limit: int) -> list[FoundResource]:
    """The next `limit` resources behind a rank, down to the least revenue."""
    top = resource_top(percentile=100, counting=search.counting, after=after, limit=limit)
    return [one.resource for one in top if search.min_revenue is None or one.revenue_eur >= search.min_revenue]


def resource_ranking_count(*, search: ResourceSearch) -> int:
    if search.min_revenue is None:
        return resource_top_count(percentile=100, counting=search.counting)
    return int(_ranked(search, COUNT_FOUND.format(conditions=_and(*_least(search))))[0][0])


def _of_rank(ranked: RankedResource, counting: Counting) -> FoundResource:
    sums = _sums((ranked.usages, ranked.revenue, len(ranked.dsrs)))
    described = (ranked.dsp, ranked.dsp_id, ranked.title, ranked.artists, ranked.isrc)
    return FoundResource(*described, counting, place=(ranked.rank,), sums=sums)


# --- Of the resources of a page --------------------------------------------------------------------------------

ASKED = "unnest(%(resource_dsps)s::text[], %(resource_ids)s::text[]) AS resource (dsp, dsp_id)"
SUMS_OF_ASKED = f"""
WITH {REPORTING} SELECT dsp, dsp_id, sums.* FROM {ASKED} CROSS JOIN LATERAL ({SUMS}) AS sums
"""  # noqa: S608
REPORTS_OF_ASKED = f"""
WITH {REPORTING}
SELECT dsp, dsp_id, report.*
FROM {ASKED} CROSS JOIN LATERAL (
    SELECT dsr.id, sum(line.usages), sum(line.revenue), trim_scale(catalogue_eur(sum(line.revenue), dsr.rate))
    FROM {LINES} WHERE storage.dsp = resource.dsp AND dsr.id > %(after)s
    GROUP BY dsr.id, dsr.rate ORDER BY dsr.id LIMIT %(limit)s
) AS report
"""  # noqa: S608
DESCRIPTIONS_OF_ASKED = f"""
WITH {REPORTING}
SELECT dsp, dsp_id, description.*
FROM {ASKED} CROSS JOIN LATERAL (
    SELECT dsr.id, line.title, line.artists, line.isrc, count(*),
        (array_agg(line.line_number ORDER BY line.line_number))[1:%(lines)s]
    FROM {LINES_WITH.format(columns="line_number, title, artists, isrc")}
    WHERE storage.dsp = resource.dsp AND dsr.id > %(after)s
    GROUP BY dsr.id, line.title, line.artists, line.isrc
    ORDER BY dsr.id, min(line.line_number) LIMIT %(limit)s
) AS description
"""  # noqa: S608


def resource_sums(*, resources: Sequence[ResourceKey], counting: Counting) -> Mapping[ResourceKey, ResourceSums]:
    """What each resource comes to over the DSRs that count."""
    rows = _of_asked(SUMS_OF_ASKED, resources, counting)
    return {ResourceKey(*row[:2]): _sums(row[2:]) for row in rows}


def reports_by_resource(
    *, resources: Sequence[ResourceKey], counting: Counting, after: int, limit: int
) -> Mapping[ResourceKey, list[ResourceReport]]:
    """What the next `limit` DSRs behind the one with id `after`, of those that count, report of each resource."""
    by_resource = defaultdict(list)
    for dsp, dsp_id, dsr_id, usages, *amounts in _of_asked(
        REPORTS_OF_ASKED, resources, counting, after=after, limit=limit
    ):
        by_resource[ResourceKey(dsp, dsp_id)].append(ResourceReport(dsr_id, _whole(usages), *amounts))
    return by_resource


def resource_descriptions(
    *, resource: ResourceKey, counting: Counting, after: int, limit: int, lines: int
) -> list[ResourceDescription]:
    """What the DSRs behind the one with id `after` call a resource, with the numbers of at most so many `lines`."""
    rows = _of_asked(DESCRIPTIONS_OF_ASKED, [resource], counting, after=after, limit=limit, lines=lines)
    return [ResourceDescription(*row[2:]) for row in rows]


def _of_asked(
    statement: str, resources: Sequence[ResourceKey], counting: Counting, **parameters: Any
) -> list[tuple[Any, ...]]:
    asked = {
        "resource_dsps": [resource.dsp for resource in resources],
        "resource_ids": [resource.dsp_id for resource in resources],
    }
    return _consistently(counting, lambda dsrs: rows_of(statement, **arrays_of(dsrs), **asked, **parameters))


def _sums(row: tuple[Any, ...]) -> ResourceSums:
    usages, revenue_eur, report_count = row
    return ResourceSums(_whole(usages), None if revenue_eur is None else revenue_eur.normalize(WIDE), report_count)


def _whole(usages: Decimal | None) -> int | None:
    return None if usages is None else int(usages)
