"""Runs SQL: values as parameters, names of tables and columns as psycopg2's `sql` objects."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from django.db import Error, connection, transaction
from psycopg2 import sql
from psycopg2.errors import LockNotAvailable, QueryCanceled

from dsrhub.exceptions import NodeOutOfReach
from dsrhub.texts.marked import gettext_lazy as _

Statement = str | sql.Composable


def rows_of(statement: Statement, /, **parameters: Any) -> list[Any]:
    """The rows of a statement. Without parameters, a `%` in the statement needs no escape."""
    return rows_in(connection, statement, parameters)


def execute(statement: Statement, /, **parameters: Any) -> int:
    """Run a statement and return how many rows it wrote."""
    return execute_in(connection, statement, parameters)


def rows_in(session: Any, statement: Statement, parameters: dict[str, Any]) -> list[Any]:
    """See `rows_of`. The session is a connection of Django's."""
    with nodes_required(session), session.cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        rows: list[Any] = cursor.fetchall()
    return rows


def execute_in(session: Any, statement: Statement, parameters: dict[str, Any]) -> int:
    """See `execute`."""
    with nodes_required(session), session.cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        row_count: int = cursor.rowcount
    return row_count


# What a database of several nodes says of a node: a connection failed, or the node was shut down. Where a connection
# ends while it is used, the error has a state for anything, and the text or the context names the node.
NODE_STATES, OTHER_STATES = ("08", "57P01", "57P02", "57P03"), ("58", "XX")
NODE_NAMED = re.compile(r"\bon \S+:\d+\b|server closed the connection unexpectedly")


def _is_of_node(error: BaseException) -> bool:
    state = getattr(error, "pgcode", None) or ""
    return state.startswith(NODE_STATES) or (state.startswith(OTHER_STATES) and bool(NODE_NAMED.search(str(error))))


@contextmanager
def nodes_required(session: Any) -> Iterator[None]:
    """Raises NodeOutOfReach where a statement fails because of another server than that of the session."""
    try:
        yield
    except (Error, psycopg2.Error) as error:
        if _is_of_node(error.__cause__ or error) and not session.connection.closed:
            raise NodeOutOfReach(_("A node of the database is down or out of reach. Try again in a minute.")) from error
        raise


def rows_in_savepoint(statement: Statement, parameters: Any) -> list[Any]:
    """The rows of a statement that may fail without breaking the transaction around it, if there is one.

    Parameters go to the driver as they are, by name or by position.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return _rows(statement, parameters)
    return _rows(statement, parameters)


def composed(statement: str, *parts: sql.Composable, **named: sql.Composable) -> sql.Composed:
    """A statement with names and literals in its braces."""
    return sql.SQL(statement).format(*parts, **named)


def union_all(queries: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(" UNION ALL ").join(queries)


def wait_for_locks(limit: str) -> None:
    """Give up waiting for a lock after `limit`, such as `100ms`, until the transaction ends."""
    execute("SELECT set_config('lock_timeout', %(limit)s, true)", limit=limit)


def is_lock_timeout(error: Error) -> bool:
    """Whether a statement failed because it waited too long for a lock, or because of NOWAIT."""
    return isinstance(error.__cause__, LockNotAvailable)


def is_canceled(error: Error) -> bool:
    """Whether a statement was canceled, by its time limit or by a user."""
    return isinstance(error.__cause__, QueryCanceled)


def _rows(statement: Statement, parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def _adapted(parameters: dict[str, Any]) -> dict[str, Any] | None:
    return {name: _array(value) if isinstance(value, list) else value for name, value in parameters.items()} or None


def _array(values: list[Any]) -> str:
    """An array as one literal. The driver writes ARRAY[...], and PostgreSQL parses each element of it as an
    expression: with thousands of DSRs, that would take most of a statement's time."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    """One element of an array literal: PostgreSQL's documentation, section 8.15.6."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "NULL" if value is None else str(value)
