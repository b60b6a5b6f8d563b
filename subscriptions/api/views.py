"""The endpoints of usage. Each reads its parameters, calls one selector and returns the answer."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS, ErrorSerializer
from dsrhub.api.pages import page_response
from dsrhub.api.parameters import number_in_path
from subscriptions.aggregates import selectors
from subscriptions.aggregates.selectors import Answer
from subscriptions.api.formats import ByParameterOrHeader, CSVRenderer
from subscriptions.api.serializers import (
    LARGEST_ID,
    OverLimitParameters,
    SubscriptionOverPriceSerializer,
    UsageOfOneParameters,
    UsageParameters,
    UsageTotalSerializer,
)
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.subscribers.selectors import subscription_get

JSON = JSONRenderer.media_type
HEADERS = [
    OpenApiParameter(
        "as_of",
        OpenApiTypes.DATETIME,
        OpenApiParameter.HEADER,
        description="The answer includes every record that was accepted by this time.",
        response=[200],
    ),
    OpenApiParameter(
        "Link", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The next page, if there is one.", response=[200]
    ),
]
SUBSCRIPTION_ID = OpenApiParameter("id", OpenApiTypes.INT, OpenApiParameter.PATH)


def answers(serializer: type[Serializer[Any]]) -> dict[Any, Any]:
    return {
        (200, JSON): serializer(many=True),
        (200, CSVRenderer.media_type): OpenApiTypes.STR,
        (400, JSON): WRONG_PARAMETERS,
        (401, JSON): READS_CLOSED,
    }


class AnswerView(APIView):
    """Rows of usage as JSON or CSV. Errors are always JSON."""

    renderer_classes = [JSONRenderer, CSVRenderer]
    content_negotiation_class: type[BaseContentNegotiation] = ByParameterOrHeader
    csv_columns: list[str]

    def csv_rows(self, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        return rows

    def handle_exception(self, exc: Exception) -> Response:
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSON
        return super().handle_exception(exc)

    def answer(self, answer: Answer[Any], serializer: type[Serializer[Any]], *, limit: int) -> Response:
        response = page_response(self.request, answer.rows, serializer, limit=limit, key="cursor")
        response["as_of"] = answer.as_of.isoformat()
        return response


class OverLimitView(AnswerView):
    csv_columns = ["subscription_id", "usage_type", "total_price", "exceeded_by"]

    def csv_rows(self, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        for row in rows:
            for reached in row["exceeded"]:
                yield {"subscription_id": row["subscription_id"], **reached}

    @extend_schema(
        operation_id="subscriptions_over_limit",
        tags=["subscriptions"],
        parameters=[OverLimitParameters, *HEADERS],
        responses=answers(SubscriptionOverPriceSerializer),
    )
    def get(self, request: Request) -> Response:
        """The subscriptions whose price for data or for voice reached the limit, and by how much."""
        parameters = OverLimitParameters.of(request.query_params)
        limit = parameters["limit"]
        answer = selectors.subscription_list_over_price(
            price_limit=parameters["price_limit"],
            start=parameters.get("start"),
            end=parameters.get("end"),
            after=parameters["cursor"],
            limit=limit + 1,
        )
        return self.answer(answer, SubscriptionOverPriceSerializer, limit=limit)


KEY, SUMS = ["subscription_id", "usage_type"], ["total_price", "total_usage", "unit"]


class UsageView(AnswerView):
    @extend_schema(
        operation_id="subscriptions_usage",
        tags=["subscriptions"],
        parameters=[UsageParameters, *HEADERS],
        responses=answers(UsageTotalSerializer),
    )
    def get(self, request: Request) -> Response:
        """The usage of each subscription in a range of days: a row for each usage type with a record in the range."""
        return self.totals(UsageParameters.of(request.query_params))

    def totals(self, parameters: dict[str, Any]) -> Response:
        by_day = "group_by" in parameters
        self.csv_columns = [*KEY, "day", *SUMS] if by_day else [*KEY, *SUMS]
        answer = selectors.subscription_usage_totals(
            start=parameters["start"],
            end=parameters["end"],
            usage_type=parameters.get("type"),
            subscription_id=parameters.get("subscription"),
            by_day=by_day,
            after=parameters.get("cursor"),
            limit=parameters["limit"] + 1,
        )
        return self.answer(answer, UsageTotalSerializer, limit=parameters["limit"])


class UsageOfOneView(UsageView):
    @extend_schema(
        operation_id="subscriptions_usage_of_one",
        tags=["subscriptions"],
        parameters=[SUBSCRIPTION_ID, UsageOfOneParameters, *HEADERS],
        responses=answers(UsageTotalSerializer)
        | {(404, JSON): OpenApiResponse(ErrorSerializer, description="There is no such subscription.")},
    )
    def get(self, request: Request, id: str) -> Response:  # type: ignore[override]
        """The usage of one subscription in a range of days."""
        parameters = UsageOfOneParameters.of(request.query_params)
        subscription = subscription_get(subscription_id=_subscription_id(id))
        return self.totals(parameters | {"subscription": subscription.pk})


def _subscription_id(text: str) -> int:
    number = number_in_path(text, largest=LARGEST_ID)
    if number is None:
        raise SubscriptionNotFound(f"There is no subscription {text!r}.", id=text)
    return number
