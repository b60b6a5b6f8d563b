"""How the OpenAPI document says who may call an operation."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from dsrhub.access.permissions import only_reads
from dsrhub.api.errors import ErrorSerializer


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "dsrhub.access.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": (
                "An API key or a token from the admin, or a token from `POST /token/`: `Authorization: Bearer <key>`, "
                "or `Token <key>`. An API key also needs the scope of the operation: `scope_missing`. A key that is "
                "wrong, expired or revoked is answered with 401, where anybody may read too. Any other scheme, such as "
                "`Basic`, is ignored: a proxy may have asked for it."
            ),
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": (
                "The cookie of a browser that is signed in to the admin. A write also needs the header `X-CSRFToken` "
                f"with the value of the cookie `{settings.CSRF_COOKIE_NAME}`."
            ),
        }


class OperationSchema(AutoSchema):
    """An operation, with the schemes of its view. Reads need none of them, unless DSRHUB_PRIVATE is on."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation and operation.get("security"):
            lacking = OpenApiResponse(ErrorSerializer, description="Signed in by an API key without the scope.")
            answer = self._get_response_for_code(  # type: ignore[no-untyped-call]
                lacking, "403", media_types=["application/json"]
            )
            operation["responses"].setdefault("403", answer)
        return operation

    def get_auth(self) -> list[dict[str, Any]]:
        schemes: list[dict[str, Any]] = super().get_auth()
        is_open = only_reads(self.view, self.method) and not settings.DSRHUB_PRIVATE
        return [{}, *schemes] if schemes and is_open else schemes
