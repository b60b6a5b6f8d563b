"""The lines of a delivery of several sales contexts on their way to where they lie.

One table takes them all: a table for each context of a message of thousands would need more locks than a server has.
Large contexts then go to tables of their own, all others to the table that small DSRs share. Everything runs in the
caller's transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from psycopg2 import sql

from catalogue.lines.storage import SHARED, LineTotals, Repeats, own_table_attach, partition_name
from catalogue.models import SHARED_PARTITION, UsageLine
from catalogue.reports.problems import LONGEST_VALUE
from dsrhub.database.copy import copy_blocks
from dsrhub.database.statements import composed, execute, rows_of

# Lines of the table have these, the number of their context and their own number.
LINE_COLUMNS = tuple(
    field.attname
    for field in UsageLine._meta.concrete_fields
    if field.attname not in ("dsr_id", "partition", "line_number")
)
# Each table of its own takes several locks until the commit.
MOST_OWN_TABLES = 200


class Placement(NamedTuple):
    """Where the lines of a context go: to the partition of a DSR, or to the shared one."""

    context_number: int
    dsr_number: int
    partition: int


class Rest(NamedTuple):
    """An amount to add to the revenue of a line."""

    context_number: int
    line_number: int
    amount: Decimal


@dataclass(frozen=True)
class StagedTotals:
    """The totals of a context's lines, and the largest number of its lines that share one dsp_id."""

    lines: LineTotals
    most_repeats: int
    returns: int | None
    usages_without_royalty: Decimal
    revenue_without_royalty: Decimal


class UseTypeSums(NamedTuple):
    """The totals of the lines of a context that have one use type, None where neither they nor the context say it."""

    use_type: str | None
    line_count: int
    blank_isrc_count: int
    total_usages: Decimal
    total_revenue: Decimal


class StagedLines:
    """The methods are called in their order."""

    def __init__(self) -> None:
        self._table = sql.Identifier(f"catalogue_usageline_staged_{connection.connection.info.backend_pid}")
        self._execute(
            "CREATE UNLOGGED TABLE {table} (context integer, LIKE {shared} INCLUDING STORAGE) "
            "WITH (autovacuum_enabled = off)"
        )
        self._execute("ALTER TABLE {table} DROP dsr_id, DROP partition")

    def copy(self, blocks: Iterator[bytes], columns: tuple[str, ...]) -> None:
        """Load blocks of tab-separated lines, as `LineLoad.copy` does."""
        statement = composed(
            r"COPY {} ({}) FROM STDIN (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', NULL '', ENCODING 'UTF8', FREEZE)",
            self._table,
            sql.SQL(", ").join(map(sql.Identifier, columns)),
        )
        copy_blocks(statement, blocks)
        self._execute("ANALYZE {table} (context, line_number, dsp_id, transaction_id)")

    def add(self, rests: Iterable[Rest]) -> None:
        """Add what rounding left of allocated revenue."""
        contexts, lines, amounts = [list(values) for values in zip(*rests, strict=True)] or [[], [], []]
        self._execute(
            """
            UPDATE {table} AS line SET revenue = revenue + rest.amount
            FROM unnest(%(contexts)s::integer[], %(lines)s::bigint[], %(amounts)s::numeric[])
                AS rest (context, line_number, amount)
            WHERE line.context = rest.context AND line.line_number = rest.line_number
            """,
            contexts=contexts,
            lines=lines,
            amounts=amounts,
        )

    def totals(self) -> Mapping[int, StagedTotals]:
        """The totals of each context that has lines."""
        rows = self._rows(
            """
            SELECT * FROM (
                SELECT context, count(*), coalesce(sum(usages), 0), coalesce(sum(revenue), 0), min(revenue),
                    count(*) - count(title), count(*) - count(artists), count(*) - count(isrc),
                    count(*) - count(usages), count(*) - count(revenue), sum(returns),
                    coalesce(sum(usages) FILTER (WHERE NOT is_royalty_bearing), 0),
                    coalesce(sum(revenue) FILTER (WHERE NOT is_royalty_bearing), 0)
                FROM {table} GROUP BY context
            ) AS total JOIN (
                SELECT context, max(count) FROM (SELECT context, count(*) FROM {table} GROUP BY context, dsp_id) AS one
                GROUP BY context
            ) AS repeat USING (context)
            """
        )
        return {
            context: StagedTotals(
                LineTotals(*totals), most_repeats, None if returns is None else int(returns), usages, revenue
            )
            for context, *totals, returns, usages, revenue, most_repeats in rows
        }

    def use_types(self, of_contexts: Sequence[str | None]) -> Mapping[int, list[UseTypeSums]]:
        """The totals of each context by use type: that of the line, or else that of its context."""
        rows = self._rows(
            """
            SELECT context, coalesce(line.use_type, named.use_type) AS use_type, count(*), count(*) - count(isrc),
                coalesce(sum(usages), 0), coalesce(sum(revenue), 0)
            FROM {table} AS line
            JOIN unnest(%(use_types)s::text[]) WITH ORDINALITY AS named (use_type, context) USING (context)
            GROUP BY 1, 2 ORDER BY 1, 2
            """,
            use_types=list(of_contexts),
        )
        sums: dict[int, list[UseTypeSums]] = {}
        for context, *values in rows:
            sums.setdefault(context, []).append(UseTypeSums(*values))
        return sums

    def repeats(self, *, limit: int) -> Mapping[int, Repeats]:
        """The lines of each context that repeat the dsp_id of an earlier line of it: the first `limit` of all."""
        rows = self._rows(
            """
            SELECT context, count(*) OVER (PARTITION BY context), max(nth) OVER (PARTITION BY context),
                line_number, left(dsp_id, %(shown)s)
            FROM (
                SELECT context, line_number, dsp_id,
                    row_number() OVER (PARTITION BY context, dsp_id ORDER BY line_number) AS nth
                FROM {table}
            ) AS line
            WHERE nth > 1 ORDER BY context, line_number LIMIT %(limit)s
            """,
            shown=LONGEST_VALUE,
            limit=limit,
        )
        repeats: dict[int, Repeats] = {}
        for context, count, most, *line in rows:
            repeats.setdefault(context, Repeats(count, most, [])).first.append((line[0], line[1]))
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

    def store(self, placements: Sequence[Placement]) -> None:
        """Put the lines in their place: the last step before the commit, as others may wait for the parent table."""
        own = [place for place in placements if place.partition != SHARED_PARTITION]
        shared = [place for place in placements if place.partition == SHARED_PARTITION]
        if shared:
            self._insert(SHARED, shared)
        if own:
            self._fill(own)
        for place in own:
            own_table_attach(place.dsr_number)
        self.discard()

    def discard(self) -> None:
        """Drop the lines, those that are in their place excepted."""
        self._execute("DROP TABLE {table}")

    def _fill(self, own: Sequence[Placement]) -> None:
        """Create the tables of large contexts, fill all of them in one pass over the lines, and index dsp_id."""
        # For the time of the pass they are partitions of a table that nobody else sees.
        router = sql.Identifier(f"catalogue_usageline_router_{connection.connection.info.backend_pid}")
        execute(composed("CREATE TABLE {} (LIKE {}) PARTITION BY LIST (partition)", router, SHARED))
        for place in own:
            statement = """
            CREATE TABLE {table} (LIKE {shared} INCLUDING STORAGE, CONSTRAINT loading CHECK (partition = {partition}));
            ALTER TABLE {router} ATTACH PARTITION {table} FOR VALUES IN ({partition});
            """
            execute(composed(statement, shared=SHARED, router=router, **_names(place)))
        self._insert(router, own)
        for place in own:
            statement = """
            ALTER TABLE {router} DETACH PARTITION {table};
            CREATE INDEX ON {table} (hashtextextended(dsp_id, 0));
            """
            execute(composed(statement, router=router, **_names(place)))
        execute(composed("DROP TABLE {}", router))

    def _insert(self, target: sql.Identifier, placements: Sequence[Placement]) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, ("line_number", *LINE_COLUMNS)))
        self._execute(
            """
            INSERT INTO {target} (dsr_id, partition, {columns})
            SELECT place.dsr, place.partition, {columns}
            FROM {table} JOIN unnest(%(contexts)s::integer[], %(dsrs)s::integer[], %(partitions)s::integer[])
                AS place (context, dsr, partition) USING (context)
            """,
            {"target": target, "columns": columns},
            contexts=[place.context_number for place in placements],
            dsrs=[place.dsr_number for place in placements],
            partitions=[place.partition for place in placements],
        )

    def _execute(self, statement: str, names: Mapping[str, sql.Composable] | None = None, **parameters: Any) -> None:
        execute(composed(statement, table=self._table, shared=SHARED, **(names or {})), **parameters)

    def _rows(self, statement: str, **parameters: Any) -> list[Any]:
        return rows_of(composed(statement, table=self._table), **parameters)


def _names(place: Placement) -> dict[str, sql.Composable]:
    return {"table": sql.Identifier(partition_name(place.dsr_number)), "partition": sql.Literal(place.partition)}
