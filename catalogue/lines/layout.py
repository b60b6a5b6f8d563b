"""Where lines lie: all on one server, or spread over the nodes of a cluster of Citus by their dsp_id."""

from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

PARENT_TABLE = "catalogue_usageline"

HAS_EXTENSION = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
SHARDS = "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = to_regclass(%s)"

# How many shards the lines have, by the session that asked. A session asks once: `distribute` runs while no server
# and no worker does.
_known: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def are_spread() -> bool:
    """Whether the nodes of a cluster have the lines."""
    return shard_count() > 0


def shard_count() -> int:
    """Over how many shards the lines are spread; 0 on one server."""
    connection.ensure_connection()
    session = connection.connection
    if session not in _known:
        _known[session] = _shard_count(session)
    return _known[session]


def are_added_up_apart() -> bool:
    """Whether each node adds up its own recordings: exactly, or not at all. No sums by hash are made there."""
    return are_spread()


def layout_forget() -> None:
    """Ask again: the lines were just spread."""
    _known.pop(connection.connection, None)


def _shard_count(session: Any) -> int:
    # Through the driver's cursor, so that it does not count as a statement of a request.
    with session.cursor() as cursor:
        cursor.execute(HAS_EXTENSION)
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(SHARDS, [PARENT_TABLE])
        return int(cursor.fetchone()[0])
