"""Whether the server can answer requests: its database, its migrations, its queue."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import import_string

from dsrhub.database.time_limits import OutOfTime, answered_within

logger = logging.getLogger(__name__)

# The answer comes after at most this many seconds.
SECONDS = 3


class NotMigrated(Exception):
    """Some migrations of this version are not applied."""


def readiness() -> dict[str, Any]:
    """The state of each part. Only the database, its migrations and its nodes decide about `ready`.

    A queue without a worker is reported, but the server stays ready: it can still answer reads. Only a database of
    several nodes has the part `cluster`.
    """
    state: dict[str, Any] = {"ready": False, "database": "ok", "migrations": "ok"}
    try:
        with answered_within(SECONDS):
            _require_migrations()
            # The settings name the application of both, as this package must not import one.
            queue_state: Callable[[], dict[str, Any]] = import_string(settings.QUEUE_STATE)
            cluster_state: Callable[[], dict[str, Any] | None] = import_string(settings.CLUSTER_STATE)
            state |= {"ready": True, "queue": queue_state()}
            if (cluster := cluster_state()) is not None:
                state |= {"ready": cluster.pop("ready"), "cluster": cluster}
            return state
    except NotMigrated as missing:
        return state | {"migrations": str(missing)}
    except (DatabaseError, OutOfTime) as error:
        logger.warning("not ready: %s", error)
        return {"ready": False, "database": "out of reach"}


# Applied migrations stay applied while this process lives. An exception is not cached.
@cache
def _require_migrations() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise NotMigrated(f"{len(missing)} to be applied")
