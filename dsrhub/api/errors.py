"""Errors of the REST API: what raises them, how they look, and how the OpenAPI document describes them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer
from rest_framework import exceptions, serializers, status, views
from rest_framework.response import Response

from dsrhub.exceptions import (
    BusyError,
    ConflictError,
    DsrhubError,
    InvalidArgument,
    NotFoundError,
    NotReadyError,
    RequestTooLarge,
)
from dsrhub.http.bodies import BodyRefused, refusal
from dsrhub.http.refusals import form_refused


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too large.")
    default_code = "too_large"


class TooSlow(exceptions.APIException):
    status_code = status.HTTP_408_REQUEST_TIMEOUT
    default_detail = _("The body of the request arrived too slowly or not completely.")
    default_code = "too_slow"


class ErrorSerializer(serializers.Serializer[Any]):
    """The reason: a text for people and a code for programs."""

    detail = serializers.CharField()
    code = serializers.CharField(required=False)


class WrongParametersSerializer(serializers.Serializer[Any]):
    """The errors of each parameter, by its name."""


class WrongParametersSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Describes an object whose properties are names of parameters, which a serializer cannot express."""

    target_class = WrongParametersSerializer

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        finding = {
            "type": "object",
            "properties": {"message": {"type": "string"}, "code": {"type": "string"}},
            "required": ["message", "code"],
        }
        return {"type": "object", "additionalProperties": {"type": "array", "items": finding}}


WRONG_PARAMETERS = OpenApiResponse(WrongParametersSerializer, description="The errors of each parameter, by its name.")
WRONG_BODY = OpenApiResponse(
    PolymorphicProxySerializer("WrongBody", [ErrorSerializer, WrongParametersSerializer], None),
    description="The errors of each property, by its name, or of the body.",
)
NOT_SIGNED_IN = OpenApiResponse(ErrorSerializer, description="Not signed in, or by a token that is not valid.")
READS_CLOSED = OpenApiResponse(
    ErrorSerializer,
    description="Signed in by a token that is not valid; or not signed in, on a server that closes reads too.",
)
NOT_ALLOWED = OpenApiResponse(ErrorSerializer, description="Signed in, but without the permission.")
TOO_SLOW = OpenApiResponse(ErrorSerializer, description="The body arrived too slowly.")
NO_LENGTH = OpenApiResponse(ErrorSerializer, description="The request has a body without a `Content-Length`.")
BUSY = OpenApiResponse(ErrorSerializer, description="Too many uploads at a time. Retry after `Retry-After` seconds.")
TOO_LARGE = OpenApiResponse(ErrorSerializer, description="The request is too large.")
NOT_THIS_TYPE = OpenApiResponse(ErrorSerializer, description="This content type is not supported.")
# The refusals of what needs a permission, and those of a body of JSON.
REFUSED = {401: NOT_SIGNED_IN, 403: NOT_ALLOWED}
OF_JSON_BODIES = {400: WRONG_BODY, 411: NO_LENGTH, 413: TOO_LARGE, 415: NOT_THIS_TYPE}
TOO_MANY = OpenApiResponse(ErrorSerializer, description="Too many attempts. `Retry-After` gives the seconds to wait.")

# Errors of Django, and the errors of DRF with the same meaning.
TRANSLATED: tuple[tuple[type[Exception], type[exceptions.APIException]], ...] = (
    (PermissionDenied, exceptions.PermissionDenied),
    (RequestDataTooBig, TooLarge),
    (UnreadablePostError, TooSlow),
    (SuspiciousOperation, exceptions.ParseError),
)

# The status of dsrhub's errors; for the others it is 400.
STATUS = (
    (BusyError, status.HTTP_429_TOO_MANY_REQUESTS),
    (ConflictError, status.HTTP_409_CONFLICT),
    (NotReadyError, status.HTTP_503_SERVICE_UNAVAILABLE),
    (RequestTooLarge, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE),
)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The response to an error, in one of three shapes.

    A wrong parameter: `{"<parameter>": [{"message": ..., "code": ...}]}`. Not found: `{"detail": "Not found."}`,
    as the contract defines it. Anything else: `{"detail": ..., "code": ...}` and the error's own data.
    """
    if isinstance(error, (Http404, NotFoundError, exceptions.NotFound)):
        return Response({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)
    if isinstance(error, InvalidArgument):
        return Response({error.extra["argument"]: [{"message": error.message, "code": error.code}]}, status=400)
    if isinstance(error, DsrhubError):
        status_code = next((number for kind, number in STATUS if isinstance(error, kind)), status.HTTP_400_BAD_REQUEST)
        headers = {"Retry-After": str(error.retry_seconds)} if isinstance(error, BusyError) else None
        content = {"detail": error.message, "code": error.code, **_plain(error.extra)}
        return Response(content, status=status_code, headers=headers)
    if isinstance(error, BodyRefused):
        return Response({"detail": error.message, "code": error.code}, status=error.status_code, headers=error.headers)
    error = next((translated() for kind, translated in TRANSLATED if isinstance(error, kind)), error)
    if not isinstance(error, exceptions.APIException):
        return None
    # DRF's handler gives the status and the headers: how to sign in, and when to retry.
    response: Response = views.exception_handler(error, dict(context))  # type: ignore[assignment]
    if isinstance(error, exceptions.ValidationError):
        response.data = error.get_full_details()
    else:
        response.data = {"detail": error.detail, "code": error.get_codes()}
    return response


def _plain(value: Any) -> Any:
    """The value with its dataclasses, nested ones included, as objects without empty properties."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: part for name, part in dataclasses.asdict(value).items() if part is not None}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The response to a request that Django or a form of the admin refuses."""
    if isinstance(exception, BodyRefused):
        return refusal(request, exception)
    if request.path_info.startswith("/admin/"):
        return form_refused(request, exception)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The response to an address without a route."""
    if request.path_info.startswith("/admin/"):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """The response to an error of the server, which is logged."""
    if request.path_info.startswith("/admin/"):
        return defaults.server_error(request)
    return JsonResponse({"detail": "Server error.", "code": "server_error"}, status=500)
