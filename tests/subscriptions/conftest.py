"""What tests of usage share: a clean start where commits are real, and threads with connections of their own."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.subscriptions.helpers import forget_everything

# Nothing takes a second; where something never comes, the test fails instead of hanging.
PATIENCE = 20


@pytest.fixture
def real_commits(transactional_db):
    forget_everything()
    yield
    forget_everything()


@pytest.fixture
def in_thread(real_commits):
    """Start a function in a thread with a connection of its own: gives its future."""

    def on_own_connection(function, *arguments, **options):
        try:
            return function(*arguments, **options)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        yield lambda function, *arguments, **options: pool.submit(on_own_connection, function, *arguments, **options)


@pytest.fixture
def wait_for():
    """A function that returns when somebody waits for a lock of a kind, as PostgreSQL calls it."""

    def wait(kind):
        deadline = time.monotonic() + PATIENCE
        with connection.cursor() as cursor:
            while time.monotonic() < deadline:
                # In a transaction, the activity would stay as it was seen first.
                cursor.execute("SELECT pg_stat_clear_snapshot()")
                cursor.execute(
                    "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) "
                    "WHERE datname = current_database() AND NOT granted AND locktype = %s",
                    [kind],
                )
                if cursor.fetchone():
                    return
        pytest.fail(f"nobody waited for a lock: {kind}")

    return wait
