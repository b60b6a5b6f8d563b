"""Executes an operation within its limits of time and size.

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
from dsrhub.exceptions import AnswerTooLarge
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.errors import ERRORS_SHOWN, TimedOut, is_timeout

# In bytes. Usual answers have less than 1 MiB, and a page of lists that is cut short fits.
ANSWER_BYTES = 16 * 1024 * 1024
# JSON has a character that is not ASCII as an escape of six.
ESCAPE_BYTES = 6


class ExecutionLimits:
    """The end of an operation's time, and the size of the texts in its answer.

    No field starts after that end, and no statement runs beyond it.
    """

    def __init__(self, seconds: float) -> None:
        self.end = monotonic() + seconds
        self.answer_bytes = 0

    def resolve(self, following: Callable[..., Any], root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        """A middleware of graphql-core."""
        if monotonic() > self.end:
            raise TimedOut
        value = following(root, info, **arguments)
        if isinstance(value, str):
            self.answer_bytes += len(value) if value.isascii() else len(value) * ESCAPE_BYTES
            if self.answer_bytes > ANSWER_BYTES:
                raise AnswerTooLarge(
                    _("The answer has more than %(limit)s bytes. Request less at a time.") % {"limit": ANSWER_BYTES}
                )
        return value


class LimitedExecution(ExecutionContext):
    def handle_field_error(self, error: GraphQLError, return_type: GraphQLOutputType, path: Path) -> None:
        """End the operation beyond its limits: all remaining fields would fail as well."""
        if is_timeout(error.original_error) or isinstance(error.original_error, AnswerTooLarge):
            raise error
        super().handle_field_error(error, return_type, path)


def execute_operation(
    schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], operation_name: str | None, context: Any
) -> ExecutionResult:
    limits = ExecutionLimits(settings.DSRHUB_GRAPHQL_SECONDS)
    with statements_end_by(limits.end):
        return execute_sync(
            schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            middleware=[limits],
            execution_context_class=LimitedExecution,
            max_coercion_errors=ERRORS_SHOWN,
            hide_suggestions=not settings.DSRHUB_GRAPHQL_INTROSPECTION,
        )
