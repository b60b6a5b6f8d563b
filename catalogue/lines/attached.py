"""Knowing the tables of new DSRs: a statement reads only the partitions that its session knows.

PostgreSQL makes a commit visible a moment before it tells the other sessions of new partitions: `CommitTransaction` in
its xact.c calls `ProcArrayEndTransaction` before `AtEOXact_Inval`. A statement that is planned in that moment finds a
new DSR and none of its lines. The importer releases the lock of the new table after both: a session that had this lock
once knows the table.
"""

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

from catalogue.models import SHARED_PARTITION
from dsrhub.database.statements import rows_of

# The partitions that a session knows, by the session.
_known: WeakKeyDictionary[Any, set[int]] = WeakKeyDictionary()

# This statement takes the lock of each new table for a moment: `pg_relation_size` needs the lock, and its result is not
# used. Only DSRs of the last day are looked up, because an import ends within a day: its lock is released by then.
LOCKED_ONCE = """
SELECT pg_relation_size(to_regclass('catalogue_usageline_' || id)) FROM catalogue_dsr
WHERE id = ANY(%(partitions)s) AND imported_at > now() - interval '1 day'
"""


def partitions_met(partitions: Iterable[int]) -> None:
    """Make sure that the session of the thread knows these partitions before it plans a statement about them."""
    connection.ensure_connection()
    known = _known.setdefault(connection.connection, {SHARED_PARTITION})
    new = set(partitions) - known
    if new:
        rows_of(LOCKED_ONCE, partitions=list(new))
        known |= new
