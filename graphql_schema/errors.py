"""The errors of GraphQL. Each has a stable code in its `extensions`; the details of internal errors are masked."""

import logging
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import JsonResponse
from graphene.utils.str_converters import to_camel_case
from graphql import ExecutionResult, GraphQLError, VariableDefinitionNode
from rest_framework import exceptions, status

from dsrhub.database.statements import is_canceled
from dsrhub.exceptions import DsrhubError, InvalidArgument
from dsrhub.http.bodies import BodyRefused
from dsrhub.logs.server import request_id
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.media_types import JSON, response_type

logger = logging.getLogger(__name__)

# Validation stops after this number of errors.
ERRORS_SHOWN = 20


# What the draft of GraphQL over HTTP proposes for a response with `data` and `errors`. No registry has it.
PARTIAL_SUCCESS = 294
# Responses in application/json keep the statuses that clients know since before the draft had others.
JSON_STATUS = {PARTIAL_SUCCESS: 200, 422: 400}


class RequestRefused(DsrhubError):
    """A request that is refused before anything is executed."""

    code = "bad_request"
    status: ClassVar[int] = status.HTTP_422_UNPROCESSABLE_ENTITY
    # The status of a response in application/json, if it is another than in JSON_STATUS.
    json_status: ClassVar[int | None] = None


class TooLarge(RequestRefused):
    code = "too_large"
    status = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class AddressTooLong(RequestRefused):
    code = "too_large"
    status = status.HTTP_414_REQUEST_URI_TOO_LONG


class TooSlow(RequestRefused):
    code = "too_slow"
    status = status.HTTP_408_REQUEST_TIMEOUT


class MethodRefused(RequestRefused):
    code = "method_not_allowed"
    status = status.HTTP_405_METHOD_NOT_ALLOWED


class TimedOut(DsrhubError):
    code = "timeout"

    def __init__(self) -> None:
        super().__init__(_("The operation took too long and was stopped."))


class InvalidDocument(Exception):
    """The errors that graphql-core finds in a document or its variables."""

    def __init__(self, code: str, errors: Iterable[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.status = 400 if code == "graphql_syntax" else 422
        self.errors = errors


class ErrorEncoder(DjangoJSONEncoder):
    """Encodes what the data of an error may hold: dates, decimals and dataclasses."""

    def default(self, o: Any) -> Any:
        return asdict(o) if is_dataclass(o) and not isinstance(o, type) else super().default(o)


def result_response(result: ExecutionResult, *, accept: str) -> JsonResponse:
    """The response to an executed operation. Wrong variables are found before the execution: nothing was executed."""
    if not result.errors:
        return _response({"data": result.data}, accept)
    if result.data is None and not any(error.path for error in result.errors):
        return _refusal(InvalidDocument("graphql_variables", result.errors), accept)
    errors = [field_error_json(error) for error in result.errors]
    return _response({"errors": errors, "data": result.data}, accept, status=PARTIAL_SUCCESS)


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse:
    """The response to a request of which nothing was executed."""
    return _refusal(error, context["request"].headers.get("Accept", ""))


def _refusal(error: Exception, accept: str) -> JsonResponse:
    if isinstance(error, InvalidDocument):
        errors = [location(each) | graphql_error_json(each, error.code) for each in error.errors]
        return _response({"errors": errors}, accept, status=error.status)
    if isinstance(error, BodyRefused):
        refused = {"message": error.message, "extensions": {"code": error.code}}
        return _response({"errors": [refused]}, accept, status=error.status_code, headers=error.headers)
    if isinstance(error, RequestRefused):
        return _response({"errors": [dsrhub_error_json(error)]}, accept, error.status, json_status=error.json_status)
    if isinstance(error, exceptions.APIException):
        named = {"WWW-Authenticate": "auth_header", "Retry-After": "wait"}  # as REST has them
        headers = {name: str(value) for name, key in named.items() if (value := getattr(error, key, None))}
        api_error = {"message": str(error.detail), "extensions": {"code": error.get_codes()}}
        return _response({"errors": [api_error]}, accept, error.status_code, headers=headers)
    return _response({"errors": [masked_error_json(error)]}, accept, status.HTTP_500_INTERNAL_SERVER_ERROR)


def _response(
    content: dict[str, Any], accept: str, status: int = 200, *, json_status: int | None = None, **options: Any
) -> JsonResponse:
    media_type = response_type(accept)
    if media_type == JSON:
        status = json_status or JSON_STATUS.get(status, status)
    return JsonResponse(content, encoder=ErrorEncoder, content_type=media_type, status=status, **options)


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
    variables = [node.variable.name.value for node in error.nodes or () if isinstance(node, VariableDefinitionNode)]
    named = {"variable": variables[0]} if variables else {}
    return {"message": error.message, "extensions": {"code": code, **named, **(error.extensions or {})}}


def dsrhub_error_json(error: DsrhubError) -> dict[str, Any]:
    extra = error.extra
    if isinstance(error, InvalidArgument):
        extra = extra | {"argument": to_camel_case(extra["argument"])}
    return {"message": error.message, "extensions": {"code": error.code, **extra}}


def masked_error_json(error: Exception) -> dict[str, Any]:
    """An internal error. It shows only the id of the request, with which the log records the details."""
    number = request_id()
    logger.error("Internal error in request %s", number, exc_info=error)
    return {"message": _("Internal error.").translated(), "extensions": {"code": "internal_error", "id": number}}
