"""Where lines lie: each large DSR has a table of its own (a partition), all small DSRs share one.

Everything here runs in the caller's transaction, and others see nothing of it before the commit; on a cluster, the
lines of an import come in a transaction of their own before it: see `arriving`. Each statement is executed for itself,
as a cluster refuses several at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum
from psycopg2 import sql

from catalogue.lines import layout
from catalogue.lines.arriving import IN_TRANSACTION, Arrival
from catalogue.models import DSR, SHARED_PARTITION, AbstractDSR, IncomingLines
from catalogue.reports.formats.interface import FIRST_LINE
from catalogue.reports.problems import LONGEST_VALUE
from dsrhub.database import locks
from dsrhub.database.planner import analyze_if_changed
from dsrhub.database.statements import composed, execute, rows_of, wait_for_locks

PARENT = sql.Identifier("catalogue_usageline")
SHARED_TABLE = "catalogue_usageline_shared"
SHARED = sql.Identifier(SHARED_TABLE)
# A sample of 3,000 lines tells the planner enough: no plan depends on more than what is rare or frequent.
STATISTICS_TARGET = 10

# The lines that repeat the dsp_id of an earlier line.
REPEATING = """
FROM (SELECT line_number, dsp_id, row_number() OVER (PARTITION BY dsp_id ORDER BY line_number) AS nth FROM {table})
    AS line WHERE nth > 1
"""

# The loads of which a node may still have a part that it has prepared, and not committed: the cluster commits it later.
# It keeps a record of each part until it knows that the node has committed. A row of IncomingLines and the records of
# its lines are from one transaction.
UNSETTLED_LOADS = """
SELECT DISTINCT load FROM catalogue_incominglines AS lines JOIN pg_dist_transaction AS part ON part.xmin = lines.xmin
"""

# About the size of a line of the shared table, whose indexes have four entries for it.
LINE_BYTES = 300
OWN_BYTES = """
SELECT id, pg_total_relation_size(to_regclass('catalogue_usageline_' || id)) FROM unnest(%(ids)s::integer[]) AS own (id)
"""


@dataclass(frozen=True)
class LineTotals:
    """The totals of a DSR's lines. Blank cells add nothing."""

    line_count: int
    total_usages: Decimal
    total_revenue: Decimal
    lowest_revenue: Decimal | None
    blank_title_count: int
    blank_artists_count: int
    blank_isrc_count: int
    blank_usages_count: int
    blank_revenue_count: int
    blank_isrc_usages: Decimal
    blank_isrc_revenue: Decimal


@dataclass(frozen=True)
class Repeats:
    """How many lines repeat a dsp_id, how many lines the most frequent dsp_id has, and the first of the repeating
    lines: (line number, dsp_id)."""

    line_count: int
    most_repeats: int
    first: list[tuple[int, str]]


class LineLoad:
    """The load of one DSR's lines: a table is created, filled, checked, and attached or emptied into the shared one.

    The table is filled without indexes, which is faster than filling an indexed one. A temporary table, for a small
    DSR or a dry run, is never written to the log. The methods are called in their order.
    """

    def __init__(self, dsr_number: int, *, temporary: bool, arrival: Arrival = IN_TRANSACTION) -> None:
        self.dsr_number = dsr_number
        self._arrival = arrival
        self.partition = SHARED_PARTITION if temporary else dsr_number
        self._table = sql.Identifier(f"usageline_load_{dsr_number}" if temporary else partition_name(dsr_number))
        self._sequence = f"usageline_load_{dsr_number}_line"
        self._create(temporary=temporary)

    def _create(self, *, temporary: bool) -> None:
        # The sequence numbers the lines, so that they can be copied as they were delivered. It belongs to this
        # session: its cache, which saves a look at its page for every line, leaves no gaps.
        self._execute(
            "CREATE TEMP SEQUENCE {sequence} MINVALUE {first} CACHE 1000",
            sequence=sql.Identifier(self._sequence),
            first=sql.Literal(FIRST_LINE),
        )
        # LIKE locks its model until the commit: on the parent, that would keep every partition from being dropped.
        # The check, made as lines come, saves a scan when the table is attached. Autovacuum has nothing to do: lines
        # are copied frozen, are analyzed below, and never change.
        self._execute(
            "CREATE {temporary} TABLE {table} "
            "(LIKE {shared} INCLUDING STORAGE, CONSTRAINT loading CHECK (partition = {partition})) "
            "WITH (autovacuum_enabled = off) {on_commit}",
            temporary=sql.SQL("TEMP" if temporary else ""),
            shared=SHARED,
            partition=sql.Literal(self.partition),
            on_commit=sql.SQL("ON COMMIT DROP" if temporary else ""),
        )
        if not temporary and layout.are_spread():
            self._arrival.distribute(partition_name(self.dsr_number))
        self._arrival.execute_here(
            composed(
                "ALTER TABLE {table} ALTER dsr_id SET DEFAULT {dsr}, ALTER partition SET DEFAULT {partition}, "
                "ALTER line_number SET DEFAULT nextval({sequence})",
                table=self._table,
                dsr=sql.Literal(self.dsr_number),
                partition=sql.Literal(self.partition),
                sequence=sql.Literal(f"pg_temp.{self._sequence}"),
            )
        )

    def copy(self, blocks: Iterator[bytes], columns: tuple[str, ...]) -> None:
        """Load blocks of tab-separated lines. Quotes are data: the quote of the format is 0x01, which never comes.

        Lines are copied frozen, as nobody else sees the table yet: no vacuum has to write them once more. The nodes of
        a cluster cannot do that.
        """
        statement = composed(
            r"COPY {} ({}) FROM STDIN (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', NULL '', ENCODING 'UTF8'{})",
            self._table,
            sql.SQL(", ").join(sql.Identifier(column) for column in columns),
            sql.SQL("" if layout.are_spread() else ", FREEZE"),
        )
        self._arrival.copy(statement, blocks)

    def totals(self) -> LineTotals:
        (row,) = self._rows(
            """
            SELECT count(*), coalesce(sum(usages), 0), coalesce(sum(revenue), 0), min(revenue),
                count(*) - count(title), count(*) - count(artists), count(*) - count(isrc),
                count(*) - count(usages), count(*) - count(revenue),
                coalesce(sum(usages) FILTER (WHERE isrc IS NULL), 0),
                coalesce(sum(revenue) FILTER (WHERE isrc IS NULL), 0)
            FROM {table}
            """
        )
        return LineTotals(*row)

    def repeats(self, *, limit: int) -> Repeats:
        """The lines that repeat the dsp_id of an earlier line. Creates the index of dsp_id."""
        if layout.are_spread():
            return self._repeats_by_grouping(limit)
        if self._index_dsp_id_as_unique():
            return Repeats(0, 1, [])
        self._execute("CREATE INDEX ON {table} (hashtextextended(dsp_id, 0))")
        # Hashes first: numbers are quicker to compare than texts.
        rows = self._rows(
            """
            WITH suspect AS MATERIALIZED (
                SELECT hashtextextended(dsp_id, 0) FROM {table} GROUP BY 1 HAVING count(*) > 1
            )
            SELECT count(*) OVER (), max(nth) OVER (), line_number, left(dsp_id, {shown})
            FROM (
                SELECT line_number, dsp_id, row_number() OVER (PARTITION BY dsp_id ORDER BY line_number) AS nth
                FROM {table} WHERE hashtextextended(dsp_id, 0) IN (SELECT * FROM suspect)
            ) AS line
            WHERE nth > 1 ORDER BY line_number LIMIT {limit}
            """,
            limit=sql.Literal(limit),
            shown=sql.Literal(LONGEST_VALUE),
        )
        count, most = rows[0][:2] if rows else (0, 1)
        return Repeats(count, most, [(line_number, dsp_id) for *_, line_number, dsp_id in rows])

    def _repeats_by_grouping(self, limit: int) -> Repeats:
        """The same, each node for its own lines."""
        self._execute("CREATE INDEX ON {table} (hashtextextended(dsp_id, 0))")
        if not self._rows("SELECT dsp_id FROM {table} GROUP BY dsp_id HAVING count(*) > 1 LIMIT 1"):
            return Repeats(0, 1, [])
        ((count, most),) = self._rows(f"SELECT count(*), max(nth) {REPEATING}")
        first = self._rows(
            f"SELECT line_number, left(dsp_id, {{shown}}) {REPEATING} ORDER BY line_number LIMIT {{limit}}",
            limit=sql.Literal(limit),
            shown=sql.Literal(LONGEST_VALUE),
        )
        return Repeats(count, most, first)

    def _index_dsp_id_as_unique(self) -> bool:
        """Whether no dsp_id is repeated. Creating the index finds out at no cost of its own."""
        try:
            with transaction.atomic():
                self._execute("CREATE UNIQUE INDEX ON {table} (hashtextextended(dsp_id, 0))")
        except IntegrityError:
            return False
        return True

    def store(self) -> None:
        """Put the lines in their place: the last step before the commit, as others may wait for the parent table."""
        if self.partition == SHARED_PARTITION:
            self._execute("INSERT INTO {shared} SELECT * FROM {table}", shared=SHARED)
            return
        self._arrival.execute_here(
            composed(
                "ALTER TABLE {table} "
                "ALTER dsr_id DROP DEFAULT, ALTER partition DROP DEFAULT, ALTER line_number DROP DEFAULT",
                table=self._table,
            )
        )
        own_table_attach(self.dsr_number, self._arrival)

    def discard(self) -> None:
        """Drop what only the load needed."""
        if self.partition == SHARED_PARTITION:
            self._execute("DROP TABLE {table}")
        self._execute("DROP SEQUENCE {sequence}", sequence=sql.Identifier(self._sequence))

    def _execute(self, statement: str, **names: sql.Composable) -> None:
        self._arrival.execute(composed(statement, table=self._table, **names))

    def _rows(self, statement: str, **names: sql.Composable) -> list[Any]:
        return self._arrival.rows_of(composed(statement, table=self._table, **names))


# The index has revenue alone: as the first column it sorts twice as fast.
ATTACH = (
    "CREATE INDEX ON {table} (revenue DESC NULLS LAST)",
    "CREATE INDEX ON {table} USING brin (line_number) WITH (pages_per_range = 32)",
    "SET LOCAL default_statistics_target = {statistics}",
    "ANALYZE {table} (dsr_id, partition, line_number, revenue)",
    "ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES IN ({partition})",
    "ALTER TABLE {table} DROP CONSTRAINT loading",
)


def own_table_attach(dsr_number: int, arrival: Arrival) -> None:
    """Make the table of a DSR's lines a partition. It has the constraint `loading` and the index of dsp_id."""
    names = {
        "table": sql.Identifier(partition_name(dsr_number)),
        "parent": PARENT,
        "partition": sql.Literal(dsr_number),
        "statistics": sql.Literal(STATISTICS_TARGET),
    }
    arrival.execute_all([composed(statement, **names) for statement in ATTACH])


def shared_lines_analyze() -> None:
    """Let the planner look at the lines of small DSRs if many of them came or went since it did.

    The planners of nodes are left to the autovacuum of each: the coordinator does not know how many changed there.
    """
    if layout.are_spread():
        return
    shared = DSR.objects.ingested().filter(partition=SHARED_PARTITION)
    analyze_if_changed(SHARED_TABLE, known_rows=shared.aggregate(count=Sum("line_count", default=0))["count"])


def partition_name(dsr_number: int) -> str:
    return f"catalogue_usageline_{dsr_number}"


def lines_bytes(dsrs: Sequence[AbstractDSR]) -> dict[int, int]:
    """About the bytes on disk that the lines of each DSR take, with their indexes, by its id."""
    own = [dsr.pk for dsr in dsrs if dsr.partition != SHARED_PARTITION]
    # The coordinator of a cluster has no line itself, and the sizes of nodes cannot be asked for in every transaction.
    sizes = dict(rows_of(OWN_BYTES, ids=own)) if own and not layout.are_spread() else {}
    return {dsr.pk: sizes.get(dsr.pk, dsr.line_count * LINE_BYTES) for dsr in dsrs}


def lines_drop(*, dsr_numbers: Sequence[int], partition: int) -> None:
    """Remove the lines of DSRs that lie in one partition from the disk."""
    if partition == SHARED_PARTITION:
        statement = composed("DELETE FROM {} WHERE dsr_id = ANY(%(numbers)s::integer[])", SHARED)
        execute(statement, numbers=list(dsr_numbers))
        return
    for number in dsr_numbers:
        execute(composed("DROP TABLE IF EXISTS {}", sql.Identifier(partition_name(number))))


def abandoned_lines_drop(*, lock_timeout: str) -> int:
    """Remove the lines that failed imports have left on a cluster, and return of how many DSRs.

    Lines that somebody is bringing just now stay: their session holds the lock of the load. So do those that a node has
    not committed yet: they could not be removed, and would come in afterwards. Waits for no other lock for longer than
    `lock_timeout`, such as `100ms`: then it raises OperationalError.
    """
    if not layout.are_spread():
        return 0
    loads = set(IncomingLines.objects.values_list("load", flat=True))
    if loads:
        loads -= {load for (load,) in rows_of(UNSETTLED_LOADS)}
    return sum(_load_drop(load, lock_timeout) for load in sorted(loads))


def _load_drop(load: int, lock_timeout: str) -> int:
    with transaction.atomic():
        wait_for_locks(lock_timeout)
        if not locks.INCOMING_LINES.try_take_for_transaction(load):
            return 0
        # An import that is about to commit has locked its rows.
        left = list(IncomingLines.objects.select_for_update(skip_locked=True).filter(load=load).order_by("dsr_number"))
        for partition in {lines.partition for lines in left}:
            of_partition = [lines.dsr_number for lines in left if lines.partition == partition]
            lines_drop(dsr_numbers=of_partition, partition=partition)
        IncomingLines.objects.filter(pk__in=[lines.pk for lines in left]).delete()
    return len(left)
