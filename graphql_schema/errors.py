"""The errors of GraphQL: each has a stable code in its `extensions`, and what is none of the caller's is masked."""

import logging
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import JsonResponse
from graphql import ExecutionResult, GraphQLError
from rest_framework import exceptions, status

from dsrhub.database.statements import is_canceled
from dsrhub.exceptions import DsrhubError
from dsrhub.logs import request_id

logger = logging.getLogger(__name__)

# How many errors of one kind are found in a request before the rest is not looked at.
ERRORS_SHOWN = 20


class Refused(DsrhubError):
    """A request that is answered without anything being executed."""

    code = "bad_request"
    status: ClassVar[int] = status.HTTP_400_BAD_REQUEST


class TooLarge(Refused):
    code = "too_large"
    status = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class TimedOut(DsrhubError):
    code = "timeout"

    def __init__(self) -> None:
        super().__init__("The operation took too long, and was stopped.")


class Invalid(Exception):
    """What graphql-core finds wrong with a document before it is executed."""

    def __init__(self, code: str, errors: Iterable[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


class PlainEncoder(DjangoJSONEncoder):
    """Dates, decimals and dataclasses too: what the data of an error may hold."""

    def default(self, o: Any) -> Any:
        return asdict(o) if is_dataclass(o) and not isinstance(o, type) else super().default(o)


def answer(result: ExecutionResult, *, media_type: str) -> JsonResponse:
    """What the execution of an operation came to: 200 unless it was not begun, as its variables are wrong."""
    if not result.errors:
        return _response({"data": result.data}, media_type=media_type)
    if result.data is None and not any(error.path for error in result.errors):
        return exception_handler(Invalid("graphql_variables", result.errors), {})
    errors = [formatted(error) for error in result.errors]
    return _response({"errors": errors, "data": result.data}, media_type=media_type)


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse:
    """The answer where nothing was executed."""
    if isinstance(error, Invalid):
        return _refusal([_placed(each) | _said(each, error.code) for each in error.errors])
    if isinstance(error, Refused):
        return _refusal([explained(error)], error.status)
    if isinstance(error, exceptions.APIException):
        headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else {}
        said = {"message": str(error.detail), "extensions": {"code": error.get_codes()}}
        return _refusal([said], error.status_code, headers=headers)
    return _refusal([masked(error)], status.HTTP_500_INTERNAL_SERVER_ERROR)


def _refusal(errors: list[dict[str, Any]], status: int = status.HTTP_400_BAD_REQUEST, **options: Any) -> JsonResponse:
    return _response({"errors": errors}, status=status, **options)


def _response(content: dict[str, Any], *, media_type: str = "application/json", **options: Any) -> JsonResponse:
    return JsonResponse(content, encoder=PlainEncoder, content_type=media_type, **options)


def formatted(error: GraphQLError) -> dict[str, Any]:
    """An error of a field as the client gets it."""
    cause = error.original_error or error
    if is_timeout(cause):
        return _placed(error) | explained(TimedOut())
    if isinstance(cause, DsrhubError):
        return _placed(error) | explained(cause)
    if isinstance(cause, GraphQLError):
        return _placed(error) | _said(cause, "graphql_execution")
    return _placed(error) | masked(cause)


def _placed(error: GraphQLError) -> dict[str, Any]:
    return {name: part for name, part in error.formatted.items() if name in {"locations", "path"}}


def _said(error: GraphQLError, code: str) -> dict[str, Any]:
    return {"message": error.message, "extensions": {"code": code, **(error.extensions or {})}}


def is_timeout(error: Exception | None) -> bool:
    """Whether it says that the time of the operation was over, by our clock or the database's."""
    is_cancelled = isinstance(error, OperationalError) and is_canceled(error)
    return is_cancelled or isinstance(error, TimedOut)


def explained(error: DsrhubError) -> dict[str, Any]:
    return {"message": error.message, "extensions": {"code": error.code, **error.extra}}


def masked(error: Exception) -> dict[str, Any]:
    """An error that tells nothing of the inside but the request's id, under which the log has all of it."""
    number = request_id()
    logger.error("Internal error in request %s", number, exc_info=error)
    return {"message": "Internal error.", "extensions": {"code": "internal_error", "id": number}}
