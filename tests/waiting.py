"""Waiting for what comes, however slow the machine is: for a condition, and never for a time."""

import time
from collections.abc import Callable

import pytest
from django.db import connection

# Seconds. Nothing takes as long; where something never comes, the test fails instead of hanging.
PATIENCE = 60
# Between two looks, so that those who look leave the processor to those who work.
PAUSE = 0.01


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"this never came: {what}")
        time.sleep(PAUSE)


def wait_for_lock_waiter(kind: str) -> None:
    """Return when somebody waits for a lock of a kind, as PostgreSQL calls it: a row's is its `transactionid`."""

    def somebody_waits() -> bool:
        with connection.cursor() as cursor:
            # In a transaction, the activity would stay as it was seen first.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            # Of this database: other tests run at the same time on the same server.
            cursor.execute(
                "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE datname = current_database() AND NOT granted AND locktype = %s",
                [kind],
            )
            return cursor.fetchone() is not None

    wait_until(somebody_waits, f"somebody who waits for a lock: {kind}")


def wait_until_alone() -> None:
    """Return when the database has no other session: the server ends those of others after they are gone."""

    def is_alone() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return cursor.fetchone() == (0,)

    wait_until(is_alone, "the end of all other sessions")
