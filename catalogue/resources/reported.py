"""Who reports the resources of a page, and how much of each: by one query for all of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import RECENCY, dsr_arrays, latest, lines_with_dsp_id
from catalogue.lines.scope import IngestedDSR, Scope, consistent_answer
from catalogue.resources.browsing import LINES, REPORTING, SUMS, lines_of_resource
from catalogue.resources.found import ResourceKey, ResourceSums, resource_sums_of, whole_number
from dsrhub.database.statements import rows_of


@dataclass
class ResourceReport:
    """What a DSR reports of a resource. `revenue` is in the DSR's currency; what has no value is None."""

    dsr_id: int
    usages: int | None
    revenue: Decimal | None
    revenue_eur: Decimal | None


@dataclass
class ResourceDescription:
    """One way in which a DSR reports a resource, the number of such lines, and the numbers of the first of them."""

    dsr_id: int
    title: str | None
    artists: str | None
    isrc: str | None
    line_count: int
    lines: list[int]


@dataclass
class ResourceFacts:
    """What only messages tell of a resource, each the most recent value. What has no value is None.

    `isrcs` are all ISRCs of a line that has several. Composers and ISRCs are separated by `|`.
    """

    iswc: str | None = None
    composers: str | None = None
    label: str | None = None
    icpn: str | None = None
    isrcs: str | None = None


@dataclass
class SumsByTerritory:
    """The sums of a resource over the DSRs in scope: in all, and in each territory that reports it, by its code."""

    total: ResourceSums
    territories: dict[str, ResourceSums]


FACTS = ("iswc", "composers", "label", "icpn", "isrcs")
# What the statements below read of lines.
COLUMNS = ("usages", "revenue", "title", "artists", "isrc", *FACTS)

RESOURCES = "unnest(%(resource_dsps)s::text[], %(resource_ids)s::text[]) AS resource (dsp, dsp_id)"
SUMS_OF_EACH = f"""
WITH {REPORTING} SELECT dsp, dsp_id, sums.* FROM {RESOURCES} CROSS JOIN LATERAL ({SUMS}) AS sums
"""  # noqa: S608
# The row without a territory has the sums of all. There is one, too, where no DSR reports the resource.
TERRITORIES_OF_EACH = f"""
WITH {REPORTING}
SELECT dsp, dsp_id, group_sums.*
FROM {RESOURCES} CROSS JOIN LATERAL (
    SELECT kept.territory_id, sum(usages), sum(revenue_eur), count(*)
    FROM (
        SELECT dsr.id, sum(line.usages) AS usages, catalogue_eur(sum(line.revenue), dsr.rate) AS revenue_eur
        FROM {LINES} WHERE storage.dsp = resource.dsp GROUP BY dsr.id, dsr.rate
    ) AS report
    JOIN (SELECT id, territory_id FROM catalogue_dsr WHERE id = ANY(%(ids)s)) AS kept USING (id)
    GROUP BY GROUPING SETS ((kept.territory_id), ()) ORDER BY kept.territory_id
) AS group_sums
"""  # noqa: S608
REPORTS_OF_EACH = f"""
WITH {REPORTING}
SELECT dsp, dsp_id, report.*
FROM {RESOURCES} CROSS JOIN LATERAL (
    SELECT dsr.id, sum(line.usages), sum(line.revenue), trim_scale(catalogue_eur(sum(line.revenue), dsr.rate))
    FROM {LINES} WHERE storage.dsp = resource.dsp AND (%(after)s IS NULL OR dsr.id > %(after)s)
    GROUP BY dsr.id, dsr.rate ORDER BY dsr.id LIMIT %(limit)s
) AS report
"""  # noqa: S608
DESCRIPTIONS_OF_EACH = f"""
WITH {REPORTING}
SELECT dsp, dsp_id, description.*
FROM {RESOURCES} CROSS JOIN LATERAL (
    SELECT dsr.id, line.title, line.artists, line.isrc, count(*),
        (array_agg(line.line_number ORDER BY line.line_number))[1:%(lines)s]
    FROM {lines_of_resource("line_number, title, artists, isrc")}
    WHERE storage.dsp = resource.dsp AND (%(after)s IS NULL OR dsr.id > %(after)s)
    GROUP BY dsr.id, line.title, line.artists, line.isrc
    ORDER BY dsr.id, min(line.line_number) LIMIT %(limit)s
) AS description
"""  # noqa: S608

# Reports that are no messages have none of these values, so their lines are not looked up.
FACTS_OF_EACH = f"""
WITH report AS MATERIALIZED (
    SELECT id, dsp, partition, row_number() OVER (ORDER BY {RECENCY}) AS recency
    FROM catalogue_dsr WHERE id = ANY(%(ids)s) AND message_id IS NOT NULL
),
storage AS MATERIALIZED (SELECT DISTINCT dsp, partition FROM report)
SELECT resource.dsp, resource.dsp_id, facts.*
FROM {RESOURCES} CROSS JOIN LATERAL (
    SELECT {latest(*FACTS)}
    FROM storage CROSS JOIN LATERAL (
        {lines_with_dsp_id(f"dsr_id, line_number, {', '.join(FACTS)}", key="resource", ids="ids")}
    ) AS line
    JOIN report ON report.id = line.dsr_id AND report.dsp = resource.dsp
    WHERE storage.dsp = resource.dsp
) AS facts
"""  # noqa: S608


def resource_sums(*, resources: Sequence[ResourceKey], scope: Scope) -> Mapping[ResourceKey, ResourceSums]:
    """The sums of each resource over the DSRs in scope."""
    return consistent_answer(scope, lambda dsrs: sums_in_dsrs(resources, dsrs))


def sums_in_dsrs(resources: Sequence[ResourceKey], dsrs: Sequence[IngestedDSR]) -> Mapping[ResourceKey, ResourceSums]:
    """The sums of each resource over these DSRs. The caller makes sure that none of them went meanwhile."""
    rows = _rows_in_dsrs(SUMS_OF_EACH, resources, dsrs)
    return {ResourceKey(*row[:2]): resource_sums_of(*row[2:]) for row in rows}


def resource_territories(*, resource: ResourceKey, scope: Scope) -> SumsByTerritory:
    """The sums of a resource over the DSRs in scope, in all and by territory, from the same state."""
    rows = _rows_of_each(TERRITORIES_OF_EACH, [resource], scope)
    sums = {territory: resource_sums_of(*of_territory) for _dsp, _dsp_id, territory, *of_territory in rows}
    total = sums.pop(None)
    return SumsByTerritory(total, sums)


def resource_facts(*, resources: Sequence[ResourceKey], scope: Scope) -> Mapping[ResourceKey, ResourceFacts]:
    """What the messages of the DSRs in scope tell of each resource."""
    rows = _rows_of_each(FACTS_OF_EACH, resources, scope)
    return {ResourceKey(*row[:2]): ResourceFacts(*row[2:]) for row in rows}


def reports_by_resource(
    *, resources: Sequence[ResourceKey], scope: Scope, after: int | None, limit: int
) -> Mapping[ResourceKey, list[ResourceReport]]:
    """What the next `limit` DSRs in scope behind the DSR with id `after` report of each resource."""
    by_resource = defaultdict(list)
    for dsp, dsp_id, dsr_id, usages, *amounts in _rows_of_each(
        REPORTS_OF_EACH, resources, scope, after=after, limit=limit
    ):
        by_resource[ResourceKey(dsp, dsp_id)].append(ResourceReport(dsr_id, whole_number(usages), *amounts))
    return by_resource


def resource_descriptions(
    *, resource: ResourceKey, scope: Scope, after: int | None, limit: int, lines: int
) -> list[ResourceDescription]:
    """How the DSRs in scope behind the DSR with id `after` report a resource, with up to `lines` line numbers each."""
    rows = _rows_of_each(DESCRIPTIONS_OF_EACH, [resource], scope, after=after, limit=limit, lines=lines)
    return [ResourceDescription(*row[2:]) for row in rows]


def _rows_of_each(statement: str, resources: Sequence[ResourceKey], scope: Scope, **parameters: Any) -> list[Any]:
    return consistent_answer(scope, lambda dsrs: _rows_in_dsrs(statement, resources, dsrs, **parameters))


def _rows_in_dsrs(
    statement: str, resources: Sequence[ResourceKey], dsrs: Sequence[IngestedDSR], **parameters: Any
) -> list[Any]:
    keys = {
        "resource_dsps": [resource.dsp for resource in resources],
        "resource_ids": [resource.dsp_id for resource in resources],
    }
    with lines_gathered(COLUMNS) as lines:
        lines.add_of_keys(f"SELECT dsp_id FROM {RESOURCES}", places_of(dsrs), **keys)  # noqa: S608
        return rows_of(lines.statement(statement), **dsr_arrays(dsrs), **keys, **parameters)
