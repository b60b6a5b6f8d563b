"""Bounds of time on what a page asks the database."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import OperationalError, connection
from psycopg2.errors import QueryCanceled
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

# What follows in any case, such as to give a lock back, has always so much.
TIDYING_MILLISECONDS = 100


class OutOfTime(Exception):
    """What was asked took longer than it may."""


@contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """Let the database end any statement of the block that goes on after that time, but for what only tidies up.

    Raises OutOfTime. A statement that fails leaves its transaction broken: where there is one, begin another inside.
    """
    end = monotonic() + seconds

    def execute(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
        _set_timeout(max(int((end - monotonic()) * 1000), TIDYING_MILLISECONDS))
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(execute):
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise OutOfTime from error
    finally:
        # Another request will have the connection, where it still stands.
        if connection.is_usable():
            _set_timeout(0)


def _set_timeout(milliseconds: int) -> None:
    if connection.connection.info.transaction_status == TRANSACTION_STATUS_INERROR:
        return  # What comes next ends the transaction, and takes no time.
    # By psycopg's own cursor: it is no statement of the block.
    with connection.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{milliseconds}ms"])
