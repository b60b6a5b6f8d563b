"""The catalogue of resources: what the ingested DSRs report, each recording once, described by its latest line.

A DSR is registered after it was imported, in a transaction of its own: the questions about money need only its lines.
For each DSP the resources are exactly those that its catalogued DSRs report, deleted ones included until they are
forgotten; title, artists and ISRC are each the value of the latest line that has one. The latest is the line of the
DSR with the latest period end, then period start, then file name, and in it the one with the greatest number, so the
order of imports never matters. One at a time changes the resources of a DSP.

All steps are set-based, and what a new DSR does not change is told from an index alone, by two hashes of 64 bits that
are equal only where all of a line's texts are.
"""

from collections.abc import Sequence

from catalogue.lines.lookups import LATEST
from catalogue.models import DSR, LeftoverLines
from dsrhub.database import locks
from dsrhub.database.statements import execute

# What one step may sort in memory before it goes to the disk. Sorted, the index is met in its own order.
WORK_MEM = "64MB"

# The lines of a DSR that say something else than the resource that is known, or of which none is known.
# LIMIT keeps the lookup a lookup: no plan reads all resources to compare them with one DSR.
NEWS = """
CREATE TEMP TABLE news ON COMMIT DROP AS
SELECT line.*
FROM (
    SELECT line_number, dsp_id, title, artists, isrc, hashtextextended(dsp_id, 0) AS dsp_id_hash,
        hash_record_extended(ROW(%(dsp)s::text, dsp_id, title, artists, isrc), 1) AS fingerprint
    FROM catalogue_usageline WHERE partition = %(partition)s AND dsr_id = %(dsr)s
    ORDER BY dsp_id_hash OFFSET 0
) AS line
LEFT JOIN LATERAL (
    SELECT true AS is_known FROM catalogue_resource AS resource
    WHERE resource.dsp_id_hash = line.dsp_id_hash AND resource.fingerprint = line.fingerprint LIMIT 1
) AS known ON true
WHERE is_known IS NULL
"""

OF_SAME_KEY = """
    resource.dsp_id_hash = news.dsp_id_hash AND resource.dsp_id = news.dsp_id AND resource.dsp = %(dsp)s
"""

# With the values of its last line. What an earlier line of the same DSR adds comes with the next step.
NEW_RESOURCES = f"""
INSERT INTO catalogue_resource (dsp, dsp_id, title, artists, isrc)
SELECT DISTINCT ON (dsp_id_hash, dsp_id) %(dsp)s, dsp_id, title, artists, isrc
FROM news
LEFT JOIN LATERAL (
    SELECT true AS is_known FROM catalogue_resource AS resource WHERE {OF_SAME_KEY} LIMIT 1
) AS known ON true
WHERE is_known IS NULL
ORDER BY dsp_id_hash, dsp_id, line_number DESC
"""  # noqa: S608 - no value is in it

# A resource that a line contradicts takes what the DSR or a later one says; what none of them says stays.
# Nobody else changes it meanwhile, so that its place is known: no plan can go wrong on the way back to it.
CHANGED_RESOURCES = f"""
WITH contradicted AS MATERIALIZED (
    SELECT DISTINCT resource.place, resource.dsp_id, resource.dsp_id_hash
    FROM news CROSS JOIN LATERAL (
        SELECT ctid AS place, * FROM catalogue_resource AS resource WHERE {OF_SAME_KEY} LIMIT 1
    ) AS resource
    WHERE news.title <> coalesce(resource.title, '') OR news.artists <> coalesce(resource.artists, '')
        OR news.isrc <> coalesce(resource.isrc, '')
),
report AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::integer[], %(own)s::integer[]) WITH ORDINALITY AS dsr (id, partition, recency)
),
storage AS MATERIALIZED (SELECT DISTINCT partition FROM report),
said AS (
    SELECT contradicted.place, described.*
    FROM contradicted CROSS JOIN LATERAL (
        SELECT {LATEST}
        FROM storage CROSS JOIN LATERAL (
            SELECT dsr_id, line_number, title, artists, isrc FROM catalogue_usageline
            WHERE partition = storage.partition AND partition = ANY(%(partitions)s)
                AND hashtextextended(dsp_id, 0) = contradicted.dsp_id_hash AND dsp_id = contradicted.dsp_id
            OFFSET 0
        ) AS line
        JOIN report ON report.id = line.dsr_id
    ) AS described
)
UPDATE catalogue_resource AS resource
SET title = coalesce(said.title, resource.title), artists = coalesce(said.artists, resource.artists),
    isrc = coalesce(said.isrc, resource.isrc)
FROM said
WHERE resource.ctid = said.place AND (resource.title, resource.artists, resource.isrc) IS DISTINCT FROM (
    coalesce(said.title, resource.title), coalesce(said.artists, resource.artists), coalesce(said.isrc, resource.isrc)
)
"""  # noqa: S608 - no value is in it

# What deleted DSRs reported, as the DSRs that are left describe it.
LEFT = f"""
CREATE TEMP TABLE remaining ON COMMIT DROP AS
WITH gone AS MATERIALIZED (
    SELECT DISTINCT hashtextextended(dsp_id, 0) AS dsp_id_hash, dsp_id FROM catalogue_usageline
    WHERE partition = ANY(%(gone_partitions)s) AND dsr_id = ANY(%(gone)s)
),
report AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::integer[]) WITH ORDINALITY AS dsr (id, recency)
),
line AS (
    SELECT * FROM catalogue_usageline JOIN report ON report.id = dsr_id
    WHERE partition = ANY(%(partitions)s) AND dsr_id = ANY(%(ids)s)
)
SELECT gone.dsp_id_hash, gone.dsp_id, count(line.line_number) > 0 AS is_reported, {LATEST}
FROM gone LEFT JOIN line ON hashtextextended(line.dsp_id, 0) = gone.dsp_id_hash AND line.dsp_id = gone.dsp_id
GROUP BY gone.dsp_id_hash, gone.dsp_id
"""  # noqa: S608 - no value is in it

ORPHANS = """
DELETE FROM catalogue_resource AS resource USING remaining
WHERE NOT is_reported AND resource.dsp_id_hash = remaining.dsp_id_hash AND resource.dsp_id = remaining.dsp_id
    AND resource.dsp = %(dsp)s
"""

DESCRIBED_ANEW = """
UPDATE catalogue_resource AS resource
SET title = remaining.title, artists = remaining.artists, isrc = remaining.isrc
FROM remaining
WHERE is_reported AND resource.dsp_id_hash = remaining.dsp_id_hash AND resource.dsp_id = remaining.dsp_id
    AND resource.dsp = %(dsp)s
    AND (resource.title, resource.artists, resource.isrc)
        IS DISTINCT FROM (remaining.title, remaining.artists, remaining.isrc)
"""


def dsp_lock(dsp: str) -> None:
    """Let others who change the resources of a DSP wait until this transaction ends."""
    locks.RESOURCES.take(shared=True)
    locks.RESOURCES_OF_DSP.take(dsp=dsp)


def resources_lock() -> None:
    """Let others who change the resources of any DSP wait until this transaction ends."""
    locks.RESOURCES.take()


def resources_register(dsr: DSR) -> bool:
    """Register what a DSR reports, and note that; False where the DSR is gone by now, so that all is to be undone.

    In the caller's transaction, which has locked the DSP.
    """
    catalogued = DSR.objects.catalogued(dsr.dsp).exclude(pk=dsr.pk)
    place = dsr.recency
    later = [other for other in catalogued if other.recency > place]
    reports = [dsr, *sorted(later, key=lambda other: other.recency)]
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    execute(NEWS, dsp=dsr.dsp, partition=dsr.partition, dsr=dsr.pk)
    execute(NEW_RESOURCES, dsp=dsr.dsp)
    execute(CHANGED_RESOURCES, dsp=dsr.dsp, own=[report.partition for report in reports], **_of(reports))
    execute("DROP TABLE news")
    return bool(DSR.objects.filter(pk=dsr.pk, is_catalogued=False).update(is_catalogued=True))


def resources_forget(dsp: str, leftovers: Sequence[LeftoverLines]) -> None:
    """Take away what only deleted DSRs of a DSP reported, and describe the rest by the DSRs that are left.

    In the caller's transaction, which has locked the DSP.
    """
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    execute(
        LEFT,
        gone=[leftover.dsr_number for leftover in leftovers],
        gone_partitions=sorted({leftover.partition for leftover in leftovers}),
        **_of(sorted(DSR.objects.catalogued(dsp), key=lambda dsr: dsr.recency)),
    )
    execute(ORPHANS, dsp=dsp)
    execute(DESCRIBED_ANEW, dsp=dsp)
    execute("DROP TABLE remaining")
    LeftoverLines.objects.filter(pk__in=[leftover.pk for leftover in leftovers]).update(is_catalogued=False)


def _of(reports: Sequence[DSR]) -> dict[str, list[int]]:
    return {
        "ids": [report.pk for report in reports],
        "partitions": sorted({report.partition for report in reports}),
    }
