"""The door of GraphQL: operations by POST, and the playground for browsers."""

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
from graphql_schema.errors import Refused, TooLarge
from graphql_schema.execution import executed
from graphql_schema.limits import check, parsed

# An operation with all its variables is read into memory.
BODY_LIMIT = 64 * 1024
RESPONSE_TYPE = "application/graphql-response+json"


@dataclass(frozen=True)
class Operation:
    """What a client asks to be executed."""

    query: str
    variables: dict[str, Any]
    name: str | None

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Raises Refused where the body is none of an operation."""
        try:
            sent = json.loads(body.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise Refused("The body must be JSON.") from None
        if not isinstance(sent, dict):
            raise Refused("The body must be one JSON object: several operations at once are not taken.")
        query, variables, name = (sent.get(key) for key in ("query", "variables", "operationName"))
        if not isinstance(query, str) or not query.strip():
            raise Refused("`query` must be a text.")
        if not isinstance(variables, dict | None):
            raise Refused("`variables` must be an object.")
        if not isinstance(name, str | None):
            raise Refused("`operationName` must be a text.")
        return cls(query, variables or {}, name or None)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


@method_decorator(never_cache, "dispatch")
class GraphQLView(APIView):
    """Who signs in by a session sends its CSRF token, as in REST; who sends a token of REST needs none.

    By GET there is the playground alone, so that neither a cache nor a link of another site executes anything.
    """

    http_method_names = ["get", "head", "post"]
    permission_classes = ()
    # It is no part of the OpenAPI document.
    schema = None
    served = GraphQLSchema()

    def get_exception_handler(self) -> Any:
        return errors.exception_handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before anything reads the body. Other sites can let a browser send forms, but no JSON.
        if request.method == "POST":
            if request.content_type.partition(";")[0].strip().lower() != "application/json":
                raise UnsupportedMediaType(request.content_type)
            if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
                raise TooLarge(f"A request may have {BODY_LIMIT} bytes.", limit=BODY_LIMIT)
        super().initial(request, *args, **kwargs)

    # The playground's dialogs bring a style element: the one of this page, which tells the nonce, is let in.
    @method_decorator(csp_update({"style-src": [SELF, NONCE]}))
    def get(self, request: Request) -> HttpResponse:
        if "text/html" not in request.headers.get("Accept", ""):
            raise MethodNotAllowed("GET", "Operations are sent by POST; by GET there is a page for browsers.")
        return render(request._request, "graphql_schema/graphiql.html")

    def post(self, request: Request) -> JsonResponse:
        if settings.DSRHUB_PRIVATE and not request.user.is_authenticated:
            self.permission_denied(request)
        operation = Operation.read(request.body)
        document = parsed(operation.query)
        check(self.served, document, operation.variables, operation.name)
        result = executed(self.served, document, operation.variables, operation.name, context=request)
        return errors.answer(result, media_type=_media_type(request))


def _media_type(request: Request) -> str:
    return RESPONSE_TYPE if RESPONSE_TYPE in request.headers.get("Accept", "") else "application/json"
