"""The border of REST: routes, what parameters are, how pages and errors look. Knows no application."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.views.defaults import page_not_found
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError

PAGE_LIMIT = 1000
LARGEST_PAGE = 10_000


# --- Routes ----------------------------------------------------------------------------------------------------


def either_slash(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """A route as it is documented, and the same with or without its final slash: both answer, none redirects."""
    other = route.removesuffix("/") if route.endswith("/") else route + "/"
    return [path(route, view, name=name), path(other, _undocumented(view))]


def _undocumented(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The same view behind a plain function, which the OpenAPI document leaves out."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    # As DRF does for its views: it checks by itself, where a session signs the caller in.
    answer.csrf_exempt = True  # type: ignore[attr-defined]
    return answer


# --- Parameters and pages --------------------------------------------------------------------------------------


class Parameters(serializers.Serializer[Any]):
    """Parameters of a request. One that comes twice is refused, as either value could be meant."""

    def to_internal_value(self, data: Mapping[str, Any]) -> Any:
        repeated = {
            name: [serializers.ErrorDetail("This parameter must come once.", code="repeated")]
            for name in self.fields
            if hasattr(data, "getlist") and len(data.getlist(name)) > 1
        }
        if repeated:
            raise serializers.ValidationError(repeated)
        return super().to_internal_value(data)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """The checked values. Raises ValidationError, which names the parameter."""
        parameters = cls(data=data)
        parameters.is_valid(raise_exception=True)
        return dict(parameters.validated_data)


class StrictParameters(Parameters):
    """Parameters of an endpoint of our own: one that is not known is refused."""

    def to_internal_value(self, data: Mapping[str, Any]) -> Any:
        unknown = {
            name: [serializers.ErrorDetail("This parameter is not known here.", code="unknown")]
            for name in data
            if name not in self.fields
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class PageParameters(serializers.Serializer[Any]):
    """Which page of a list: rows come in the order of a whole number, and a page starts behind one."""

    limit = serializers.IntegerField(
        min_value=1, max_value=LARGEST_PAGE, default=PAGE_LIMIT, help_text="How many at the most."
    )
    cursor = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, default=0, help_text="From the `Link` header of the page before."
    )


class StrictPageParameters(PageParameters, StrictParameters):
    """Which page of a list that is an endpoint of our own."""


def page_response(request: Request, rows: Sequence[Any], *, limit: int, last_key: Callable[[Any], int]) -> Response:
    """An array of rows; where there may be more, the header `Link` has the address of the next page (RFC 8288)."""
    response = Response(rows)
    if len(rows) == limit:
        query = {**request.query_params.dict(), "limit": limit, "cursor": last_key(rows[-1])}
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{urlencode(query)}>; rel="next"'
    return response


# --- Errors ----------------------------------------------------------------------------------------------------


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


STATUS_OF_ERROR: tuple[tuple[type[DsrhubError], int], ...] = (
    (NotFoundError, status.HTTP_404_NOT_FOUND),
    (ConflictError, status.HTTP_409_CONFLICT),
    (DsrhubError, status.HTTP_400_BAD_REQUEST),
)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Every error of REST in one shape.

    A wrong parameter: `{"<parameter>": [{"message": ..., "code": ...}]}`. Not found: `{"detail": "Not found."}`,
    as the contract has it. All else: `{"detail": ..., "code": ...}` and what the error knows beside it.
    """
    if isinstance(error, (Http404, NotFoundError, exceptions.NotFound)):
        return Response({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)
    if isinstance(error, DsrhubError):
        code = next(code for kind, code in STATUS_OF_ERROR if isinstance(error, kind))
        return Response({"detail": error.message, "code": error.code, **_plain(error.extra)}, status=code)
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.ValidationError):
        return Response(error.get_full_details(), status=error.status_code)
    headers = {"WWW-Authenticate": error.auth_header} if getattr(error, "auth_header", None) else None
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
        return page_not_found(request, exception)
    return JsonResponse({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """The answer to a fault of ours, which the log has."""
    return JsonResponse({"detail": "Server error.", "code": "server_error"}, status=500)
