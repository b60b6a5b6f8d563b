"""Limits on how long the statements of a request may run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg2
from django.db import OperationalError, connection
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

from dsrhub.database.statements import is_canceled

# Every statement may run this long, even after the end: what gives a lock back must not be ended.
LEAST_MILLISECONDS = 100


class OutOfTime(Exception):
    """A statement ran longer than it may."""


@contextmanager
def statements_end_by(end: float) -> Iterator[None]:
    """Let the database end each statement of the block that still runs at `end`, a moment of `time.monotonic`.

    A statement that is ended raises OperationalError.
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
    """The same for a number of seconds from now. Raises OutOfTime where a statement is ended.

    A statement that fails leaves its transaction broken: inside a transaction, begin another one in the block.
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
        # By the driver's own cursor, so that it is not counted among the statements of the block.
        with connection.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{milliseconds}ms"])


def _lift_limit() -> None:
    """Leave the connection to the next request as it was."""
    if connection.connection is None or _is_broken():
        return
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    except psycopg2.Error:  # The connection is lost.
        connection.close()


def _is_broken() -> bool:
    """Whether a statement has failed in the present transaction: its end takes the limit back, and takes no time."""
    status: int = connection.connection.info.transaction_status
    return status == TRANSACTION_STATUS_INERROR
