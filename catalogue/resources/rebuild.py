"""Rebuilding the whole catalogue of resources from all lines at once.

Where most lines are not registered yet, this takes a fraction of the time of registering DSR by DSR: each line is read
and sorted once, and the indexes are built from sorted rows. The result is the same. The new table is built beside the
one that everybody reads, and replaces it in a moment, all in the caller's transaction.
"""

from collections.abc import Sequence

from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import LATEST, lines_of_dsrs, partitions_of
from catalogue.models import DSR
from dsrhub.database.statements import execute, rows_of

# The memory of one sort before it goes to the disk.
WORK_MEM, INDEX_MEM = "64MB", "128MB"

TABLE = """
CREATE TABLE catalogue_resource_rebuilt
(LIKE catalogue_resource INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES)
"""

REPORTED = f"""
    SELECT hashtextextended(dsp_id, 0) AS dsp_id_hash, dsp_id, recency, line_number, title, artists, isrc
    FROM ({lines_of_dsrs("*", ids=None)}) AS line
    JOIN unnest(%(ids)s::integer[]) WITH ORDINALITY AS dsr (id, recency) ON dsr.id = line.dsr_id
"""  # noqa: S608 - no value is in it, here and below

# Hashes first: numbers are quicker to compare than texts. The table is not temporary, as no temporary table is read in
# parallel.
LAST_LINES = f"""
CREATE UNLOGGED TABLE catalogue_resource_last AS
SELECT DISTINCT ON (dsp_id_hash, dsp_id) dsp_id_hash, dsp_id, title, artists, isrc
FROM ({REPORTED}) AS line
ORDER BY dsp_id_hash, dsp_id, recency DESC, line_number DESC
"""  # noqa: S608

# An earlier line may have what the last line lacks.
EARLIER_LINES = f"""
CREATE UNLOGGED TABLE catalogue_resource_earlier AS
SELECT dsp_id_hash, dsp_id, {LATEST}
FROM (
    SELECT dsp_id_hash, dsp_id FROM catalogue_resource_last
    WHERE title IS NULL OR artists IS NULL OR isrc IS NULL
) AS open
JOIN ({REPORTED}) AS line USING (dsp_id_hash, dsp_id)
GROUP BY dsp_id_hash, dsp_id
"""  # noqa: S608

# A resource keeps its id, by which lists continue.
RESOURCES = """
INSERT INTO catalogue_resource_rebuilt (id, dsp, dsp_id, title, artists, isrc)
SELECT coalesce(known.id, nextval(%(numbers)s)), %(dsp)s, last.dsp_id,
    coalesce(last.title, earlier.title), coalesce(last.artists, earlier.artists), coalesce(last.isrc, earlier.isrc)
FROM catalogue_resource_last AS last
LEFT JOIN catalogue_resource_earlier AS earlier USING (dsp_id_hash, dsp_id)
LEFT JOIN catalogue_resource AS known
    ON known.dsp_id_hash = last.dsp_id_hash AND known.dsp_id = last.dsp_id AND known.dsp = %(dsp)s
"""

NUMBERS = "SELECT pg_get_serial_sequence('catalogue_resource', 'id')"

INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'catalogue_resource'
ORDER BY indexname
"""

# The new table has the same rights.
GRANTS = """
SELECT format('GRANT %s ON catalogue_resource_rebuilt TO %s', privilege_type,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
FROM pg_class CROSS JOIN aclexplode(relacl)
WHERE pg_class.oid = 'catalogue_resource'::regclass AND grantee <> relowner
"""


def resources_rebuild(dsrs: Sequence[DSR]) -> None:
    """Build the table of all resources that the given DSRs report. The caller holds the lock of all resources."""
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'; SET LOCAL maintenance_work_mem = '{INDEX_MEM}'; SET LOCAL jit = off")
    execute(TABLE)
    for dsp in sorted({dsr.dsp for dsr in dsrs}):
        _fill(dsp, sorted((dsr for dsr in dsrs if dsr.dsp == dsp), key=lambda dsr: dsr.recency))
    for name, definition in rows_of(INDEXES):
        kind, _, columns = definition.partition(f" {name} ON ")
        execute(f"{kind} {name}_rebuilt ON catalogue_resource_rebuilt USING {columns.partition(' USING ')[2]}")
    for (grant,) in rows_of(GRANTS):
        execute(grant)
    execute("ANALYZE catalogue_resource_rebuilt")


def _fill(dsp: str, dsrs: Sequence[DSR]) -> None:
    """Add the resources of a DSP, which the given DSRs report. The most recent DSR comes last."""
    reported = {"ids": [dsr.pk for dsr in dsrs], "partitions": partitions_of(dsrs)}
    with lines_gathered(["title", "artists", "isrc"]) as lines:
        lines.add_of_dsrs(places_of(dsrs))
        execute(lines.statement(LAST_LINES), **reported)
        execute("ANALYZE catalogue_resource_last")
        execute(lines.statement(EARLIER_LINES), **reported)
        execute("ANALYZE catalogue_resource_earlier (dsp_id_hash)")
    ((numbers,),) = rows_of(NUMBERS)
    execute(RESOURCES, dsp=dsp, numbers=numbers)
    execute("DROP TABLE catalogue_resource_last, catalogue_resource_earlier")


def resources_replace() -> None:
    """Replace the table that everybody reads by the one that `resources_rebuild` built. Waits for all its readers."""
    execute("LOCK TABLE catalogue_resource IN ACCESS EXCLUSIVE MODE")
    ((next_id,),) = rows_of(f"SELECT nextval(({NUMBERS}))")
    names = [name for name, _ in rows_of(INDEXES)]
    execute("DROP TABLE catalogue_resource")
    execute("ALTER TABLE catalogue_resource_rebuilt RENAME TO catalogue_resource")
    for name in names:
        execute(f"ALTER INDEX {name}_rebuilt RENAME TO {name}")
    execute(
        "ALTER TABLE catalogue_resource "
        "ADD CONSTRAINT catalogue_resource_pkey PRIMARY KEY USING INDEX catalogue_resource_pkey, "
        "ALTER id ADD GENERATED BY DEFAULT AS IDENTITY "
        f"(SEQUENCE NAME catalogue_resource_id_seq START WITH {next_id})"
    )
