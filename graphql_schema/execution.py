"""Executing an operation within its time.

There is no transaction around a query. Each selector is exact by itself, and those that read partitions look again
whether one was dropped meanwhile: the one snapshot of a transaction would hide that from them, and hold nothing back.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg2
from django.conf import settings
from django.db import connection
from graphql import (
    DocumentNode,
    ExecutionContext,
    ExecutionResult,
    GraphQLError,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    execute_sync,
)
from graphql.pyutils import Path

from graphql_schema.errors import ERRORS_SHOWN, TimedOut, is_timeout


class TimeLimit:
    """The moment by which an operation is over: no field begins after it, and no statement goes on."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def resolve(self, following: Callable[..., Any], root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        """Graphql-core's middleware."""
        if monotonic() > self._end:
            raise TimedOut
        return following(root, info, **arguments)

    @contextmanager
    def on_statements(self) -> Iterator[None]:
        try:
            with connection.execute_wrapper(self._execute):
                yield
        finally:
            _lift_timeout()

    def _execute(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
    ) -> Any:
        _set_timeout(max(int((self._end - monotonic()) * 1000), 1))
        return execute(sql, params, many, context)


def _set_timeout(milliseconds: int) -> None:
    # With psycopg's own cursor: it is no statement of the operation's. In a transaction, it goes with it.
    with connection.connection.cursor() as cursor:
        is_local = connection.in_atomic_block
        cursor.execute("SELECT set_config('statement_timeout', %s, %s)", [f"{milliseconds}ms", is_local])


def _lift_timeout() -> None:
    """Leave the connection as it was, to the next request."""
    if connection.connection is None or connection.in_atomic_block:
        return
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    except psycopg2.Error:  # it is broken
        connection.close()


class Execution(ExecutionContext):
    def handle_field_error(self, error: GraphQLError, return_type: GraphQLOutputType, path: Path) -> None:
        """End the operation where its time is over: all that is left would fail as well."""
        if is_timeout(error.original_error):
            raise error
        super().handle_field_error(error, return_type, path)


def executed(
    schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], operation_name: str | None, context: Any
) -> ExecutionResult:
    limit = TimeLimit(settings.DSRHUB_GRAPHQL_SECONDS)
    with limit.on_statements():
        return execute_sync(
            schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            middleware=[limit],
            execution_context_class=Execution,
            max_coercion_errors=ERRORS_SHOWN,
            hide_suggestions=not settings.DSRHUB_GRAPHQL_INTROSPECTION,
        )
