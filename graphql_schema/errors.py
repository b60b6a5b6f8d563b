"""The errors of GraphQL. Each has a stable code in its `extensions`; the details of internal errors are masked."""

import logging
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import JsonResponse
from graphene.utils.str_converters import to_camel_case
from graphql import ExecutionResult, GraphQLError
from rest_framework import exceptions, status

from dsrhub.database.statements import is_canceled
from dsrhub.exceptions import DsrhubError, InvalidArgument
from dsrhub.logs import request_id

logger = logging.getLogger(__name__)

# Validation stops after this number of errors.
ERRORS_SHOWN = 20


class RequestRefused(DsrhubError):
    """A request that is refused before anything is executed."""

    code = "bad_request"
    status: ClassVar[int] = status.HTTP_400_BAD_REQUEST


class TooLarge(RequestRefused):
    code = "too_large"
    status = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class TimedOut(DsrhubError):
    code = "timeout"

    def __init__(self) -> None:
        super().__init__("The operation took too long and was stopped.")


class InvalidDocument(Exception):
    """The errors that graphql-core finds in a document or its variables."""

    def __init__(self, code: str, errors: Iterable[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


class ErrorEncoder(DjangoJSONEncoder):
    """Encodes what the data of an error may hold: dates, decimals and dataclasses."""

    def default(self, o: Any) -> Any:
        return asdict(o) if is_dataclass(o) and not isinstance(o, type) else super().default(o)


def result_response(result: ExecutionResult, *, media_type: str) -> JsonResponse:
    """The response to an executed operation. Wrong variables are found before the execution, and give status 400."""
    if not result.errors:
        return _response({"data": result.data}, media_type=media_type)
    if result.data is None and not any(error.path for error in result.errors):
        return exception_handler(InvalidDocument("graphql_variables", result.errors), {})
    errors = [field_error_json(error) for error in result.errors]
    return _response({"errors": errors, "data": result.data}, media_type=media_type)


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse:
    """The response to a request of which nothing was executed."""
    if isinstance(error, InvalidDocument):
        return _errors_response([location(each) | graphql_error_json(each, error.code) for each in error.errors])
    if isinstance(error, RequestRefused):
        return _errors_response([dsrhub_error_json(error)], error.status)
    if isinstance(error, exceptions.APIException):
        named = {"WWW-Authenticate": "auth_header", "Retry-After": "wait"}  # as REST has them
        headers = {name: str(value) for name, key in named.items() if (value := getattr(error, key, None))}
        api_error = {"message": str(error.detail), "extensions": {"code": error.get_codes()}}
        return _errors_response([api_error], error.status_code, headers=headers)
    return _errors_response([masked_error_json(error)], status.HTTP_500_INTERNAL_SERVER_ERROR)


def _errors_response(
    errors: list[dict[str, Any]], status: int = status.HTTP_400_BAD_REQUEST, **options: Any
) -> JsonResponse:
    return _response({"errors": errors}, status=status, **options)


def _response(content: dict[str, Any], *, media_type: str = "application/json", **options: Any) -> JsonResponse:
    return JsonResponse(content, encoder=ErrorEncoder, content_type=media_type, **options)


def field_error_json(error: GraphQLError) -> dict[str, Any]:
    """An error that a field raised, as the client gets it."""
    cause = error.original_error or error
    if is_timeout(cause):
        return location(error) | dsrhub_error_json(TimedOut())
    if isinstance(cause, DsrhubError):
        return location(error) | dsrhub_error_json(cause)
    if isinstance(cause, GraphQLError):
        return location(error) | graphql_error_json(cause, "graphql_execution")
    return location(error) | masked_error_json(cause)


def location(error: GraphQLError) -> dict[str, Any]:
    """Where an error is: its place in the query, and the path of its field."""
    return {name: part for name, part in error.formatted.items() if name in {"locations", "path"}}


def is_timeout(error: Exception | None) -> bool:
    """Whether the operation exceeded its time limit, by our clock or by the database's."""
    is_cancelled = isinstance(error, OperationalError) and is_canceled(error)
    return is_cancelled or isinstance(error, TimedOut)


def graphql_error_json(error: GraphQLError, code: str) -> dict[str, Any]:
    return {"message": error.message, "extensions": {"code": code, **(error.extensions or {})}}


def dsrhub_error_json(error: DsrhubError) -> dict[str, Any]:
    extra = error.extra
    if isinstance(error, InvalidArgument):
        extra = extra | {"argument": to_camel_case(extra["argument"])}
    return {"message": error.message, "extensions": {"code": error.code, **extra}}


def masked_error_json(error: Exception) -> dict[str, Any]:
    """An internal error. It shows only the id of the request, with which the log records the details."""
    number = request_id()
    logger.error("Internal error in request %s", number, exc_info=error)
    return {"message": "Internal error.", "extensions": {"code": "internal_error", "id": number}}
