"""The lines of a delivery of several sales contexts on their way to where they lie.

One table takes them all. Its partitions are the future tables of the DSRs that will probably be large, so that their
lines are written once, and a table for all others: a table for each context of a message of thousands would need more
locks than a server has. Everything runs in the caller's transaction, or in that of the lines: see `arriving`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg2 import sql

from catalogue.lines import layout
from catalogue.lines.arriving import IN_TRANSACTION, Arrival
from catalogue.lines.storage import SHARED, STATISTICS_TARGET, LineTotals, Repeats, own_table_attach, partition_name
from catalogue.models import SHARED_PARTITION, UsageLine
from catalogue.reports.problems import LONGEST_VALUE
from dsrhub.database.statements import composed

# Before those of the reader.
MARK_COLUMNS = ("dsr_id", "partition")
LINE_COLUMNS = tuple(field.attname for field in UsageLine._meta.concrete_fields if field.attname not in MARK_COLUMNS)
# Each table of its own takes several locks until the commit.
MOST_OWN_TABLES = 200

OWN_TABLE = "CREATE TABLE {own} (LIKE {shared} INCLUDING STORAGE, CONSTRAINT loading CHECK (partition = {number}))"


class UseTypeSums(NamedTuple):
    """The totals of the lines of a DSR that have one use type, None where neither they nor the DSR say it."""

    use_type: str | None
    line_count: int
    blank_isrc_count: int
    total_usages: Decimal
    total_revenue: Decimal
    blank_isrc_usages: Decimal
    blank_isrc_revenue: Decimal


@dataclass(frozen=True)
class StagedTotals:
    """The totals of a DSR's lines, the largest number of them that share one dsp_id, and the totals by use type."""

    lines: LineTotals
    most_repeats: int
    returns: int | None
    usages_without_royalty: Decimal
    revenue_without_royalty: Decimal
    use_types: list[UseTypeSums]


class StagedLines:
    """The methods are called in their order. All results are by the number of the DSR."""

    def __init__(self, own: Collection[int], arrival: Arrival = IN_TRANSACTION) -> None:
        """Lines go to tables of their own for these DSRs: see `mark`. On a cluster they do so at the end."""
        self._own = set() if layout.are_spread() else set(own)
        self._arrival = arrival
        ((process,),) = arrival.rows_of("SELECT pg_backend_pid()")
        # The table has columns alone. Its partition of all lines that stay is never written to the log.
        self._table = sql.Identifier(f"catalogue_usageline_staged_{process}")
        self._execute(
            """
            CREATE TABLE {table} (LIKE {shared}) PARTITION BY LIST (partition);
            CREATE UNLOGGED TABLE {rest} (LIKE {shared} INCLUDING STORAGE) WITH (autovacuum_enabled = off);
            ALTER TABLE {table} ATTACH PARTITION {rest} FOR VALUES IN ({partition});
            """,
            {
                "rest": sql.Identifier(f"catalogue_usageline_staged_{process}_rest"),
                "partition": sql.Literal(SHARED_PARTITION),
            },
        )
        for number in sorted(self._own):
            self._execute(OWN_TABLE, _own_table(number))
            self._execute("ALTER TABLE {table} ATTACH PARTITION {own} FOR VALUES IN ({number})", _own_table(number))

    def mark(self, dsr_number: int) -> bytes:
        """The cells of MARK_COLUMNS for the lines of a DSR."""
        return b"%d\t%d" % (dsr_number, dsr_number if dsr_number in self._own else SHARED_PARTITION)

    def copy(self, blocks: Iterator[bytes], columns: tuple[str, ...]) -> None:
        """Load blocks of tab-separated lines, as `LineLoad.copy` does. The cells of their mark lead the lines."""
        statement = composed(
            r"COPY {} ({}) FROM STDIN (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', NULL '', ENCODING 'UTF8')",
            self._table,
            sql.SQL(", ").join(map(sql.Identifier, (*MARK_COLUMNS, *columns))),
        )
        self._arrival.copy(statement, blocks)
        # A small sample tells the planner enough for the questions below. The numbers of groups that it expects in a
        # partition fit into memory.
        self._execute(
            """
            SET LOCAL default_statistics_target = {statistics};
            ANALYZE {table} (dsr_id, use_type, dsp_id, transaction_id);
            SET LOCAL enable_partitionwise_aggregate = on;
            """,
            {"statistics": sql.Literal(STATISTICS_TARGET)},
        )

    def totals(self, use_types: Mapping[int, str | None]) -> Mapping[int, StagedTotals]:
        """The totals of each DSR that has lines. A line without a use type has that of its DSR."""
        rows = self._rows(
            """
            WITH part AS MATERIALIZED (
                SELECT dsr_id, use_type, count(*) AS lines, coalesce(sum(usages), 0) AS usages,
                    coalesce(sum(revenue), 0) AS revenue, min(revenue) AS lowest_revenue,
                    count(*) - count(title) AS titles, count(*) - count(artists) AS artists,
                    count(*) - count(isrc) AS isrcs, count(*) - count(usages) AS blank_usages,
                    count(*) - count(revenue) AS blank_revenues,
                    coalesce(sum(usages) FILTER (WHERE isrc IS NULL), 0) AS isrc_usages,
                    coalesce(sum(revenue) FILTER (WHERE isrc IS NULL), 0) AS isrc_revenue,
                    sum(returns) AS returns,
                    coalesce(sum(usages) FILTER (WHERE NOT is_royalty_bearing), 0) AS free_usages,
                    coalesce(sum(revenue) FILTER (WHERE NOT is_royalty_bearing), 0) AS free_revenue
                FROM {table} GROUP BY partition, dsr_id, use_type
            ), total AS (
                SELECT dsr_id, sum(lines)::bigint, sum(usages), sum(revenue), min(lowest_revenue), sum(titles)::bigint,
                    sum(artists)::bigint, sum(isrcs)::bigint, sum(blank_usages)::bigint, sum(blank_revenues)::bigint,
                    sum(isrc_usages), sum(isrc_revenue), sum(returns)::bigint, sum(free_usages), sum(free_revenue)
                FROM part GROUP BY dsr_id
            ), repeat AS (
                SELECT dsr_id, max(lines)
                FROM (SELECT dsr_id, count(*) AS lines FROM {table} GROUP BY partition, dsr_id, dsp_id) AS recording
                GROUP BY dsr_id
            ), used AS (
                SELECT dsr_id, coalesce(part.use_type, dsr.use_type) AS use_type, sum(lines)::bigint,
                    sum(isrcs)::bigint, sum(usages), sum(revenue), sum(isrc_usages), sum(isrc_revenue)
                FROM part JOIN unnest(%(numbers)s::integer[], %(use_types)s::text[]) AS dsr (dsr_id, use_type)
                    USING (dsr_id)
                GROUP BY 1, 2
            )
            SELECT * FROM total JOIN repeat USING (dsr_id) JOIN used USING (dsr_id) ORDER BY dsr_id, used.use_type
            """,
            numbers=list(use_types.keys()),
            use_types=list(use_types.values()),
        )
        totals: dict[int, StagedTotals] = {}
        for number, *values in rows:
            lines, (returns, usages, revenue, most_repeats), used = values[:11], values[11:15], values[15:]
            if number not in totals:
                totals[number] = StagedTotals(LineTotals(*lines), most_repeats, returns, usages, revenue, [])
            totals[number].use_types.append(UseTypeSums(*used))
        return totals

    def repeats(self, *, limit: int) -> Mapping[int, Repeats]:
        """The lines of each DSR that repeat the dsp_id of an earlier line of it: the first `limit` of all."""
        rows = self._rows(
            """
            SELECT dsr_id, count(*) OVER (PARTITION BY dsr_id), max(nth) OVER (PARTITION BY dsr_id),
                line_number, left(dsp_id, %(shown)s)
            FROM (
                SELECT dsr_id, line_number, dsp_id,
                    row_number() OVER (PARTITION BY dsr_id, dsp_id ORDER BY line_number) AS nth
                FROM {table}
            ) AS line
            WHERE nth > 1 ORDER BY dsr_id, line_number LIMIT %(limit)s
            """,
            shown=LONGEST_VALUE,
            limit=limit,
        )
        repeats: dict[int, Repeats] = {}
        for number, count, most, *line in rows:
            repeats.setdefault(number, Repeats(count, most, [])).first.append((line[0], line[1]))
        return repeats

    def repeated_transactions(self, *, limit: int) -> tuple[int, list[str]]:
        """How many transaction ids more than one line has, and the first of them."""
        rows = self._rows(
            """
            SELECT count(*) OVER (), transaction_id FROM {table} WHERE transaction_id IS NOT NULL
            GROUP BY transaction_id HAVING count(*) > 1 ORDER BY transaction_id COLLATE "C" LIMIT %(limit)s
            """,
            limit=limit,
        )
        return (rows[0][0] if rows else 0), [transaction_id for _, transaction_id in rows]

    def store(self, own: Collection[int]) -> None:
        """Put the lines in their place: the last step before the commit, as others may wait for the parent table.

        Of the DSRs that have tables of their own, these keep them. The lines of all others go to the shared table.
        """
        for number in own:
            if number in self._own:
                self._execute("ALTER TABLE {table} DETACH PARTITION {own}", _own_table(number))
        moved = set(own) - self._own
        if moved:
            self._insert(SHARED, SHARED_PARTITION, "WHERE dsr_id <> ALL(%(moved)s::integer[])", moved=sorted(moved))
        else:
            self._insert(SHARED, SHARED_PARTITION)
        for number in moved:
            self._execute(OWN_TABLE, _own_table(number))
            self._arrival.distribute(partition_name(number))
            self._insert(sql.Identifier(partition_name(number)), number, "WHERE dsr_id = %(number)s", number=number)
        for number in own:
            self._execute("CREATE INDEX ON {own} (hashtextextended(dsp_id, 0))", _own_table(number))
            own_table_attach(number, self._arrival)
        self.discard()

    def _insert(self, target: sql.Identifier, partition: int, where: str = "", **parameters: Any) -> None:
        """Move lines to where they belong."""
        names = {
            "target": target,
            "columns": sql.SQL(", ").join(map(sql.Identifier, LINE_COLUMNS)),
            "partition": sql.Literal(partition),
        }
        self._execute(
            f"INSERT INTO {{target}} (dsr_id, partition, {{columns}}) "  # noqa: S608 - no value is in it
            f"SELECT dsr_id, {{partition}}, {{columns}} FROM {{table}} {where}",
            names,
            **parameters,
        )

    def discard(self) -> None:
        """Drop the lines, those that are in their place excepted."""
        self._execute("DROP TABLE {table}")

    def _execute(self, statement: str, names: Mapping[str, sql.Composable] | None = None, **parameters: Any) -> None:
        self._arrival.execute(composed(statement, table=self._table, shared=SHARED, **(names or {})), **parameters)

    def _rows(self, statement: str, **parameters: Any) -> list[Any]:
        return self._arrival.rows_of(composed(statement, table=self._table), **parameters)


def _own_table(dsr_number: int) -> dict[str, sql.Composable]:
    return {"own": sql.Identifier(partition_name(dsr_number)), "number": sql.Literal(dsr_number)}
