"""The endpoints of webhooks. Each reads its parameters, calls one service or selector, and returns the answer."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dsrhub.api.errors import (
    OF_JSON_BODIES,
    REFUSED,
    WRONG_PARAMETERS,
    ErrorSerializer,
)
from dsrhub.api.fields import EXACT_IN_WORDS
from dsrhub.api.pages import page_response
from dsrhub.api.parameters import Parameters, id_in_path
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.webhooks import selectors, services
from dsrhub.webhooks.api.serializers import (
    DeliveryParameters,
    WebhookBody,
    WebhookChangeBody,
    WebhookDeliverySerializer,
    WebhookSecretSerializer,
    WebhookSerializer,
)
from dsrhub.webhooks.exceptions import DeliveryNotFound, WebhookNotFound

VIEW, ADD, CHANGE, DELETE = (f"webhooks.{action}_webhook" for action in ("view", "add", "change", "delete"))
# Shown once: no cache may have it.
NO_STORE = {"Cache-Control": "no-store"}

LARGEST_ID, LARGEST_DELIVERY_ID = 2**31 - 1, 2**63 - 1
ID = OpenApiParameter("id", OpenApiTypes.INT, OpenApiParameter.PATH)
DELIVERY_ID = OpenApiParameter("delivery", OpenApiTypes.INT64, OpenApiParameter.PATH)
NOT_FOUND = {404: OpenApiResponse(ErrorSerializer, description="There is no such webhook.")}
DISABLED = {409: OpenApiResponse(ErrorSerializer, description="The webhook is disabled.")}


def webhook_number(text: str) -> int:
    return id_in_path(text, largest=LARGEST_ID, missing=WebhookNotFound, reason=_("There is no webhook %(id)s."))


def delivery_number(text: str) -> int:
    reason = _("There is no delivery %(id)s to this webhook.")
    return id_in_path(text, largest=LARGEST_DELIVERY_ID, missing=DeliveryNotFound, reason=reason)


class WebhookListView(APIView):
    read_permission = VIEW
    write_permissions = {"POST": ADD}
    parser_classes = [JSONParser]

    @extend_schema(
        operation_id="webhooks_list",
        summary="List webhooks",
        tags=["webhooks"],
        responses={200: WebhookSerializer(many=True), 400: WRONG_PARAMETERS, **REFUSED},
    )
    def get(self, request: Request) -> Response:
        """List all webhooks. Needs the permission `view_webhook`."""
        Parameters.of(request.query_params)
        return Response(WebhookSerializer(selectors.webhook_list(), many=True).data)

    @extend_schema(
        operation_id="webhooks_create",
        summary="Register a webhook",
        tags=["webhooks"],
        request={"application/json": WebhookBody},
        responses={201: WebhookSecretSerializer, **REFUSED, **OF_JSON_BODIES},
    )
    def post(self, request: Request) -> Response:
        """Register an address for some events. Needs the permission `add_webhook`.

        The answer has the secret that signs the events. It is not shown again.
        """
        webhook, secret = services.webhook_create(**WebhookBody.of(request.data))
        return _with_secret(webhook, secret, status.HTTP_201_CREATED)


class WebhookView(APIView):
    read_permission = VIEW
    write_permissions = {"PATCH": CHANGE, "DELETE": DELETE}
    parser_classes = [JSONParser]

    @extend_schema(
        operation_id="webhooks_read",
        summary="Get a webhook",
        tags=["webhooks"],
        parameters=[ID],
        responses={200: WebhookSerializer, 400: WRONG_PARAMETERS, **REFUSED, **NOT_FOUND},
    )
    def get(self, request: Request, id: str) -> Response:
        """Return a webhook. Needs the permission `view_webhook`."""
        Parameters.of(request.query_params)
        return Response(WebhookSerializer(selectors.webhook_get(webhook_number=webhook_number(id))).data)

    @extend_schema(
        operation_id="webhooks_change",
        summary="Change a webhook",
        tags=["webhooks"],
        parameters=[ID],
        request={"application/json": WebhookChangeBody},
        responses={200: WebhookSerializer, **REFUSED, **NOT_FOUND, **OF_JSON_BODIES},
    )
    def patch(self, request: Request, id: str) -> Response:
        """Change what is sent, enable or disable a webhook. Needs the permission `change_webhook`.

        The events of a disabled webhook wait, as long as events are kept. They are sent when it is enabled.
        """
        values = WebhookChangeBody.of(request.data)
        return Response(WebhookSerializer(services.webhook_change(webhook_number=webhook_number(id), **values)).data)

    @extend_schema(
        operation_id="webhooks_delete",
        summary="Delete a webhook",
        tags=["webhooks"],
        parameters=[ID],
        responses={204: None, **REFUSED, **NOT_FOUND},
    )
    def delete(self, request: Request, id: str) -> Response:
        """Delete a webhook, with the log of its deliveries. Needs the permission `delete_webhook`."""
        services.webhook_delete(webhook_number=webhook_number(id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class WebhookRotateView(APIView):
    write_permissions = {"POST": CHANGE}

    @extend_schema(
        operation_id="webhooks_rotate",
        summary="Rotate the secret of a webhook",
        tags=["webhooks"],
        parameters=[ID],
        request=None,
        responses={200: WebhookSecretSerializer, **REFUSED, **NOT_FOUND},
    )
    def post(self, request: Request, id: str) -> Response:
        """Give a webhook a new secret, which is not shown again. Needs the permission `change_webhook`.

        For a day, each event is signed with the secret before, too.
        """
        return _with_secret(*services.webhook_rotate(webhook_number=webhook_number(id)), status.HTTP_200_OK)


class WebhookTestView(APIView):
    write_permissions = {"POST": CHANGE}

    @extend_schema(
        operation_id="webhooks_test",
        summary="Send a test event",
        tags=["webhooks"],
        parameters=[ID],
        request=None,
        responses={202: WebhookDeliverySerializer, **REFUSED, **NOT_FOUND, **DISABLED},
    )
    def post(self, request: Request, id: str) -> Response:
        """Let a worker send an event of the type `webhook.test`. Needs the permission `change_webhook`."""
        delivery = services.webhook_test(webhook_number=webhook_number(id))
        return Response(WebhookDeliverySerializer(delivery).data, status.HTTP_202_ACCEPTED)


class DeliveryListView(APIView):
    read_permission = VIEW

    @extend_schema(
        operation_id="webhooks_deliveries",
        summary="List the deliveries to a webhook",
        tags=["webhooks"],
        parameters=[ID, DeliveryParameters, EXACT_IN_WORDS],
        responses={200: WebhookDeliverySerializer(many=True), 400: WRONG_PARAMETERS, **REFUSED, **NOT_FOUND},
    )
    def get(self, request: Request, id: str) -> Response:
        """List the events that were sent to a webhook, or wait for it, with the last answers of the receiver.

        The latest one comes first. Needs the permission `view_webhook`. The header `Link` has the address of the next
        page.
        """
        asked = DeliveryParameters.of(request.query_params)
        limit, exact = asked["limit"], asked["exact"]
        rows = selectors.delivery_list(
            webhook_number=webhook_number(id), state=asked.get("state"), before=asked["cursor"], limit=limit + 1
        )
        return page_response(request, rows, WebhookDeliverySerializer, limit=limit, exact=exact, key="pk")


class DeliveryResendView(APIView):
    write_permissions = {"POST": CHANGE}

    @extend_schema(
        operation_id="webhooks_resend",
        summary="Send an event again",
        tags=["webhooks"],
        parameters=[ID, DELIVERY_ID],
        request=None,
        responses={202: WebhookDeliverySerializer, **REFUSED, **NOT_FOUND, **DISABLED},
    )
    def post(self, request: Request, id: str, delivery: str) -> Response:
        """Let a worker send an event again, with the same id and content. Needs the permission `change_webhook`."""
        resent = services.delivery_resend(webhook_number=webhook_number(id), delivery_number=delivery_number(delivery))
        return Response(WebhookDeliverySerializer(resent).data, status.HTTP_202_ACCEPTED)


def _with_secret(webhook: object, secret: str, status_code: int) -> Response:
    answer = WebhookSecretSerializer({"webhook": webhook, "secret": secret})
    return Response(answer.data, status_code, headers=NO_STORE)
