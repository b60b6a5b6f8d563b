"""The seam between statements and the place of the lines that they read.

On one server, a statement reads lines where they lie, and nothing here does anything. On a cluster, a statement that
looks up lines row by row cannot be divided among the nodes. There, the lines that it needs are gathered first, by a
few simple statements that all nodes answer at once, into a temporary table of the session, which it reads instead.

What is gathered may be more than what the statement needs, and never less. Several statements have several
snapshots: the caller checks the state of the DSRs again after the answer, as `consistent_answer` does.

Statements that add up all lines by dsp_id need nothing of this: each node adds up its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Protocol

from django.db import connection, transaction

from catalogue.lines import layout
from catalogue.lines.layout import PARENT_TABLE
from catalogue.models import DSR, UsageLine
from dsrhub.database.statements import execute

# Those that every gathered line has.
KEY_COLUMNS = ("dsr_id", "partition", "line_number", "dsp_id")
LINE_COLUMNS = tuple(field.attname for field in UsageLine._meta.concrete_fields)
# What most questions need.
COMMON_COLUMNS = ("usages", "revenue", "title", "artists", "isrc")

# The rows `dsr`, with the `floor` of their revenue where there is one.
EACH_DSR = "unnest(%(ids)s::integer[], %(own)s::integer[]) AS dsr (id, partition)"
EACH_FLOORED_DSR = "unnest(%(ids)s::integer[], %(own)s::integer[], %(floors)s::numeric[]) AS dsr (id, partition, floor)"
# A lookup of each DSR stays a lookup, as with OFFSET 0, which a cluster refuses. Where a query has a limit within
# another one, a cluster demands one of the outer query, too.
NO_LIMIT = "LIMIT 4611686018427387904"

OF_EACH_DSR = "SELECT line.* FROM {dsrs} CROSS JOIN LATERAL ({lines}) AS line"
OF_DSRS = """
SELECT {columns} FROM catalogue_usageline AS line
WHERE partition = ANY(%(partitions_gathered)s::integer[]) AND dsr_id = ANY(%(ids_gathered)s::integer[]) AND {condition}
"""
KEYS = 'SELECT DISTINCT dsp_id COLLATE "C" AS dsp_id FROM ({keys}) AS key'
# What was a table on the coordinator has lost its collation on the nodes.
OF_KEYS = """
WITH key AS MATERIALIZED (SELECT dsp_id AS key_id FROM {keys})
SELECT {columns} FROM key JOIN catalogue_usageline AS line
    ON hashtextextended(line.dsp_id, 0) = hashtextextended(key_id COLLATE "C", 0) AND line.dsp_id = key_id COLLATE "C"
WHERE partition = ANY(%(partitions_gathered)s::integer[]) AND dsr_id + 0 = ANY(%(ids_gathered)s::integer[])
"""

# How many times as many keys a batch has as the batch before it: see `batch_sizes`.
BATCH_GROWTH = 4

numbers = count(1)


# The id of a DSR, and the partition of its lines.
Place = tuple[int, int]


class HasLines(Protocol):
    """A DSR, or what a question needs of one."""

    @property
    def id(self) -> int: ...

    @property
    def partition(self) -> int: ...


def places_of(dsrs: Iterable[HasLines]) -> list[Place]:
    """Where the lines of DSRs lie."""
    return [(dsr.id, dsr.partition) for dsr in dsrs]


class Lines:
    """The lines of some statements, where they lie. A cluster has a subclass that gathers them."""

    def statement(self, text: str) -> str:
        """A statement about lines, as it reads what was gathered."""
        return text

    def add_highest(self, lines: str, **parameters: Any) -> None:
        """Gather the first lines of each DSR by revenue: %(head)s or more of all, and perhaps fewer of one DSR."""

    def add_of_each(self, lines: str, *, most: int | None = None, **parameters: Any) -> None:
        """Gather the `lines` of each row `dsr`, up to `most` in all: see `lookups`."""

    def add_of_dsrs(self, places: Sequence[Place], condition: str = "true", **parameters: Any) -> None:
        """Gather all lines of DSRs that meet a condition."""

    def add_of_keys(self, keys: str, places: Sequence[Place], **parameters: Any) -> None:
        """Gather the lines of DSRs that have one of the dsp_ids that the query `keys` finds."""

    def are_of(self, places: Sequence[Place]) -> bool:
        """Whether the DSRs were there all the time while their lines were gathered."""
        return True


class GatheredLines(Lines):
    """Lines in a temporary table."""

    def __init__(self, columns: Sequence[str], on_commit: str) -> None:
        number = next(numbers)
        self.table, self._part, self._keys = (f"gathered_{name}_{number}" for name in ("lines", "part", "keys"))
        self._columns = ", ".join(dict.fromkeys((*KEY_COLUMNS, *columns)))
        self._on_commit = on_commit
        execute(f"CREATE TEMP TABLE {self.table} (LIKE {PARENT_TABLE}) {on_commit}")
        execute(f"CREATE UNIQUE INDEX ON {self.table} (dsr_id, line_number)")
        execute(f"CREATE INDEX ON {self.table} (hashtextextended(dsp_id, 0))")

    def statement(self, text: str) -> str:
        return text.replace(PARENT_TABLE, self.table)

    def add_highest(self, lines: str, **parameters: Any) -> None:
        # Each shard has its own first lines. The bounds of a ranking hold for any lines, and are nearly as good.
        head = -(-parameters.pop("head") // max(layout.shard_count(), 1))
        self._add_of_each(EACH_DSR, lines, **parameters, head=head)

    def add_of_each(self, lines: str, *, most: int | None = None, **parameters: Any) -> None:
        dsrs = EACH_FLOORED_DSR if "floors" in parameters else EACH_DSR
        limit = NO_LIMIT if most is None else f"LIMIT {most}"
        self._add_of_each(dsrs, f"{lines} {NO_LIMIT}", **parameters, limit=limit)

    def add_of_dsrs(self, places: Sequence[Place], condition: str = "true", **parameters: Any) -> None:
        lines = OF_DSRS.format(columns=self._columns, condition=condition)
        self._add(lines, **parameters, **_of_places(places))

    def add_of_keys(self, keys: str, places: Sequence[Place], **parameters: Any) -> None:
        if not places:
            return
        query = KEYS.format(keys=self.statement(keys))
        if execute(f"CREATE TEMP TABLE {self._keys} {self._on_commit} AS {query}", **parameters):
            execute(f"ANALYZE {self._keys}")
            columns = self._columns.replace("dsp_id", "line.dsp_id")
            self._add(OF_KEYS.format(columns=columns, keys=self._keys), **_of_places(places))
        execute(f"DROP TABLE {self._keys}")

    def are_of(self, places: Sequence[Place]) -> bool:
        numbers = {number for number, _ in places}
        return DSR.objects.filter(pk__in=numbers).count() == len(numbers)

    def drop(self) -> None:
        """Drop what was gathered, also what an error has left."""
        execute(f"DROP TABLE IF EXISTS {self.table}, {self._part}, {self._keys}")

    def _add_of_each(self, dsrs: str, lines: str, *, limit: str = NO_LIMIT, **parameters: Any) -> None:
        of_each = lines.format(columns=self._columns)
        self._add(f"{OF_EACH_DSR.format(dsrs=dsrs, lines=of_each)} {limit}", **parameters)

    def _add(self, lines: str, **parameters: Any) -> None:
        # Nodes would take part in a savepoint, which is of no use here.
        with transaction.atomic(savepoint=False):
            # Lines of each DSR, and limits of them, are found on the nodes.
            execute("SET LOCAL citus.subquery_pushdown = on")
            execute(f"CREATE TEMP TABLE {self._part} {self._on_commit} AS {lines}", **parameters)
            execute("SET LOCAL citus.subquery_pushdown = off")
        execute(
            f"INSERT INTO {self.table} ({self._columns}) "  # noqa: S608 - no value is in it
            f"SELECT {self._columns} FROM {self._part} "
            "ON CONFLICT DO NOTHING"
        )
        execute(f"DROP TABLE {self._part}")
        execute(f"ANALYZE {self.table}")


def _of_places(places: Sequence[Place]) -> dict[str, list[int]]:
    return {
        "ids_gathered": [number for number, _ in places],
        "partitions_gathered": sorted({partition for _, partition in places}),
    }


def reads_lines(statement: str) -> bool:
    """Whether a statement reads any lines."""
    return PARENT_TABLE in statement


def batch_sizes(*, first: int, most: int) -> Iterator[int | None]:
    """The number of keys of each batch, for a reader that goes through keys in order until its page is full.

    On a cluster, the lines of a batch are gathered before they are read. The first batch has `first` keys, and each
    further one BATCH_GROWTH times as many. A batch of `most` keys or more would cost more than to gather all lines, so
    the last size is None: all keys that are left. One server gathers nothing, so there None is the only size.
    """
    size = first
    while layout.are_spread() and size < most:
        yield size
        size *= BATCH_GROWTH
    yield None


@contextmanager
def lines_gathered(columns: Sequence[str] = COMMON_COLUMNS) -> Iterator[Lines]:
    """The lines of the statements of the block, which need these columns of them."""
    if not layout.are_spread():
        yield Lines()
        return
    # What fails in a transaction goes with it.
    in_transaction = connection.in_atomic_block
    lines = GatheredLines(columns, "ON COMMIT DROP" if in_transaction else "")
    try:
        yield lines
    except BaseException:
        if not in_transaction and connection.is_usable():
            lines.drop()
        raise
    lines.drop()
