"""Waits for conditions, never for a fixed time, so that tests do not depend on the speed of the machine."""

import time
from collections.abc import Callable

import pytest
from django.db import connection

# Seconds, more than anything takes. If a condition never becomes true, the test fails instead of hanging.
PATIENCE = 60
# Seconds between two checks, so that waiting does not take the processor from the work that is waited for.
PAUSE = 0.01


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"this never happened: {what}")
        time.sleep(PAUSE)


def wait_for_lock_waiter(kind: str) -> None:
    """Return when a session waits for a lock of a type of `pg_locks`. For a row, that is `transactionid`."""

    def a_session_waits() -> bool:
        with connection.cursor() as cursor:
            # Within a transaction, PostgreSQL repeats the activity of the first query.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            # Only this database: other tests run on the same server at the same time.
            cursor.execute(
                "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE datname = current_database() AND NOT granted AND locktype = %s",
                [kind],
            )
            return cursor.fetchone() is not None

    wait_until(a_session_waits, f"a session waits for a lock: {kind}")


def wait_until_alone() -> None:
    """Return when the database has no other session. The server ends a session some time after its client is gone."""

    def is_alone() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name !~ '^citus'"
            )
            return cursor.fetchone() == (0,)

    wait_until(is_alone, "all other sessions have ended")
