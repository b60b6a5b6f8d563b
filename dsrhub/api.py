"""The border of REST: routes, what parameters are, how pages and errors look. Knows no application."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Self

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.views import defaults
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers, status
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError, NotReadyError

PAGE_LIMIT = 1000
LARGEST_PAGE = 10_000


# --- Routes ----------------------------------------------------------------------------------------------------


def either_slash(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A route as it is documented, and the same with or without its final slash: both answer, none redirects."""
    other = route.removesuffix("/") if route.endswith("/") else route + "/"
    return [path(route, view, name=name), path(other, undocumented(view))]


def undocumented(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The same view behind a plain function, which the OpenAPI document leaves out."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    # As DRF does for its views: it checks by itself, where a session signs the caller in.
    answer.csrf_exempt = True  # type: ignore[attr-defined]
    return answer


# --- Parameters and pages --------------------------------------------------------------------------------------


class WholeNumberField(serializers.IntegerField):
    """A whole number in plain digits: DRF's own field reads `1_0`, `10.0` and other scripts' digits too."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("-?[0-9]+", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class Parameters(serializers.Serializer[Any]):
    """Parameters of a request. One that comes twice is refused, as either value could be meant."""

    @classmethod
    def of(cls, sent: Any, *, ignore_unknown: bool = False, **in_path: str) -> dict[str, Any]:
        """The checked values of a query or a form. Raises ValidationError, which names the parameter."""
        parameters = cls._shared()
        known = sent.keys() & parameters.fields.keys() - in_path.keys()
        refused = {
            name: ["This parameter must come once.", "repeated"] for name in known if len(sent.getlist(name)) > 1
        }
        if not ignore_unknown:
            refused |= {name: ["This parameter is not known here.", "unknown"] for name in sent.keys() - known}
        if refused:
            raise serializers.ValidationError({name: [ErrorDetail(*why)] for name, why in refused.items()})
        # Not the data of a form, in which a blank value would pass for none.
        return dict(parameters.run_validation(dict(sent.items()) | in_path))

    @classmethod
    @cache
    def _shared(cls) -> Self:
        """One for all requests, as to copy its fields takes longer than to check them. Checking leaves it as it is."""
        return cls()


class PageParameters(Parameters):
    """Which page of a list: rows come in the order of a whole number, and a page starts behind one."""

    limit = WholeNumberField(min_value=1, max_value=LARGEST_PAGE, default=PAGE_LIMIT, help_text="How many at the most.")
    cursor = WholeNumberField(
        min_value=0, max_value=2**63 - 1, default=0, help_text="From the `Link` header of the page before."
    )


def page_response(
    request: Request, rows: Iterable[Any], serializer: type[serializers.Serializer[Any]], *, limit: int, key: str
) -> Response:
    """An array of at most `limit` rows. One row more, where there is one, tells that another page follows.

    The header `Link` leads to that page, which starts behind the `key` of the last row.
    """
    rows = list(rows)
    page = rows[:limit]
    response = Response(serializer(page, many=True).data)
    if len(rows) > limit:
        response["Link"] = link_to_next(request, limit=limit, cursor=getattr(page[-1], key))
    return response


def link_to_next(request: Request, *, limit: int, cursor: Any) -> str:
    """The value of the header `Link` (RFC 8288) with the address of the page that starts behind the cursor."""
    query = request.query_params.dict() | {"limit": limit, "cursor": cursor}
    return f'<{request.build_absolute_uri(request.path)}?{urlencode(query)}>; rel="next"'


def refuse_large_body(request: Request, limit: int) -> None:
    """Raise TooLarge where the body has more bytes. Call it before anything reads the body: a CSRF check does."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > limit:
        raise TooLarge(f"The request may have {limit} bytes.")


# --- Errors ----------------------------------------------------------------------------------------------------


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
