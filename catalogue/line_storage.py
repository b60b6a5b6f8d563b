"""Where lines lie: a table of its own (a partition) for each large DSR, one common partition for all small ones.

Everything here runs in the caller's transaction, and nothing is seen by others before it commits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from psycopg2 import sql

from catalogue.models import SHARED_PARTITION

PARENT = sql.Identifier("catalogue_usageline")
SHARED = sql.Identifier("catalogue_usageline_shared")
# The header is line 1.
FIRST_LINE = 2
# A sample of 9,000 lines tells the planner enough of columns that are constant, counted up, or asked for by an index.
STATISTICS_TARGET = 30


@dataclass(frozen=True)
class LineTotals:
    """What the lines of a DSR come to; blank cells add nothing."""

    line_count: int
    total_usages: Decimal
    total_revenue: Decimal
    lowest_revenue: Decimal | None
    blank_title_count: int
    blank_artists_count: int
    blank_isrc_count: int
    blank_usages_count: int
    blank_revenue_count: int


@dataclass(frozen=True)
class Repeats:
    """How many lines repeat a dsp_id, how many lines the most frequent dsp_id has, and the first of the repeating
    lines: (line number, dsp_id)."""

    line_count: int
    most_repeats: int
    first: list[tuple[int, str]]


class BlockStream:
    """An iterator of blocks as the file that COPY reads. A read gives a whole block, however much is asked for."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, size: int = -1) -> bytes:
        return next((block for block in self._blocks if block), b"")


class LineLoad:
    """Lines of one DSR on their way in: made, filled, looked at, and put where they belong.

    The table is filled without indexes, which is faster than to fill an indexed one. A temporary one, for a small
    DSR or for a dry run, is never written to the log.
    The steps come in the order of the methods.
    """

    def __init__(self, dsr_number: int, *, temporary: bool) -> None:
        self.dsr_number = dsr_number
        self.partition = SHARED_PARTITION if temporary else dsr_number
        self._name = f"usageline_load_{dsr_number}" if temporary else partition_name(dsr_number)
        self._table = sql.Identifier(self._name)
        self._sequence = sql.Identifier(f"usageline_load_{dsr_number}_line")
        self._create(temporary=temporary)

    def _create(self, *, temporary: bool) -> None:
        # Lines are numbered by a sequence of the load, so that they can be copied just as they were delivered. It is
        # this session's own: a cache of it, which spares a look at its page for every line, leaves no gaps.
        # LIKE holds a lock on its model to the end: on the parent, no partition could be dropped all the while.
        _execute("CREATE TEMP SEQUENCE {} MINVALUE {} CACHE 1000", self._sequence, sql.Literal(FIRST_LINE))
        # The check, made line by line as they come, spares a scan of what is attached. Autovacuum has nothing to do:
        # lines come frozen, are analyzed below, and never change.
        _execute(
            "CREATE {} TABLE {} (LIKE {} INCLUDING STORAGE, CONSTRAINT loading CHECK (partition = {})) "
            "WITH (autovacuum_enabled = off) {}",
            sql.SQL("TEMP" if temporary else ""),
            self._table,
            SHARED,
            sql.Literal(self.partition),
            sql.SQL("ON COMMIT DROP" if temporary else ""),
        )
        _execute(
            "ALTER TABLE {} ALTER dsr_id SET DEFAULT {}, ALTER partition SET DEFAULT {}, "
            "ALTER line_number SET DEFAULT nextval({})",
            self._table,
            sql.Literal(self.dsr_number),
            sql.Literal(self.partition),
            sql.Literal(f"pg_temp.usageline_load_{self.dsr_number}_line"),
        )

    def copy(self, blocks: Iterator[bytes], columns: tuple[str, ...]) -> None:
        """Load blocks of tab-separated lines. Quotes are data: the quote of the format is 0x01, which never comes.

        Lines come frozen, as nobody else sees the table yet: no vacuum has to write them once more.
        """
        statement = _composed(
            r"COPY {} ({}) FROM STDIN (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', NULL '', ENCODING 'UTF8', FREEZE)",
            self._table,
            sql.SQL(", ").join(sql.Identifier(column) for column in columns),
        )
        with connection.cursor() as cursor:
            cursor.copy_expert(statement, BlockStream(blocks))

    def totals(self) -> LineTotals:
        row = _fetch(
            """
            SELECT count(*), coalesce(sum(usages), 0), coalesce(sum(revenue), 0), min(revenue),
                count(*) - count(title), count(*) - count(artists), count(*) - count(isrc),
                count(*) - count(usages), count(*) - count(revenue)
            FROM {}
            """,
            self._table,
        )[0]
        return LineTotals(*row)

    def repeats(self, *, limit: int) -> Repeats:
        """The lines that repeat the dsp_id of an earlier line. Makes the index of dsp_id."""
        if self._index_dsp_id_as_unique():
            return Repeats(0, 1, [])
        _execute("CREATE INDEX ON {} (hashtextextended(dsp_id, 0))", self._table)
        # Hashes first: numbers are quicker to compare than texts.
        repeated_hashes = _composed(
            "SELECT hashtextextended(dsp_id, 0) FROM {} GROUP BY 1 HAVING count(*) > 1", self._table
        )
        rows = _fetch(
            """
            WITH suspect AS MATERIALIZED ({})
            SELECT count(*) OVER (), max(nth) OVER (), line_number, dsp_id
            FROM (
                SELECT line_number, dsp_id, row_number() OVER (PARTITION BY dsp_id ORDER BY line_number) AS nth
                FROM {} WHERE hashtextextended(dsp_id, 0) IN (SELECT * FROM suspect)
            ) AS line
            WHERE nth > 1 ORDER BY line_number LIMIT {}
            """,
            repeated_hashes,
            self._table,
            sql.Literal(limit),
        )
        count, most = rows[0][:2] if rows else (0, 1)
        return Repeats(count, most, [(line_number, dsp_id) for *_, line_number, dsp_id in rows])

    def _index_dsp_id_as_unique(self) -> bool:
        """Whether no dsp_id is repeated, which making the index shows at no cost of its own."""
        try:
            with transaction.atomic():
                _execute("CREATE UNIQUE INDEX ON {} (hashtextextended(dsp_id, 0))", self._table)
        except IntegrityError:
            return False
        return True

    def store(self) -> None:
        """Put the lines in their place: the last thing to do before COMMIT, as others may wait for the parent."""
        if self.partition == SHARED_PARTITION:
            _execute("INSERT INTO {} SELECT * FROM {}", SHARED, self._table)
            return
        _execute(
            "ALTER TABLE {} ALTER dsr_id DROP DEFAULT, ALTER partition DROP DEFAULT, ALTER line_number DROP DEFAULT",
            self._table,
        )
        # Of revenue alone: as the first column it sorts twice as fast.
        _execute(
            """
            CREATE INDEX ON {table} (revenue DESC NULLS LAST);
            CREATE INDEX ON {table} USING brin (line_number) WITH (pages_per_range = 32);
            SET LOCAL default_statistics_target = {statistics};
            ANALYZE {table} (dsr_id, partition, line_number, revenue);
            ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES IN ({partition});
            ALTER TABLE {table} DROP CONSTRAINT loading;
            """,
            table=self._table,
            parent=PARENT,
            partition=sql.Literal(self.partition),
            statistics=sql.Literal(STATISTICS_TARGET),
        )

    def discard(self) -> None:
        """Drop what only the load needed."""
        if self.partition == SHARED_PARTITION:
            _execute("DROP TABLE {}", self._table)
        _execute("DROP SEQUENCE {}", self._sequence)


def partition_name(dsr_number: int) -> str:
    return f"catalogue_usageline_{dsr_number}"


def lines_drop(*, dsr_number: int, partition: int) -> None:
    """Remove the lines of a DSR from the disk."""
    if partition == SHARED_PARTITION:
        _execute("DELETE FROM {} WHERE dsr_id = {}", SHARED, sql.Literal(dsr_number))
    else:
        _execute("DROP TABLE IF EXISTS {}", sql.Identifier(partition_name(dsr_number)))


def _composed(statement: str, *parts: sql.Composable, **named: sql.Composable) -> sql.Composed:
    return sql.SQL(statement).format(*parts, **named)


def _execute(statement: str, *parts: sql.Composable, **named: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_composed(statement, *parts, **named))


def _fetch(statement: str, *parts: sql.Composable) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_composed(statement, *parts))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
