"""How the lines of an import arrive: on one server, in the transaction of their DSRs; on a cluster, before it.

The coordinator of a cluster commits before its nodes do. If lines and their DSR came in one transaction, others would
see the DSR with a part of its lines for a moment, or for minutes where a node stops just then. So on a cluster the
lines are committed first, by a session of their own, and counted. Then the transaction of the import lets the DSRs come
in, on the coordinator alone.

Until then, a row of IncomingLines says of each DSR where its lines lie, and the session holds the lock of the load. The
import removes these rows in its own transaction. A row that stays, and whose lock nobody holds, belongs to an import
that failed: `storage.abandoned_lines_drop` removes the lines, once all nodes have committed them. The transaction that
commits lines must write their rows, and no other may change these: that is how it knows.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2 import sql

from catalogue.exceptions import LinesIncomplete
from catalogue.lines import layout
from catalogue.lines.gathering import Place
from catalogue.lines.lookups import lines_of_dsrs
from catalogue.models import IncomingLines
from dsrhub.database import locks
from dsrhub.database.copy import copy_blocks
from dsrhub.database.sessions import OwnSession
from dsrhub.database.statements import Statement, execute, rows_of
from dsrhub.texts.marked import gettext_lazy as _

logger = logging.getLogger(__name__)

DISTRIBUTE = "SELECT create_distributed_table(%(table)s, 'dsp_id', colocate_with => %(parent)s)"
INCOMING = """
INSERT INTO catalogue_incominglines (dsr_number, partition, load)
SELECT dsr_number, partition, %(load)s
FROM unnest(%(numbers)s::integer[], %(partitions)s::integer[]) AS lines (dsr_number, partition)
"""
COUNTS = f"SELECT dsr_id, count(*) FROM ({lines_of_dsrs('dsr_id')}) AS line GROUP BY dsr_id"  # noqa: S608 - no value
# Where a node stops while it commits, the cluster completes that within a minute after the node is back. Seconds.
COUNTED_WITHIN, COUNT_PAUSE = 90, 1


class Arrival:
    """Lines that arrive in the transaction of the thread."""

    def execute(self, statement: Statement, /, **parameters: Any) -> int:
        return execute(statement, **parameters)

    def execute_all(self, statements: Sequence[sql.Composable]) -> None:
        """Run statements in their order: in one round trip to one server. A cluster takes one at a time."""
        for statement in statements if layout.are_spread() else [sql.SQL("; ").join(statements)]:
            self.execute(statement)

    def rows_of(self, statement: Statement, /, **parameters: Any) -> list[Any]:
        return rows_of(statement, **parameters)

    def copy(self, statement: Statement, blocks: Iterator[bytes]) -> None:
        copy_blocks(statement, blocks)

    def distribute(self, table: str) -> None:
        """Spread an empty table over the nodes as the lines are."""
        self.rows_of(DISTRIBUTE, table=table, parent=layout.PARENT_TABLE)

    def execute_here(self, statement: Statement) -> None:
        """Change a table on the coordinator alone: the nodes do not know what only this session has."""
        if not layout.are_spread():
            self.execute(statement)
            return
        self.execute("SET LOCAL citus.enable_ddl_propagation = off")
        self.execute(statement)
        self.execute("SET LOCAL citus.enable_ddl_propagation = on")

    def complete(self, line_counts: Mapping[Place, int]) -> None:
        """All lines are stored. Their numbers are given by where they lie."""


IN_TRANSACTION = Arrival()


class ArrivalAhead(Arrival):
    """Lines that arrive in a transaction of their own, before that of the thread. The caller closes it."""

    def __init__(self) -> None:
        self._session = OwnSession()

    def execute(self, statement: Statement, /, **parameters: Any) -> int:
        return self._session.execute(statement, **parameters)

    def rows_of(self, statement: Statement, /, **parameters: Any) -> list[Any]:
        return self._session.rows_of(statement, **parameters)

    def copy(self, statement: Statement, blocks: Iterator[bytes]) -> None:
        self._session.copy_blocks(statement, blocks)

    def complete(self, line_counts: Mapping[Place, int]) -> None:
        """Commit the lines and count them, then remove their rows in the transaction of the thread.

        Raises LinesIncomplete.
        """
        numbers = [number for number, _ in line_counts]
        locks.INCOMING_LINES.take_with(self._session, numbers[0])
        partitions = [partition for _, partition in line_counts]
        self.execute(INCOMING, load=numbers[0], numbers=numbers, partitions=partitions)
        self._session.commit()
        self._wait_for(line_counts)
        # From here on, this transaction keeps others from the rows.
        removed, _by_model = IncomingLines.objects.filter(dsr_number__in=numbers).delete()
        if removed < len(numbers):
            raise _incomplete(numbers[0])

    def _wait_for(self, line_counts: Mapping[Place, int]) -> None:
        end = time.monotonic() + COUNTED_WITHIN
        missing = self._missing(line_counts)
        while missing and time.monotonic() < end:
            logger.warning("the nodes have not committed all lines yet: those of DSRs %s are incomplete", missing)
            time.sleep(COUNT_PAUSE)
            missing = self._missing(line_counts)
        if missing:
            raise _incomplete(missing[0])

    def _missing(self, line_counts: Mapping[Place, int]) -> list[int]:
        """The DSRs that do not have all of their lines."""
        partitions = sorted({partition for _, partition in line_counts})
        found = dict(self.rows_of(COUNTS, ids=[number for number, _ in line_counts], partitions=partitions))
        self._session.commit()
        return [number for (number, _), count in line_counts.items() if found.get(number, 0) != count]

    def close(self) -> None:
        self._session.close()


def _incomplete(number: int) -> LinesIncomplete:
    return LinesIncomplete(
        _("The nodes of the cluster have not stored all lines of this delivery. Nothing is imported. Try again."),
        dsr=number,
    )


@contextmanager
def lines_arriving(*, dry_run: bool) -> Iterator[Arrival]:
    """How the lines of an import arrive, in the transaction of the import. Those of a dry run never do."""
    if dry_run or not layout.are_spread():
        yield IN_TRANSACTION
        return
    arrival = ArrivalAhead()
    try:
        yield arrival
    finally:
        arrival.close()
