"""Reading whole tables of lines, so that they are in memory."""

from psycopg2 import sql

from catalogue.lines import layout
from catalogue.lines.storage import SHARED_TABLE, partition_name
from catalogue.models import SHARED_PARTITION
from dsrhub.database.statements import composed, rows_of

# Those of the latest periods come first, and of one period those with the most revenue.
PARTITIONS = """
SELECT partition, coalesce(pg_relation_size(to_regclass(
    CASE partition WHEN %(shared)s THEN %(shared_table)s ELSE 'catalogue_usageline_' || partition END
)), 0)
FROM catalogue_dsr WHERE status = 'ingested'
GROUP BY partition ORDER BY max(period_end) DESC, sum(total_revenue / exchange_rate) DESC, partition
"""


def partitions_within(size: int) -> list[int]:
    """The partitions whose lines together take at most `size` bytes on disk. Any that is too large is left out.

    On a cluster there are none: the memory is that of the coordinator, which has no lines.
    """
    partitions: list[int] = []
    if layout.are_spread():
        return partitions
    for partition, partition_size in rows_of(PARTITIONS, shared=SHARED_PARTITION, shared_table=SHARED_TABLE):
        if partition_size <= size:
            size -= partition_size
            partitions.append(partition)
    return partitions


def partition_read(partition: int) -> None:
    """Read the lines of a partition and its index of dsp_id, from their beginning to their end.

    A disk does this many times faster than it finds the same pages one by one.
    """
    name = SHARED_TABLE if partition == SHARED_PARTITION else partition_name(partition)
    # No index has the texts. To count the rows, PostgreSQL reads the smallest index, which is that of dsp_id.
    for counted in ("*", "dsp_id"):
        rows_of(composed("SELECT count({}) FROM {}", sql.SQL(counted), sql.Identifier(name)))
