"""Registering the resources of DSRs in the catalogue, and removing what only deleted DSRs reported.

DSRs are registered after their import, in a transaction of their own: the questions about money need only lines. For
each DSP, the resources are exactly those that its catalogued DSRs report, deleted ones included until they are
removed. Title, artists and ISRC are each the value of the most recent line that has one. The most recent line is that
of the most recent DSR (see `DSR.recency`), and in it the line with the greatest number, so the order of imports makes
no difference. One session at a time changes the resources of a DSP.

All steps are set-based. Lines that change nothing are found by an index alone, by two hashes of 64 bits that are equal
only where all texts of a line are.
"""

from collections.abc import Sequence

from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import LATEST, lines_of_dsrs, lines_with_dsp_id, partitions_of
from catalogue.models import DSR, LeftoverLines, Resource, SupersededDSR
from dsrhub.database import locks
from dsrhub.database.planner import analyze_if_changed
from dsrhub.database.statements import execute

# The memory of one sort before it goes to the disk. Sorted lines meet the index in its own order.
WORK_MEM = "64MB"
RESOURCES_TABLE = Resource._meta.db_table
# The texts of lines that describe a resource.
DESCRIBING = ("title", "artists", "isrc")

# The lines of the DSRs that differ from the known resource, or whose resource is not known.
# LIMIT keeps the lookup a lookup: no plan reads all resources to compare them with one DSR.
NEWS = f"""
CREATE TEMP TABLE news ON COMMIT DROP AS
SELECT line.*
FROM (
    SELECT array_position(%(registered)s, dsr_id) AS recency, line_number, dsp_id, title, artists, isrc,
        hashtextextended(dsp_id, 0) AS dsp_id_hash,
        hash_record_extended(ROW(%(dsp)s::text, dsp_id, title, artists, isrc), 1) AS fingerprint
    FROM ({lines_of_dsrs("*", ids="registered")}) AS line
    ORDER BY dsp_id_hash OFFSET 0
) AS line
LEFT JOIN LATERAL (
    SELECT true AS is_known FROM catalogue_resource AS resource
    WHERE resource.dsp_id_hash = line.dsp_id_hash AND resource.fingerprint = line.fingerprint LIMIT 1
) AS known ON true
WHERE is_known IS NULL
"""  # noqa: S608 - no value is in it, here and below

OF_SAME_KEY = """
    resource.dsp_id_hash = news.dsp_id_hash AND resource.dsp_id = news.dsp_id AND resource.dsp = %(dsp)s
"""

# A new resource gets the values of its last line. The next step adds what an earlier line of the same DSRs has.
NEW_RESOURCES = f"""
INSERT INTO catalogue_resource (dsp, dsp_id, title, artists, isrc)
SELECT DISTINCT ON (dsp_id_hash, dsp_id) %(dsp)s, dsp_id, title, artists, isrc
FROM news
LEFT JOIN LATERAL (
    SELECT true AS is_known FROM catalogue_resource AS resource WHERE {OF_SAME_KEY} LIMIT 1
) AS known ON true
WHERE is_known IS NULL
ORDER BY dsp_id_hash, dsp_id, recency DESC, line_number DESC
"""  # noqa: S608

CONTRADICTED = f"""
SELECT DISTINCT resource.place, resource.dsp_id
FROM news CROSS JOIN LATERAL (
    SELECT ctid AS place, * FROM catalogue_resource AS resource WHERE {OF_SAME_KEY} LIMIT 1
) AS resource
WHERE news.title <> coalesce(resource.title, '') OR news.artists <> coalesce(resource.artists, '')
    OR news.isrc <> coalesce(resource.isrc, '')
"""  # noqa: S608
# A resource that a line contradicts takes the values of the DSRs or of more recent ones; what none of them has stays.
# Nobody else changes it meanwhile, so its row is found again by its place, whatever the plan.
CHANGED_RESOURCES = f"""
WITH contradicted AS MATERIALIZED ({CONTRADICTED}),
report AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::integer[], %(own)s::integer[]) WITH ORDINALITY AS dsr (id, partition, recency)
),
storage AS MATERIALIZED (SELECT DISTINCT partition FROM report),
reported AS (
    SELECT contradicted.place, described.*
    FROM contradicted CROSS JOIN LATERAL (
        SELECT {LATEST}
        FROM storage CROSS JOIN LATERAL (
            {lines_with_dsp_id("dsr_id, line_number, title, artists, isrc", key="contradicted")}
        ) AS line
        JOIN report ON report.id = line.dsr_id
    ) AS described
)
UPDATE catalogue_resource AS resource
SET title = coalesce(reported.title, resource.title), artists = coalesce(reported.artists, resource.artists),
    isrc = coalesce(reported.isrc, resource.isrc)
FROM reported
WHERE resource.ctid = reported.place AND (resource.title, resource.artists, resource.isrc) IS DISTINCT FROM (
    coalesce(reported.title, resource.title), coalesce(reported.artists, resource.artists),
    coalesce(reported.isrc, resource.isrc)
)
"""  # noqa: S608

LINES_OF_GONE = lines_of_dsrs("dsp_id", ids="gone", partitions="gone_partitions")
# The resources that deleted DSRs reported, as the remaining DSRs describe them.
REMAINING = f"""
CREATE TEMP TABLE remaining ON COMMIT DROP AS
WITH gone AS MATERIALIZED (
    SELECT DISTINCT hashtextextended(dsp_id, 0) AS dsp_id_hash, dsp_id
    FROM ({LINES_OF_GONE}) AS line
),
report AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::integer[]) WITH ORDINALITY AS dsr (id, recency)
),
line AS (
    SELECT * FROM ({lines_of_dsrs("*")}) AS line JOIN report ON report.id = dsr_id
)
SELECT gone.dsp_id_hash, gone.dsp_id, count(line.line_number) > 0 AS is_reported, {LATEST}
FROM gone LEFT JOIN line ON hashtextextended(line.dsp_id, 0) = gone.dsp_id_hash AND line.dsp_id = gone.dsp_id
GROUP BY gone.dsp_id_hash, gone.dsp_id
"""  # noqa: S608

ORPHANS = """
DELETE FROM catalogue_resource AS resource USING remaining
WHERE NOT is_reported AND resource.dsp_id_hash = remaining.dsp_id_hash AND resource.dsp_id = remaining.dsp_id
    AND resource.dsp = %(dsp)s
"""

DESCRIBED_AGAIN = """
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


def resources_register(dsrs: Sequence[DSR]) -> bool:
    """Register what DSRs of one DSP report, and mark them as catalogued. False where one is gone: the caller then rolls
    back.

    Runs in the caller's transaction, which has locked the DSP.
    """
    registered = sorted(dsrs, key=lambda dsr: dsr.recency)
    dsp, numbers = registered[0].dsp, [dsr.pk for dsr in registered]
    catalogued = DSR.objects.catalogued(dsp).exclude(pk__in=numbers)
    later = [other for other in catalogued if other.recency > registered[0].recency]
    reports = sorted([*registered, *later], key=lambda dsr: dsr.recency)
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    with lines_gathered(DESCRIBING) as lines:
        lines.add_of_dsrs(places_of(registered))
        execute(lines.statement(NEWS), dsp=dsp, partitions=partitions_of(registered), registered=numbers)
        execute(NEW_RESOURCES, dsp=dsp)
        analyze_if_changed(RESOURCES_TABLE)
        lines.add_of_keys(CONTRADICTED, places_of(reports), dsp=dsp)
        own = [report.partition for report in reports]
        execute(lines.statement(CHANGED_RESOURCES), dsp=dsp, own=own, **_dsr_parameters(reports))
    execute("DROP TABLE news")
    uncatalogued = DSR.objects.filter(pk__in=numbers, is_catalogued=False)
    return uncatalogued.update(is_catalogued=True) == len(numbers)


Gone = LeftoverLines | SupersededDSR


def dsps_with_gone() -> list[str]:
    """The DSPs whose resources may be reported by deleted DSRs alone, or by earlier versions."""
    leftovers = LeftoverLines.objects.filter(is_catalogued=True).order_by().values_list("dsp")
    versions = SupersededDSR.objects.filter(is_catalogued=True).order_by().values_list("dsp")
    return sorted(dsp for (dsp,) in leftovers.union(versions))


def gone_of(dsp: str) -> list[Gone]:
    """The deleted DSRs and the earlier versions of a DSP whose resources are still in the catalogue."""
    conditions = {"dsp": dsp, "is_catalogued": True}
    return [*LeftoverLines.objects.filter(**conditions), *SupersededDSR.objects.filter(**conditions)]


def resources_remove(dsp: str, gone: Sequence[Gone]) -> None:
    """Remove the resources that only deleted DSRs and earlier versions of a DSP reported, and describe the others by
    the remaining DSRs.

    Runs in the caller's transaction, which has locked the DSP.
    """
    numbers = [one.dsr_number for one in gone]
    analyze_if_changed(RESOURCES_TABLE)
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    remaining = sorted(DSR.objects.catalogued(dsp), key=lambda dsr: dsr.recency)
    of_gone = {"gone": numbers, "gone_partitions": sorted({one.partition for one in gone})}
    with lines_gathered(DESCRIBING) as lines:
        lines.add_of_dsrs([(one.dsr_number, one.partition) for one in gone])
        lines.add_of_keys(LINES_OF_GONE, places_of(remaining), **of_gone)
        execute(lines.statement(REMAINING), **of_gone, **_dsr_parameters(remaining))
    execute(ORPHANS, dsp=dsp)
    execute(DESCRIBED_AGAIN, dsp=dsp)
    execute("DROP TABLE remaining")
    LeftoverLines.objects.filter(dsr_number__in=numbers).update(is_catalogued=False)
    SupersededDSR.objects.filter(pk__in=numbers).update(is_catalogued=False)


def _dsr_parameters(reports: Sequence[DSR]) -> dict[str, list[int]]:
    return {
        "ids": [report.pk for report in reports],
        "partitions": partitions_of(reports),
    }
