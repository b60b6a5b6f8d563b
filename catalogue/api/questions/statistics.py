"""The REST endpoints for statistics of DSRs: their parameters, their answers, and the views."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api.questions.parameters import SearchParameters
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.groups import MOST_GROUPINGS, DSRStatistic, Grouping, dsr_statistics, group_columns
from catalogue.models import RevenueKind
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field, exact_field
from dsrhub.exceptions import AnswerTooLarge
from dsrhub.texts import marked as texts
from dsrhub.texts.translations import text_lazy

MOST_ROWS = 50_000
PERIOD = ("period_start", "period_end")


@extend_schema_field(
    {"type": "string", "pattern": f"^({'|'.join(Grouping)})(,({'|'.join(Grouping)}))?$", "example": "territory,month"}
)
class GroupingField(serializers.Field):
    """One or two names of columns, separated by a comma."""

    default_error_messages = {
        "invalid": text_lazy(
            texts.gettext_lazy("Must be one or two different ones of %(names)s, separated by a comma.")
            % {"names": texts.joined(Grouping)}
        )
    }

    def to_internal_value(self, data: Any) -> list[Grouping]:
        try:
            groupings = [Grouping(name) for name in str(data).split(",")]
        except ValueError:
            self.fail("invalid")
        if len({*groupings}) < len(groupings) or len(groupings) > MOST_GROUPINGS:
            self.fail("invalid")
        return groupings

    def to_representation(self, value: list[Grouping]) -> str:
        return ",".join(value)


class StatisticsParameters(SearchParameters):
    group_by = GroupingField(help_text="One or two columns, such as territory,month.")
    exact = exact_field()


class WithoutISRCSerializer(serializers.Serializer[Any]):
    """The sums of lines without an ISRC, and their shares in per cent, to 12 decimals. Usages and revenue are null
    until a worker has counted them, and shares are null where there is nothing to share."""

    lines = Int64Field(source="blank_isrc_count")
    usages = Int64Field(source="blank_isrc_usages", allow_null=True)
    revenue_eur = ExactField(source="blank_isrc_revenue_eur", allow_null=True)
    lines_percent = ExactField(source="blank_isrc_percent", allow_null=True)
    usages_percent = ExactField(source="blank_isrc_usages_percent", allow_null=True)
    revenue_percent = ExactField(source="blank_isrc_revenue_percent", allow_null=True)


class StatisticSerializer(serializers.Serializer[Any]):
    """The sums of a group of DSRs. It has the properties that it is grouped by, and no others of the first twelve.

    A period that lies in no month, quarter or year has null for it, and its first and last day beside it.
    """

    territory = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    dsp = serializers.CharField(required=False)
    offer = serializers.CharField(required=False)
    society = serializers.CharField(required=False, allow_null=True)
    commercial_model = serializers.CharField(required=False, allow_null=True)
    use_type = serializers.CharField(required=False, allow_null=True)
    month = serializers.CharField(required=False, allow_null=True, help_text="Such as 2020-01.")
    quarter = serializers.CharField(required=False, allow_null=True, help_text="Such as 2020-Q1.")
    year = serializers.CharField(required=False, allow_null=True)
    period_start = serializers.DateField(required=False)
    period_end = serializers.DateField(required=False, help_text="The last day (inclusive).")
    dsr_count = serializers.IntegerField()
    line_count = Int64Field()
    usages = Int64Field()
    revenue_eur = ExactField(help_text="The revenue of all lines in EUR. That of each DSR is rounded to 40 decimals.")
    revenue_eur_per_1000_usages = ExactField(allow_null=True, help_text="To 12 decimals; null without usages.")
    unallocated_revenue_eur = ExactField(help_text="Declared revenue in EUR that no line has. Not in `revenue_eur`.")
    revenue_kind = serializers.ChoiceField([*RevenueKind.values, "mixed"], help_text="`mixed` where DSRs differ.")
    without_isrc = WithoutISRCSerializer(source="*")

    def to_representation(self, instance: DSRStatistic) -> dict[str, Any]:
        row = super().to_representation(instance)
        hidden = GROUP_COLUMNS - {*self.context["columns"]}
        # A period that lies in a month, a quarter or a year has no days of its own.
        hidden |= {name for name in PERIOD if row[name] is None}
        return {name: value for name, value in row.items() if name not in hidden}


GROUP_COLUMNS = {name for grouping in Grouping for name in group_columns([grouping])}


class StatisticsView(APIView):
    @extend_schema(
        operation_id="statistics_list",
        summary="Break down revenue and usages",
        tags=["statistics"],
        parameters=[StatisticsParameters, EXACT_IN_WORDS],
        responses={200: StatisticSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """List the sums of groups of ingested DSRs, ordered by the group.

        With the parameter `exact=true`, counts and usages are text in plain digits, of which no client loses any.
        """
        asked = StatisticsParameters.of(request.query_params)
        group_by, exact = asked.pop("group_by"), asked.pop("exact")
        statistics = dsr_statistics(group_by=group_by, search=DSRSearch(**asked))
        if len(statistics) > MOST_ROWS:
            raise AnswerTooLarge(
                texts.gettext_lazy("These are %(count)s groups. Select fewer DSRs, or group by one column.")
                % {"count": texts.Grouped(len(statistics))}
            )
        context = {"exact": exact, "columns": group_columns(group_by)}
        return Response(StatisticSerializer(statistics, many=True, context=context).data)
