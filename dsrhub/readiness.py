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

# Who asks waits no longer than this.
SECONDS = 3


class NotMigrated(Exception):
    """The database is not as this version of the program needs it."""


def readiness() -> dict[str, Any]:
    """What each part says. Only the database and its migrations decide about `ready`.

    A queue without a worker is shown, and is no reason to take the server away from those who read.
    """
    state: dict[str, Any] = {"ready": False, "database": "ok", "migrations": "ok"}
    try:
        with answered_within(SECONDS):
            _require_migrations()
            # The application that has a queue is named by the settings: nothing here knows an application.
            queue_state: Callable[[], dict[str, Any]] = import_string(settings.QUEUE_STATE)
            return state | {"ready": True, "queue": queue_state()}
    except NotMigrated as missing:
        return state | {"migrations": str(missing)}
    except (DatabaseError, OutOfTime) as error:
        logger.warning("not ready: %s", error)
        return {"ready": False, "database": "out of reach"}


# What is applied stays so while this process lives; what is raised is not kept.
@cache
def _require_migrations() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise NotMigrated(f"{len(missing)} to be applied")
