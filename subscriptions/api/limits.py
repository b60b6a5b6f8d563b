"""The REST endpoints of price limits, and of what reached them."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dsrhub.api.errors import (
    OF_JSON_BODIES,
    READS_CLOSED,
    REFUSED,
    WRONG_PARAMETERS,
    ErrorSerializer,
)
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field, TextField
from dsrhub.api.pages import PageParameters, page_response
from dsrhub.api.parameters import Body, id_in_path
from dsrhub.api.parsers import StrictJSONParser
from dsrhub.database.pages import page_by_id
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.api.serializers import (
    LARGEST_ID,
    SMALLEST_ID,
    DayField,
    PriceField,
    RangeParameters,
    subscription_field,
)
from subscriptions.api.subscribers import NO_SUBSCRIPTION
from subscriptions.exceptions import LimitNotFound
from subscriptions.limits.selectors import limit_crossing_list, limits_are_current, price_limit_list
from subscriptions.limits.services import price_limit_delete, price_limit_set
from subscriptions.models import LimitCrossing, LimitScope, LimitSpan, PriceLimit, Subscription, UsageType

ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH)
NO_LIMIT = OpenApiResponse(ErrorSerializer, description="There is no such price limit.")
CURRENT = OpenApiParameter(
    "current",
    OpenApiTypes.BOOL,
    OpenApiParameter.HEADER,
    description="Whether the answer includes every record and limit that was accepted. If `false`, a worker is behind.",
    response=[200],
)

# --- Parameters ------------------------------------------------------------------------------------------------


class IdField(serializers.IntegerField):
    """An id in a JSON object. DRF's own field also reads texts, truth values and decimals."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class PriceTextField(PriceField):
    """An exact number as text: a JSON number would lose digits."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class MonthField(TextField):
    """A month in the form 2026-01. Its value is its first day."""

    default_error_messages = {"no_month": gettext_lazy("Not a month such as 2026-01.")}

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            return DayField().run_validation(f"{text}-01")
        except serializers.ValidationError:
            self.fail("no_month")


class PriceLimitBody(Body):
    """A price limit: of a subscription, of a carrier, or without both of all."""

    usage_type = serializers.ChoiceField(UsageType.choices)
    span = serializers.ChoiceField(LimitSpan.choices, help_text="Each calendar month by itself, or all time.")
    price = PriceTextField(help_text="More than zero. A price that is equal to it has reached it.")
    subscription = IdField(min_value=SMALLEST_ID, max_value=LARGEST_ID, required=False, source="subscription_id")
    carrier = serializers.ChoiceField(Subscription.Carrier.choices, required=False)
    since = MonthField(
        required=False, help_text="The first month that has the limit, such as 2026-01. Only with the span month."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {"usage_type": UsageType(attrs["usage_type"]), "span": LimitSpan(attrs["span"])}


class PriceLimitParameters(PageParameters):
    subscription = subscription_field("Only the limit of this subscription.")
    carrier = serializers.ChoiceField(Subscription.Carrier.choices, required=False)
    type = serializers.ChoiceField(UsageType.choices, required=False)


class CrossingParameters(RangeParameters):
    first_day, last_day = "Reached on this day or later.", "Reached on this day or earlier."

    subscription = subscription_field("Only of this subscription.")
    type = serializers.ChoiceField(UsageType.choices, required=False)
    span = serializers.ChoiceField(LimitSpan.choices, required=False)
    withdrawn = serializers.BooleanField(default=False, help_text="Whether those that were withdrawn are listed, too.")


# --- Answers ---------------------------------------------------------------------------------------------------


class PriceLimitSerializer(serializers.Serializer[PriceLimit]):
    """A price limit. Without a subscription and a carrier, it is for all that have none of their own."""

    id = Int64Field()
    usage_type = serializers.ChoiceField(UsageType.choices)
    span = serializers.ChoiceField(LimitSpan.choices)
    price = ExactField()
    subscription = Int64Field(source="subscription_id", allow_null=True)
    carrier = serializers.CharField(allow_null=True, help_text="A carrier: att or sprint.")
    since = serializers.SerializerMethodField(help_text="The first month that has the limit, such as 2026-01.")

    def get_since(self, limit: PriceLimit) -> str | None:
        return f"{limit.since:%Y-%m}" if limit.since else None


class LimitCrossingSerializer(serializers.Serializer[LimitCrossing]):
    """The day on which the price of a subscription first reached its limit, in a month or in total."""

    id = Int64Field()
    subscription_id = Int64Field()
    usage_type = serializers.ChoiceField(UsageType.choices)
    span = serializers.ChoiceField(LimitSpan.choices)
    month = serializers.SerializerMethodField(help_text="Such as 2026-01. Of the total, there is none.")
    day = serializers.DateField()
    price_limit = ExactField()
    limit_of = serializers.ChoiceField(LimitScope.choices, source="scope")
    found_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was withdrawn: later records or limits made it wrong."
    )

    def get_month(self, crossing: LimitCrossing) -> str | None:
        return f"{crossing.month:%Y-%m}" if crossing.month else None


# --- Views -----------------------------------------------------------------------------------------------------

NEW_LIMIT = {"usage_type": "data", "span": "month", "price": "12.50", "carrier": "att", "since": "2026-01"}
LIMIT = {"id": 1, "subscription": None, **NEW_LIMIT}
ONE_LIMIT = OpenApiExample("A price limit", value=LIMIT, response_only=True)
NEW_LIMITS = [
    OpenApiExample("Of a carrier", value=NEW_LIMIT, request_only=True),
    OpenApiExample(
        "Of a subscription",
        value={"usage_type": "voice", "span": "total", "price": "100", "subscription": 7},
        request_only=True,
    ),
    OpenApiExample("Of all", value={"usage_type": "data", "span": "month", "price": "50"}, request_only=True),
]
CROSSING = OpenApiExample(
    "A limit that was reached",
    value={
        "id": 5,
        "subscription_id": 7,
        "usage_type": "data",
        "span": "month",
        "month": "2026-01",
        "day": "2026-01-20",
        "price_limit": "12.50",
        "limit_of": "carrier",
        "found_at": "2026-01-20T08:30:00.123456Z",
        "withdrawn_at": None,
    },
    response_only=True,
)


class PriceLimitListView(APIView):
    write_permissions = {"POST": "subscriptions.add_pricelimit"}
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="subscriptions_limits",
        summary="List price limits",
        tags=["subscriptions"],
        parameters=[PriceLimitParameters, EXACT_IN_WORDS],
        responses={200: PriceLimitSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
        examples=[ONE_LIMIT],
    )
    def get(self, request: Request) -> Response:
        """The price limits. Of a subscription, its own one applies, else that of its carrier, else that of all.

        With the parameter `exact=true`, ids are text, of which no client loses a digit.
        """
        asked = PriceLimitParameters.of(request.query_params)
        found = price_limit_list(
            subscription_id=asked.get("subscription"), carrier=asked.get("carrier"), usage_type=asked.get("type")
        )
        return _page(request, found, PriceLimitSerializer, asked)

    @extend_schema(
        operation_id="subscriptions_limits_set",
        summary="Set a price limit",
        tags=["subscriptions"],
        request={"application/json": PriceLimitBody},
        responses={
            200: PriceLimitSerializer,
            201: PriceLimitSerializer,
            404: NO_SUBSCRIPTION,
            **REFUSED,
            **OF_JSON_BODIES,
        },
        examples=[ONE_LIMIT, *NEW_LIMITS],
    )
    def post(self, request: Request) -> Response:
        """Set the price limit of a subscription, of a carrier or of all, in place of the one it has.

        Needs the permission `add_pricelimit`. A worker then finds out who reached it.
        """
        limit = price_limit_set(**PriceLimitBody.of(request.data))
        status_code = status.HTTP_201_CREATED if limit.is_new else status.HTTP_200_OK
        return Response(PriceLimitSerializer(limit).data, status_code)


class PriceLimitView(APIView):
    write_permissions = {"DELETE": "subscriptions.delete_pricelimit"}

    @extend_schema(
        operation_id="subscriptions_limits_delete",
        summary="Delete a price limit",
        tags=["subscriptions"],
        parameters=[ID],
        responses={204: None, 404: NO_LIMIT, **REFUSED},
    )
    def delete(self, request: Request, id: str) -> Response:
        """Delete a price limit. What reached it is withdrawn. Needs the permission `delete_pricelimit`."""
        reason = _("There is no price limit %(id)s.")
        price_limit_delete(limit_number=id_in_path(id, largest=LARGEST_ID, missing=LimitNotFound, reason=reason))
        return Response(status=status.HTTP_204_NO_CONTENT)


class LimitCrossingListView(APIView):
    @extend_schema(
        operation_id="subscriptions_crossings",
        summary="List the limits that subscriptions reached",
        tags=["subscriptions"],
        parameters=[CrossingParameters, EXACT_IN_WORDS, CURRENT],
        responses={200: LimitCrossingSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
        examples=[CROSSING],
    )
    def get(self, request: Request) -> Response:
        """Which subscription first reached which price limit, on which day.

        With the parameter `exact=true`, ids are text, of which no client loses a digit.
        """
        asked = CrossingParameters.of(request.query_params)
        # Asked first: what a worker follows in between is in the answer.
        is_current = limits_are_current()
        found = limit_crossing_list(
            subscription_id=asked.get("subscription"),
            usage_type=asked.get("type"),
            span=asked.get("span"),
            start=asked.get("start"),
            end=asked.get("end"),
            with_withdrawn=asked["withdrawn"],
        )
        response = _page(request, found, LimitCrossingSerializer, asked)
        response["current"] = "true" if is_current else "false"
        return response


def _page(request: Request, found: Any, serializer: Any, asked: dict[str, Any]) -> Response:
    limit = asked["limit"]
    rows = page_by_id(found, after=asked["cursor"], limit=limit + 1)
    return page_response(request, rows, serializer, limit=limit, exact=asked["exact"], key="pk")
