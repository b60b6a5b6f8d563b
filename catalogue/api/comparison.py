"""The REST endpoint that compares two periods."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api.statistics import FilterParameters
from catalogue.dsrs.comparison import (
    GROUPINGS,
    PERIOD_PATTERN,
    PREVIOUS,
    YEAR_BEFORE,
    Compared,
    Period,
    comparison,
    earlier_period,
)
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics import Grouping
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field, exact_field
from dsrhub.exceptions import InvalidArgument


@extend_schema_field({"type": "string", "pattern": f"^{PERIOD_PATTERN}$", "example": "2020-02"})
class PeriodField(serializers.Field):
    """A calendar month, quarter or year."""

    default_error_messages = {"invalid": "Must be a month, quarter or year, such as 2020-02, 2020-Q1 or 2020."}

    def to_internal_value(self, data: Any) -> Period:
        period = Period.parse(str(data))
        if period is None:
            self.fail("invalid")
        return period

    def to_representation(self, value: Period) -> str:
        return str(value)


class ComparisonParameters(FilterParameters):
    """Selects two periods, and DSRs."""

    by = serializers.ChoiceField(GROUPINGS, help_text="What the rows are.")
    period = PeriodField(help_text="The later period: a month, quarter or year, such as 2020-02, 2020-Q1 or 2020.")
    exact = exact_field()

    def get_fields(self) -> dict[str, serializers.Field]:
        # `with` is a keyword of Python, so it cannot be an attribute.
        other = serializers.RegexField(
            rf"^({PREVIOUS}|{YEAR_BEFORE}|{PERIOD_PATTERN})\Z",
            source="other",
            default=PREVIOUS,
            help_text="The period to compare with: `previous`, `year_before`, or a period as long as the later one.",
        )
        return {**super().get_fields(), "with": other}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            attrs["other"] = earlier_period(attrs["period"], attrs["other"])
        except InvalidArgument as error:
            raise serializers.ValidationError({"with": [error.message]}, code="not_comparable") from error
        return attrs


class ComparedSumsSerializer(serializers.Serializer[Any]):
    """The sums of a group in a period."""

    dsr_count = serializers.IntegerField()
    line_count = Int64Field()
    usages = Int64Field()
    revenue_eur = ExactField()


class ComparedDifferenceSerializer(serializers.Serializer[Any]):
    """Now, less before. What is not there counts as 0."""

    usages = Int64Field(source="usages_difference")
    revenue_eur = ExactField(source="revenue_difference")


class ComparedPercentSerializer(serializers.Serializer[Any]):
    """The difference in per cent of before, to 12 decimals; null where there was nothing before."""

    usages = ExactField(source="usages_percent", allow_null=True)
    revenue_eur = ExactField(source="revenue_percent", allow_null=True)


class IncompleteSerializer(serializers.Serializer[Any]):
    """The months for which a series of the group is not ingested completely: see `/coverage/`."""

    now = serializers.ListField(child=serializers.CharField(), source="incomplete_now")
    before = serializers.ListField(child=serializers.CharField(), source="incomplete_before")


class ComparedSerializer(serializers.Serializer[Any]):
    """A group in both periods. It has that of the first five properties by which DSRs are compared.

    `now` or `before` is null where there is no DSR.
    """

    dsp = serializers.CharField(required=False)
    offer = serializers.CharField(required=False)
    society = serializers.CharField(required=False, allow_null=True)
    territory = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    now = ComparedSumsSerializer(allow_null=True)
    before = ComparedSumsSerializer(allow_null=True)
    difference = ComparedDifferenceSerializer(source="*")
    percent = ComparedPercentSerializer(source="*")
    incomplete = IncompleteSerializer(source="*")

    def to_representation(self, instance: Compared) -> dict[str, Any]:
        row = super().to_representation(instance)
        return {instance.grouping.value: instance.name} | {
            name: value for name, value in row.items() if name not in GROUPINGS
        }


class ComparisonView(APIView):
    @extend_schema(
        operation_id="statistics_comparison",
        summary="Compare two periods",
        tags=["statistics"],
        parameters=[ComparisonParameters, EXACT_IN_WORDS],
        responses={200: ComparedSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """List the groups of two months, quarters or years, ordered by name, with what changed.

        Only DSRs count whose whole period lies in one of them. With the parameter `exact=true`, counts and usages are
        text in plain digits, of which no client loses any.
        """
        asked = ComparisonParameters.of(request.query_params)
        by, period, other, exact = (asked.pop(name) for name in ("by", "period", "other", "exact"))
        rows = comparison(by=Grouping(by), period=period, other=other, search=DSRSearch(**asked))
        return Response(ComparedSerializer(rows, many=True, context={"exact": exact}).data)
