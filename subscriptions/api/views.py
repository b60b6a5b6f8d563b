"""The endpoints of usage. Each reads its parameters, calls one selector and returns the answer."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS, ErrorSerializer, WrongParametersSerializer
from dsrhub.api.fields import EXACT_IN_WORDS
from dsrhub.api.pages import link_to, page_response
from dsrhub.http.negotiation import ByParameterOrHeader, OneFormat
from subscriptions.aggregates.answers import Answer
from subscriptions.aggregates.exports import ExportPage
from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.over_price import over_price_export, subscription_list_over_price
from subscriptions.aggregates.totals import subscription_usage_totals, usage_totals_export
from subscriptions.api.formats import CSVRenderer
from subscriptions.api.serializers import (
    NEW_EXPORT,
    AnswerParameters,
    CarriersParameters,
    CarrierUsageSerializer,
    OverLimitParameters,
    SubscriptionOverPriceSerializer,
    UsageOfOneParameters,
    UsageParameters,
    UsageTotalSerializer,
)
from subscriptions.api.subscribers import NO_SUBSCRIPTION, SUBSCRIPTION_ID, subscription_number
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
# An operation whose answer has one of two types gives generated clients a type that is neither. So the document has an
# operation for JSON, without the parameter, and another for CSV.
FORMAT = OpenApiParameter("format", exclude=True)
REFUSALS = {(400, JSON): WRONG_PARAMETERS, (401, JSON): READS_CLOSED}
OF_EXPORTS = {
    (400, JSON): OpenApiResponse(
        PolymorphicProxySerializer("NotExported", [WrongParametersSerializer, ErrorSerializer], None),
        description="The errors of each parameter, by its name; or the export would be too large.",
    ),
    (409, JSON): OpenApiResponse(ErrorSerializer, description="The export is not kept any more."),
    (429, JSON): OpenApiResponse(ErrorSerializer, description="Another export is being made. Retry soon."),
}
NOT_FOUND = {(404, JSON): NO_SUBSCRIPTION}


def in_json(serializer: type[Serializer[Any]]) -> dict[Any, Any]:
    return {(200, JSON): serializer(many=True)} | REFUSALS


IN_CSV = {(200, CSVRenderer.media_type): OpenApiTypes.STR} | REFUSALS


def csv_operation(operation_id: str, summary: str, responses: dict[Any, Any]) -> Any:
    description = f"{summary}, as CSV."
    return extend_schema_view(
        get=extend_schema(operation_id=operation_id, summary=summary, description=description, responses=responses)
    )


class AnswerView(APIView):
    """Rows of usage as JSON or CSV. Anything else, such as an error, is always JSON."""

    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, CSVRenderer]
    content_negotiation_class: type[BaseContentNegotiation] = ByParameterOrHeader
    # Parameters whose value the path has. They cannot be sent again.
    in_path: dict[str, Any] = {}
    csv_columns: list[str]

    def parameters(self, kind: type[AnswerParameters]) -> dict[str, Any]:
        return kind.of(self.request.query_params, **self.in_path)

    def csv_rows(self, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        return rows

    def handle_exception(self, exc: Exception) -> Response:
        self._use_json()
        return super().handle_exception(exc)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        self._use_json()
        return super().options(request, *args, **kwargs)

    def _use_json(self) -> None:
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSON

    def exported(
        self, page: Callable[..., ExportPage[Any]], parameters: dict[str, Any], serializer: type[Serializer[Any]]
    ) -> Response:
        """A page of an export: the first one of a new export, or the one that a `Link` leads to."""
        number = None if parameters["export"] == NEW_EXPORT else parameters["export"]
        limit = parameters["limit"]
        found = page(export=number, after=parameters["place"], limit=limit)
        response = Response(serializer(found.rows, many=True, context={"exact": parameters["exact"]}).data)
        response["as_of"] = found.as_of.isoformat()
        if found.next_place is not None:
            response["Link"] = link_to(self.request, limit=limit, export=found.export, place=found.next_place)
        return response

    def answer(self, answer: Answer[Any], serializer: type[Serializer[Any]], *, limit: int, exact: bool) -> Response:
        response = page_response(self.request, answer.rows, serializer, limit=limit, exact=exact, key="cursor")
        response["as_of"] = answer.as_of.isoformat()
        return response


class CSVView(AnswerView):
    """The same rows as CSV only, on a path of its own."""

    renderer_classes = [CSVRenderer]
    content_negotiation_class = OneFormat
    in_path = {"format": "csv"}


class OverLimitView(AnswerView):
    csv_columns = ["subscription_id", "usage_type", "total_price", "exceeded_by"]

    def csv_rows(self, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        for row in rows:
            for reached in row["exceeded"]:
                yield {"subscription_id": row["subscription_id"], **reached}

    @extend_schema(
        operation_id="subscriptions_over_limit",
        summary="List the subscriptions whose price reached a limit",
        tags=["subscriptions"],
        parameters=[OverLimitParameters, FORMAT, EXACT_IN_WORDS, *HEADERS],
        responses=in_json(SubscriptionOverPriceSerializer) | OF_EXPORTS,
    )
    def get(self, request: Request) -> Response:
        """The subscriptions whose price for data or for voice reached the limit, and by how much.

        With the parameter `exact=true`, `subscription_id` is text, of which no client loses a digit.
        """
        parameters = self.parameters(OverLimitParameters)
        limit = parameters["limit"]
        question = {
            "price_limit": parameters["price_limit"],
            "start": parameters.get("start"),
            "end": parameters.get("end"),
            "usage_type": parameters.get("type"),
            "carrier": parameters.get("carrier"),
        }
        if "export" in parameters:
            return self.exported(partial(over_price_export, **question), parameters, SubscriptionOverPriceSerializer)
        answer = subscription_list_over_price(**question, after=parameters["cursor"], limit=limit + 1)
        return self.answer(answer, SubscriptionOverPriceSerializer, limit=limit, exact=parameters["exact"])


@csv_operation(
    "subscriptions_over_limit_csv", "Export the subscriptions whose price reached a limit", IN_CSV | OF_EXPORTS
)
class OverLimitCSVView(CSVView, OverLimitView):
    pass


KEY, SUMS = ["subscription_id", "usage_type"], ["total_price", "total_usage", "unit"]


class UsageView(AnswerView):
    @extend_schema(
        operation_id="subscriptions_usage",
        summary="List the usage of all subscriptions",
        tags=["subscriptions"],
        parameters=[UsageParameters, FORMAT, EXACT_IN_WORDS, *HEADERS],
        responses=in_json(UsageTotalSerializer) | OF_EXPORTS,
    )
    def get(self, request: Request) -> Response:
        """The usage of each subscription in a range of days: a row for each usage type with a record in the range.

        With the parameter `exact=true`, `subscription_id` and `total_usage` are text, of which no client loses a digit.
        """
        return self.totals(self.parameters(UsageParameters))

    def totals(self, parameters: dict[str, Any]) -> Response:
        step = parameters.get("group_by")
        self.csv_columns = [*KEY, *([step.value] if step else []), *SUMS]
        question = {
            "start": parameters["start"],
            "end": parameters["end"],
            "usage_type": parameters.get("type"),
            "subscription_id": parameters.get("subscription"),
            "carrier": parameters.get("carrier"),
            "by": step,
        }
        if "export" in parameters:
            return self.exported(partial(usage_totals_export, **question), parameters, UsageTotalSerializer)
        answer = subscription_usage_totals(**question, after=parameters.get("cursor"), limit=parameters["limit"] + 1)
        return self.answer(answer, UsageTotalSerializer, limit=parameters["limit"], exact=parameters["exact"])


@csv_operation("subscriptions_usage_csv", "Export the usage of all subscriptions", IN_CSV | OF_EXPORTS)
class UsageCSVView(CSVView, UsageView):
    pass


class CarriersView(AnswerView):
    @extend_schema(
        operation_id="subscriptions_usage_of_carriers",
        summary="List the usage of carriers",
        tags=["subscriptions"],
        parameters=[CarriersParameters, FORMAT, EXACT_IN_WORDS, *HEADERS],
        responses=in_json(CarrierUsageSerializer),
    )
    def get(self, request: Request) -> Response:
        """The usage of all subscriptions of each carrier in a range of days, and how many subscriptions have usage.

        With the parameter `exact=true`, `subscription_count` and `total_usage` are text, of which no client loses a
        digit.
        """
        parameters = self.parameters(CarriersParameters)
        step = parameters.get("group_by")
        self.csv_columns = ["carrier", "usage_type", *([step.value] if step else []), "subscription_count", *SUMS]
        answer = usage_metrics(
            start=parameters["start"],
            end=parameters["end"],
            usage_type=parameters.get("type"),
            carrier=parameters.get("carrier"),
            by=step,
            by_carrier=True,
            after=parameters.get("cursor"),
            limit=parameters["limit"] + 1,
        )
        return self.answer(answer, CarrierUsageSerializer, limit=parameters["limit"], exact=parameters["exact"])


@csv_operation("subscriptions_usage_of_carriers_csv", "Export the usage of carriers", IN_CSV)
class CarriersCSVView(CSVView, CarriersView):
    pass


class UsageOfOneView(UsageView):
    @extend_schema(
        operation_id="subscriptions_usage_of_one",
        summary="List the usage of a subscription",
        tags=["subscriptions"],
        parameters=[SUBSCRIPTION_ID, UsageOfOneParameters, FORMAT, EXACT_IN_WORDS, *HEADERS],
        responses=in_json(UsageTotalSerializer) | NOT_FOUND | OF_EXPORTS,
    )
    def get(self, request: Request, id: str) -> Response:  # type: ignore[override]
        """The usage of one subscription in a range of days.

        With the parameter `exact=true`, `subscription_id` and `total_usage` are text, of which no client loses a digit.
        """
        parameters = self.parameters(UsageOfOneParameters)
        subscription = subscription_get(subscription_id=subscription_number(id))
        return self.totals(parameters | {"subscription": subscription.pk})


@csv_operation("subscriptions_usage_of_one_csv", "Export the usage of a subscription", IN_CSV | NOT_FOUND | OF_EXPORTS)
class UsageOfOneCSVView(CSVView, UsageOfOneView):
    pass
