"""Errors of the REST API: what raises them, how they look, and how the OpenAPI document describes them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError, NotReadyError


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


class ErrorSerializer(serializers.Serializer[Any]):
    """Why not, for people and for programs."""

    detail = serializers.CharField()
    code = serializers.CharField(required=False)


class WrongParametersSerializer(serializers.Serializer[Any]):
    """What is wrong with which parameter."""


class WrongParametersSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Names of parameters as properties are nothing that a serializer could tell."""

    target_class = WrongParametersSerializer

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        finding = {
            "type": "object",
            "properties": {"message": {"type": "string"}, "code": {"type": "string"}},
            "required": ["message", "code"],
        }
        return {"type": "object", "additionalProperties": {"type": "array", "items": finding}}


WRONG_PARAMETERS = OpenApiResponse(WrongParametersSerializer, description="A wrong parameter, by its name.")
NOT_SIGNED_IN = OpenApiResponse(ErrorSerializer, description="Not signed in.")
READS_CLOSED = OpenApiResponse(ErrorSerializer, description="Not signed in, where reads are closed too.")
NOT_ALLOWED = OpenApiResponse(ErrorSerializer, description="Signed in without the permission.")
TOO_LARGE = OpenApiResponse(ErrorSerializer, description="The request is too large.")
NOT_THIS_TYPE = OpenApiResponse(ErrorSerializer, description="A body of this content type is not read here.")
TOO_MANY = OpenApiResponse(ErrorSerializer, description="Too many attempts; `Retry-After` tells how long to wait.")

# What Django raises, and DRF's error that says the same.
TRANSLATED: tuple[tuple[type[Exception], type[exceptions.APIException]], ...] = (
    (PermissionDenied, exceptions.PermissionDenied),
    (RequestDataTooBig, TooLarge),
    (SuspiciousOperation, exceptions.ParseError),
)


STATUS = (
    (ConflictError, status.HTTP_409_CONFLICT),
    (NotReadyError, status.HTTP_503_SERVICE_UNAVAILABLE),
)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Every error of REST in one shape.

    A wrong parameter: `{"<parameter>": [{"message": ..., "code": ...}]}`. Not found: `{"detail": "Not found."}`,
    as the contract has it. All else: `{"detail": ..., "code": ...}` and what the error knows beside it.
    """
    if isinstance(error, (Http404, NotFoundError, exceptions.NotFound)):
        return Response({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)
    if isinstance(error, DsrhubError):
        code = next((code for kind, code in STATUS if isinstance(error, kind)), status.HTTP_400_BAD_REQUEST)
        return Response({"detail": error.message, "code": error.code, **_plain(error.extra)}, status=code)
    error = next((same() for kind, same in TRANSLATED if isinstance(error, kind)), error)
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.ValidationError):
        return Response(error.get_full_details(), status=error.status_code)
    how_to_sign_in = getattr(error, "auth_header", None)
    headers = {"WWW-Authenticate": how_to_sign_in} if how_to_sign_in else {}
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(error.wait)  # type: ignore[attr-defined]
    details = {"detail": error.detail, "code": error.get_codes()}
    return Response(details, status=error.status_code, headers=headers)


def _plain(value: Any) -> Any:
    """Dataclasses as objects without their empty properties, inside whatever holds them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: part for name, part in dataclasses.asdict(value).items() if part is not None}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The answer where no route leads."""
    if request.path.startswith("/admin/"):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """The answer to a fault of ours, which the log has."""
    if request.path.startswith("/admin/"):
        return defaults.server_error(request)
    return JsonResponse({"detail": "Server error.", "code": "server_error"}, status=500)
