"""The view of GraphQL: operations by POST, queries by GET too, and the playground for browsers.

It does not build on graphene-django's view: see docs/decisions/graphql.md.
"""

from typing import Any

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from graphql import GraphQLSchema, OperationType
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.views import APIView

from dsrhub.http.bodies import content_length
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema import errors
from graphql_schema.errors import AddressTooLong, MethodRefused, TooLarge, TooSlow
from graphql_schema.execution import execute_operation
from graphql_schema.limits import check_document, parse_query
from graphql_schema.media_types import prefers_page
from graphql_schema.operations import Operation

# The whole body is read into memory.
BODY_LIMIT = 64 * 1024
# Browsers say with each request where it comes from, and scripts cannot change that.
OTHER_SITES = {"cross-site", "same-site"}


@method_decorator(never_cache, "dispatch")
class GraphQLView(APIView):
    """Authentication is that of REST: a session needs its CSRF token, an API token does not.

    GET executes only queries, and no cache stores their answers. Another site can make a browser send a GET with the
    session of a user, but cannot read the answer: such a request is refused, so that it does not even take time.
    """

    http_method_names = ["get", "head", "post"]
    permission_classes = ()
    # The view is not part of the OpenAPI document.
    schema = None
    served = GraphQLSchema()

    def get_exception_handler(self) -> Any:
        return errors.exception_handler

    @property
    def default_response_headers(self) -> dict[str, str]:
        return super().default_response_headers | {"Vary": "Accept"}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Checked before anything reads the body. Another site can make a browser send a form, but not JSON.
        if request.method == "POST":
            if request.content_type.partition(";")[0].strip().lower() != "application/json":
                raise UnsupportedMediaType(request.content_type)
            if content_length(request._request) > BODY_LIMIT:
                raise TooLarge(
                    _("The body of a request may have at most %(limit)s bytes.") % {"limit": BODY_LIMIT},
                    limit=BODY_LIMIT,
                )
        if len(request.META.get("QUERY_STRING", "")) > BODY_LIMIT:
            raise AddressTooLong(
                _("The query of an address may have at most %(limit)s bytes.") % {"limit": BODY_LIMIT}, limit=BODY_LIMIT
            )
        super().initial(request, *args, **kwargs)

    def get(self, request: Request) -> HttpResponse:
        is_operation = any(request.query_params.get(name) for name in ("query", "extensions"))
        if not is_operation and prefers_page(request.headers.get("Accept", "")):
            return self.page(request)
        if request.headers.get("Sec-Fetch-Site") in OTHER_SITES and _is_in_session(request):
            raise PermissionDenied(gettext("CSRF Failed: A request from another site cannot use a session."))
        return self.answer(request, Operation.from_address(request.query_params))

    # The dialogs of the playground insert a style element. The nonce of the page allows that one.
    @method_decorator(csp_update({"style-src": [SELF, NONCE]}))
    def page(self, request: Request) -> HttpResponse:
        return render(request._request, "graphql_schema/graphiql.html")

    def post(self, request: Request) -> JsonResponse:
        try:
            body = request.body
        except UnreadablePostError:
            raise TooSlow(_("The body of the request arrived too slowly or not completely.")) from None
        if len(body) > BODY_LIMIT:  # It was compressed.
            raise TooLarge(
                _("The body of a request may have at most %(limit)s bytes.") % {"limit": BODY_LIMIT}, limit=BODY_LIMIT
            )
        return self.answer(request, Operation.from_body(body))

    def answer(self, request: Request, operation: Operation) -> JsonResponse:
        if settings.DSRHUB_PRIVATE and not request.user.is_authenticated:
            self.permission_denied(request)
        document = parse_query(operation.query)
        kind = check_document(self.served, document, operation.variables, operation.name)
        if kind is OperationType.MUTATION and request.method != "POST":
            self.headers["Allow"] = "POST"
            raise MethodRefused(_("Send mutations by POST."))
        result = execute_operation(self.served, document, operation.variables, operation.name, context=request)
        return errors.result_response(result, accept=request.headers.get("Accept", ""))


def _is_in_session(request: Request) -> bool:
    return isinstance(request.successful_authenticator, SessionAuthentication)
