"""Title, artists and ISRC of ranked resources: as all DSRs of their DSPs describe them, in one state of these.

The catalogue of resources has them, where it is up to date with just these DSRs. Where it is not, lines have the last
word.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from catalogue.lines.gathering import Place, lines_gathered, places_of
from catalogue.lines.lookups import LATEST, RECENCY, lines_of_dsrs, lines_with_dsp_id, partitions_of
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.rows import RANKED, ROW, SHARED_TABLE, RankingTask
from dsrhub.database.statements import execute, rows_of


def describing_parameters(task: RankingTask) -> dict[str, Any]:
    """The parameters of all statements below."""
    dsr_counts = Counter(dsr.dsp for dsr in task.describing)
    return {
        "describing": [dsr.id for dsr in task.describing],
        "describing_partitions": partitions_of(task.describing),
        "described": list(dsr_counts.keys()),
        "dsr_counts": list(dsr_counts.values()),
    }


REPORT = f"""(
    SELECT id, dsp, partition, row_number() OVER (ORDER BY {RECENCY}) AS recency
    FROM catalogue_dsr WHERE id = ANY(%(describing)s)
)"""  # noqa: S608 - no value is in it, here and below

# --- A few resources, one by one -------------------------------------------------------------------------------

# The DSPs whose resources the catalogue describes by just the DSRs of the question: in the snapshot of the statement
# the DSP has no other DSR, all of them are registered, and the resources of deleted and superseded ones are removed.
CATALOGUED = """ARRAY(
    SELECT described.dsp FROM unnest(%(described)s::text[], %(dsr_counts)s::bigint[]) AS described (dsp, dsr_count)
    JOIN catalogue_dsr AS dsr ON dsr.dsp = described.dsp AND status = 'ingested'
    WHERE NOT EXISTS (SELECT FROM catalogue_leftoverlines AS gone WHERE gone.dsp = described.dsp AND is_catalogued)
        AND NOT EXISTS (SELECT FROM catalogue_supersededdsr AS gone WHERE gone.dsp = described.dsp AND is_catalogued)
    GROUP BY described.dsp, dsr_count HAVING count(*) = dsr_count AND bool_and(is_catalogued)
)"""

DESCRIBED_ONE_BY_ONE = f"""
LEFT JOIN LATERAL (
    SELECT title, artists, isrc FROM catalogue_resource AS known
    WHERE known.dsp_id_hash = hashtextextended(ranked.dsp_id, 0) AND known.dsp_id = ranked.dsp_id
        AND known.dsp = ranked.dsp AND known.dsp = ANY({CATALOGUED})
    UNION ALL
    SELECT {LATEST}
    FROM (SELECT DISTINCT partition FROM {REPORT} AS report WHERE report.dsp = ranked.dsp) AS storage
    CROSS JOIN LATERAL (
        {
    lines_with_dsp_id("dsr_id, line_number, title, artists, isrc", key="ranked", partitions="describing_partitions")
}
    ) AS line
    JOIN {REPORT} AS report ON report.id = line.dsr_id AND report.dsp = ranked.dsp
    HAVING ranked.dsp <> ALL({CATALOGUED})
) AS described ON true
"""  # noqa: S608

# --- Many resources, all at once -------------------------------------------------------------------------------

# How the catalogue differs from the DSRs of the question: DSRs that are not registered, and others whose resources are
# in it: deleted and superseded ones, and those that were imported since.
BEHIND = """
SELECT id, dsp, partition, is_catalogued AS is_other FROM catalogue_dsr
WHERE dsp = ANY(%(described)s) AND status = 'ingested' AND is_catalogued <> (id = ANY(%(describing)s))
UNION ALL
SELECT dsr_number, dsp, partition, true FROM catalogue_leftoverlines WHERE dsp = ANY(%(described)s) AND is_catalogued
UNION ALL
SELECT id, dsp, partition, true FROM catalogue_supersededdsr WHERE dsp = ANY(%(described)s) AND is_catalogued
"""
# The condition that it differs by no more than that, in the snapshot of a statement.
NO_FURTHER_BEHIND = f"(SELECT NOT EXISTS (SELECT FROM ({BEHIND}) AS one WHERE id <> ALL(%(behind)s)))"  # noqa: S608

KNOWN = """
LEFT JOIN catalogue_resource AS known
    ON known.dsp_id_hash = hashtextextended(resource.dsp_id, 0) AND known.dsp_id = resource.dsp_id
        AND known.dsp = resource.dsp
"""
DESCRIBED_BY_CATALOGUE = f"""
SELECT resource.*, known.title, known.artists, known.isrc FROM {{resources}} AS resource {KNOWN}
"""  # noqa: S608

# What other DSRs report is described by lines, and of DSRs that are not registered, what differs from the catalogue.
DESCRIBED_BY_LINES = f"""
WITH contested AS MATERIALIZED (
    SELECT DISTINCT resource.dsp, resource.dsp_id
    FROM (
        {lines_of_dsrs("dsr_id, dsp_id, title, artists, isrc", ids="behind", partitions="behind_partitions")}
    ) AS line
    JOIN unnest(%(behind)s::integer[], %(behind_dsps)s::text[], %(are_other)s::boolean[]) AS dsr (id, dsp, is_other)
        ON dsr.id = line.dsr_id
    JOIN {{resources}} AS resource ON resource.dsp_id = line.dsp_id AND resource.dsp = dsr.dsp
    {KNOWN}
    WHERE is_other OR known.dsp_id IS NULL OR line.title <> coalesce(known.title, '')
        OR line.artists <> coalesce(known.artists, '') OR line.isrc <> coalesce(known.isrc, '')
),
reported AS (
    SELECT report.dsp, dsp_id, {LATEST}
    FROM ({lines_of_dsrs("*", ids="contesting", partitions="contesting_partitions")}) AS line
    JOIN {REPORT} AS report ON report.id = line.dsr_id
    JOIN contested USING (dsp, dsp_id)
    GROUP BY report.dsp, dsp_id
)
SELECT resource.*,
    CASE WHEN reported.dsp_id IS NULL THEN known.title ELSE reported.title END AS title,
    CASE WHEN reported.dsp_id IS NULL THEN known.artists ELSE reported.artists END AS artists,
    CASE WHEN reported.dsp_id IS NULL THEN known.isrc ELSE reported.isrc END AS isrc
FROM {{resources}} AS resource {KNOWN}
LEFT JOIN reported ON reported.dsp_id = resource.dsp_id AND reported.dsp = resource.dsp
"""  # noqa: S608

# Rows are written in the order of their rank.
RANK_ALL = f"""
SELECT {ROW} FROM ({RANKED.format("({described})")}) AS ranked
WHERE {NO_FURTHER_BEHIND} AND (%(reached)s IS NULL OR running - revenue < %(reached)s)
"""  # noqa: S608


def ranked_insert(task: RankingTask, table: str, resources: str, *, reached: Decimal | None = None) -> int:
    """Rank and describe resources, those before which the running sum is below `reached`, and return their number.

    `resources` is a table or a query, with one resource at least. Any table but the shared one is created.
    """
    parameters = {**task.parameters, **describing_parameters(task), "reached": reached}
    row_count = 0
    # No row is written where the catalogue has changed since it was asked how far it is behind.
    while not row_count:
        behind = [Behind._make(row) for row in rows_of(BEHIND, **parameters)]
        described = (DESCRIBED_BY_LINES if behind else DESCRIBED_BY_CATALOGUE).format(resources=resources)
        statement = RANK_ALL.format(described=described)
        with lines_gathered(["title", "artists", "isrc"]) as lines:
            # Without any that is behind, no lines are read.
            lines.add_of_keys(f"SELECT dsp_id FROM {resources} AS resource", _describing_places(behind, task))  # noqa: S608
            row_count = _insert(table, lines.statement(statement), **parameters, **_behind_parameters(behind, task))
    return row_count


class Behind(NamedTuple):
    """A DSR by which the catalogue of resources differs. It has resources of other DSRs than those of the question."""

    id: int
    dsp: str
    partition: int
    is_other: bool


def _contesting(behind: Sequence[Behind], task: RankingTask) -> list[IngestedDSR]:
    """The DSRs that describe the resources of the DSPs where the catalogue is behind."""
    dsps = {one.dsp for one in behind}
    return [dsr for dsr in task.describing if dsr.dsp in dsps]


def _describing_places(behind: Sequence[Behind], task: RankingTask) -> list[Place]:
    return list({*places_of(behind), *places_of(_contesting(behind, task))})


def _behind_parameters(behind: Sequence[Behind], task: RankingTask) -> dict[str, list[Any]]:
    contesting = _contesting(behind, task)
    return {
        "behind": [one.id for one in behind],
        "behind_dsps": [one.dsp for one in behind],
        "behind_partitions": sorted({one.partition for one in behind}),
        "are_other": [one.is_other for one in behind],
        "contesting": [dsr.id for dsr in contesting],
        "contesting_partitions": partitions_of(contesting),
    }


def _insert(table: str, statement: str, **parameters: Any) -> int:
    if table == SHARED_TABLE:
        return execute(f"INSERT INTO {table} {statement}", **parameters)
    row_count = execute(f"CREATE UNLOGGED TABLE {table} AS {statement}", **parameters)
    execute(f"CREATE UNIQUE INDEX ON {table} (ranking, rank)" if row_count else f"DROP TABLE {table}")
    return row_count
