"""Limits on how long the statements of a request may run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg2
from django.db import OperationalError, connection
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

from dsrhub.database.statements import is_canceled

# Every statement may run this long, even after the end: a statement that releases a lock must not be canceled.
LEAST_MILLISECONDS = 100


class OutOfTime(Exception):
    """A statement exceeded its time limit."""


@contextmanager
def statements_end_by(end: float) -> Iterator[None]:
    """Let the database cancel each statement of the block that still runs at `end`, a value of `time.monotonic`.

    A canceled statement raises OperationalError.
    """

    def execute(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
        _set_limit(max(int((end - monotonic()) * 1000), LEAST_MILLISECONDS))
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(execute):
            yield
    finally:
        _lift_limit()


@contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """The same, for a number of seconds from now. Raises OutOfTime if a statement is canceled.

    A failed statement breaks its transaction: inside a transaction, begin a savepoint in the block.
    """
    try:
        with statements_end_by(monotonic() + seconds):
            yield
    except OperationalError as error:
        if not is_canceled(error):
            raise
        raise OutOfTime from error


def _set_limit(milliseconds: int) -> None:
    if not _is_broken():
        # Through the driver's cursor, so that it does not count as a statement of the block.
        with connection.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{milliseconds}ms"])


def _lift_limit() -> None:
    """Remove the limit, so that the next request gets the connection without it."""
    if connection.connection is None or _is_broken():
        return
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    except psycopg2.Error:  # The connection is lost.
        connection.close()


def _is_broken() -> bool:
    """Whether a statement of the current transaction has failed. Its rollback is quick, and removes the limit."""
    status: int = connection.connection.info.transaction_status
    return status == TRANSACTION_STATUS_INERROR
