"""The view of GraphQL: operations by POST, and the playground for browsers by GET.

It does not build on graphene-django's view: see docs/decisions/graphql.md.
"""

import json
from dataclasses import dataclass
from typing import Any, Self

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from graphql import GraphQLSchema
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.views import APIView

from graphql_schema import errors
from graphql_schema.errors import RequestRefused, TooLarge
from graphql_schema.execution import execute_operation
from graphql_schema.limits import check_document, parse_query

# The whole body is read into memory.
BODY_LIMIT = 64 * 1024
RESPONSE_TYPE = "application/graphql-response+json"


@dataclass(frozen=True)
class Operation:
    """The content of a request."""

    query: str
    variables: dict[str, Any]
    name: str | None

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Raises RequestRefused if the body is not that of an operation."""
        try:
            content = json.loads(body.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise RequestRefused("The body must be JSON.") from None
        if not isinstance(content, dict):
            raise RequestRefused("The body must be one JSON object. Batches of operations are not supported.")
        query, variables, name = (content.get(key) for key in ("query", "variables", "operationName"))
        if not isinstance(query, str) or not query.strip():
            raise RequestRefused("`query` must be a non-empty string.")
        if not isinstance(variables, dict | None):
            raise RequestRefused("`variables` must be an object.")
        if not isinstance(name, str | None):
            raise RequestRefused("`operationName` must be a string.")
        return cls(query, variables or {}, name or None)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


@method_decorator(never_cache, "dispatch")
class GraphQLView(APIView):
    """Authentication is that of REST: a session needs its CSRF token, an API token does not.

    GET returns only the playground, so neither a cache nor a link on another site can execute an operation.
    """

    http_method_names = ["get", "head", "post"]
    permission_classes = ()
    # The view is not part of the OpenAPI document.
    schema = None
    served = GraphQLSchema()

    def get_exception_handler(self) -> Any:
        return errors.exception_handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Checked before anything reads the body. Another site can make a browser send a form, but not JSON.
        if request.method == "POST":
            if request.content_type.partition(";")[0].strip().lower() != "application/json":
                raise UnsupportedMediaType(request.content_type)
            if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
                raise TooLarge(f"The body of a request may have at most {BODY_LIMIT} bytes.", limit=BODY_LIMIT)
        super().initial(request, *args, **kwargs)

    # The dialogs of the playground insert a style element. The nonce of the page allows that one.
    @method_decorator(csp_update({"style-src": [SELF, NONCE]}))
    def get(self, request: Request) -> HttpResponse:
        if "text/html" not in request.headers.get("Accept", ""):
            raise MethodNotAllowed("GET", "Send operations by POST. GET returns the playground, for browsers only.")
        return render(request._request, "graphql_schema/graphiql.html")

    def post(self, request: Request) -> JsonResponse:
        if settings.DSRHUB_PRIVATE and not request.user.is_authenticated:
            self.permission_denied(request)
        operation = Operation.read(request.body)
        document = parse_query(operation.query)
        check_document(self.served, document, operation.variables, operation.name)
        result = execute_operation(self.served, document, operation.variables, operation.name, context=request)
        return errors.result_response(result, media_type=_media_type(request))


def _media_type(request: Request) -> str:
    return RESPONSE_TYPE if RESPONSE_TYPE in request.headers.get("Accept", "") else "application/json"
