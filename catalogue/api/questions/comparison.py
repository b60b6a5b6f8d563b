"""The REST endpoint that compares two periods, by groups of DSRs or by recordings."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api.questions.parameters import FilterParameters
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.comparison import (
    GROUPINGS,
    PERIOD_PATTERN,
    PREVIOUS,
    YEAR_BEFORE,
    Compared,
    Period,
    comparison,
    earlier_period,
)
from catalogue.dsrs.statistics.groups import Grouping
from catalogue.resources.comparison import RECORDING, ResourceComparison, Show, resource_comparison
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field, WholeNumberField
from dsrhub.api.pages import LARGEST_PAGE, PAGE_LIMIT, PageParameters, page_response
from dsrhub.exceptions import InvalidArgument


@extend_schema_field({"type": "string", "pattern": f"^{PERIOD_PATTERN}$", "example": "2020-02"})
class PeriodField(serializers.Field):
    """A calendar month, quarter or year."""

    default_error_messages = {"invalid": _("Must be a month, quarter or year, such as 2020-02, 2020-Q1 or 2020.")}

    def to_internal_value(self, data: Any) -> Period:
        period = Period.parse(str(data))
        if period is None:
            self.fail("invalid")
        return period

    def to_representation(self, value: Period) -> str:
        return str(value)


class ComparisonParameters(FilterParameters, PageParameters):
    """Selects two periods, and DSRs. Some parameters are those of a comparison by recording only."""

    by = serializers.ChoiceField([*GROUPINGS, RECORDING], help_text="What the rows are.")
    period = PeriodField(help_text="The later period: a month, quarter or year, such as 2020-02, 2020-Q1 or 2020.")
    percentile = WholeNumberField(
        min_value=1,
        max_value=100,
        required=False,
        help_text="By recording: compare the recordings that together make this share of the revenue, in per cent.",
    )
    show = serializers.ChoiceField(
        [*Show],
        required=False,
        help_text="By recording: `top` (the default) lists the highest-earning recordings of the later period. `gone` "
        "lists those of the earlier period that have no line in the later one.",
    )
    limit = WholeNumberField(
        min_value=1,
        max_value=LARGEST_PAGE,
        required=False,
        help_text=f"By recording: at most this many rows; {PAGE_LIMIT} if omitted.",
    )
    cursor = WholeNumberField(
        min_value=0,
        max_value=2**63 - 1,
        required=False,
        help_text="By recording: from the `Link` header of the previous page.",
    )

    OF_RECORDINGS = ("percentile", "show", "limit", "cursor")

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
        if attrs["by"] == RECORDING and "percentile" not in attrs:
            raise serializers.ValidationError({"percentile": ErrorDetail(gettext("Needed by recording."), "required")})
        if attrs["by"] != RECORDING and (others := [name for name in self.OF_RECORDINGS if name in attrs]):
            reason = ErrorDetail(gettext("Only for a comparison by recording."), "only_by_recording")
            raise serializers.ValidationError({name: [reason] for name in others})
        try:
            attrs["other"] = earlier_period(attrs["period"], attrs["other"])
        except InvalidArgument as error:
            raise serializers.ValidationError({"with": [error.message]}, code="not_comparable") from error
        return attrs


# --- Answers ---------------------------------------------------------------------------------------------------


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


class ResourceSumsSerializer(serializers.Serializer[Any]):
    """The sums of a recording in a period. What has no value in any line is null."""

    usages = Int64Field(allow_null=True)
    revenue_eur = ExactField(allow_null=True)


class ComparedResourceSerializer(serializers.Serializer[Any]):
    """A recording in both periods. `now` or `before` is null where it has no line.

    `rank` is null if it is gone. `rank_before` is its rank among all recordings of the earlier period, and null without
    revenue there. `rank_change` is positive if it rose.
    """

    dsp = serializers.CharField(source="resource.dsp")
    dsp_id = serializers.CharField(source="resource.dsp_id")
    title = serializers.CharField(source="resource.title", allow_null=True)
    artists = serializers.CharField(source="resource.artists", allow_null=True, help_text="Pipe-separated.")
    isrc = serializers.CharField(source="resource.isrc", allow_null=True)
    rank = Int64Field(allow_null=True)
    rank_before = Int64Field(allow_null=True)
    rank_change = Int64Field(allow_null=True)
    is_new = serializers.BooleanField(help_text="Whether it has no line in the earlier period.")
    now = ResourceSumsSerializer(allow_null=True)
    before = ResourceSumsSerializer(allow_null=True)
    difference = ComparedDifferenceSerializer(source="*")
    percent = ComparedPercentSerializer(source="*")
    incomplete = IncompleteSerializer(source="*", help_text="Of the series of its DSP.")


# --- The view --------------------------------------------------------------------------------------------------


class ComparisonView(APIView):
    @extend_schema(
        operation_id="statistics_comparison",
        summary="Compare two periods",
        tags=["statistics"],
        parameters=[ComparisonParameters, EXACT_IN_WORDS],
        responses={
            200: PolymorphicProxySerializer(
                component_name="Comparison",
                serializers=[ComparedSerializer, ComparedResourceSerializer],
                resource_type_field_name=None,
                many=True,
            ),
            400: WRONG_PARAMETERS,
            401: READS_CLOSED,
        },
    )
    def get(self, request: Request) -> Response:
        """List the groups or the recordings of two months, quarters or years, with what changed.

        Only DSRs count whose whole period lies in one of them. Groups are ordered by name. Recordings are ordered by
        rank, and the header `Link` has the address of their next page. With the parameter `exact=true`, counts, usages
        and ranks are text in plain digits, of which no client loses any.
        """
        asked = ComparisonParameters.of(request.query_params)
        answer = self._recordings if asked["by"] == RECORDING else self._groups
        return answer(request, **asked)

    def _groups(
        self, request: Request, *, by: str, period: Period, other: Period, exact: bool, **filters: Any
    ) -> Response:
        rows = comparison(by=Grouping(by), period=period, other=other, search=DSRSearch(**filters))
        return Response(ComparedSerializer(rows, many=True, context={"exact": exact}).data)

    def _recordings(
        self,
        request: Request,
        *,
        by: str,
        period: Period,
        other: Period,
        percentile: int,
        exact: bool,
        show: str = Show.TOP,
        limit: int = PAGE_LIMIT,
        cursor: int = 0,
        **filters: Any,
    ) -> Response:
        asked = ResourceComparison(percentile, period, other, DSRSearch(**filters), Show(show))
        rows = resource_comparison(asked=asked, after=cursor, limit=limit + 1)
        return page_response(request, rows, ComparedResourceSerializer, limit=limit, exact=exact, key="place")
