"""Executes an operation within its time limit.

A query runs in no transaction. Each selector is exact by itself. Selectors that read partitions check afterwards
whether a partition was dropped meanwhile; the single snapshot of a transaction would hide that from them, and would
not prevent it.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

from django.conf import settings
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

from dsrhub.database.time_limits import statements_end_by
from graphql_schema.errors import ERRORS_SHOWN, TimedOut, is_timeout


class TimeLimit:
    """The end of an operation's time. No field starts after it, and no statement runs beyond it."""

    def __init__(self, seconds: float) -> None:
        self.end = monotonic() + seconds

    def resolve(self, following: Callable[..., Any], root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        """A middleware of graphql-core."""
        if monotonic() > self.end:
            raise TimedOut
        return following(root, info, **arguments)


class TimedExecution(ExecutionContext):
    def handle_field_error(self, error: GraphQLError, return_type: GraphQLOutputType, path: Path) -> None:
        """End the operation after a timeout: all remaining fields would fail as well."""
        if is_timeout(error.original_error):
            raise error
        super().handle_field_error(error, return_type, path)


def execute_operation(
    schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], operation_name: str | None, context: Any
) -> ExecutionResult:
    limit = TimeLimit(settings.DSRHUB_GRAPHQL_SECONDS)
    with statements_end_by(limit.end):
        return execute_sync(
            schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            middleware=[limit],
            execution_context_class=TimedExecution,
            max_coercion_errors=ERRORS_SHOWN,
            hide_suggestions=not settings.DSRHUB_GRAPHQL_INTROSPECTION,
        )
