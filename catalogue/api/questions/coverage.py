"""The REST endpoint for the coverage of series of DSRs."""

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api.questions.parameters import FilterParameters
from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.coverage import (
    MONTH_PATTERN,
    MOST_MONTHS,
    State,
    coverage,
    month_count,
    month_name,
    parse_month,
)
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS
from dsrhub.api.pages import PageParameters, page_response


@extend_schema_field({"type": "string", "pattern": f"^(?!0000){MONTH_PATTERN}$", "example": "2020-01"})
class MonthField(serializers.Field):
    """A calendar month, as its first day."""

    default_error_messages = {"invalid": _("Must be a month such as 2020-01.")}

    def to_internal_value(self, data: Any) -> date:
        month = parse_month(str(data))
        if month is None:
            self.fail("invalid")
        return month

    def to_representation(self, value: date) -> str:
        return month_name(value)


class CoverageParameters(FilterParameters, PageParameters):
    """Selects months, and DSRs."""

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is a keyword of Python, so these cannot be attributes.
        return {
            "from": MonthField(source="first", help_text="The first month, such as 2020-01."),
            "to": MonthField(source="last", help_text=f"The last month (inclusive), at most {MOST_MONTHS} in all."),
            **super().get_fields(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        months = month_count(attrs["first"], attrs["last"])
        if months < 1:
            raise serializers.ValidationError({"to": [_("The range ends before it starts.")]}, code="before_from")
        if months > MOST_MONTHS:
            raise serializers.ValidationError(
                {"to": [_("The range has more than %(most)s months.") % {"most": MOST_MONTHS}]}, code="too_long"
            )
        return attrs


class CoveredMonthSerializer(serializers.Serializer[Any]):
    """What a series has for a month."""

    state = serializers.ChoiceField(
        State.values,
        help_text="`ingested`: every day is in a DSR. `partial`: not every day is. `overlapped`: a day is in two DSRs "
        "of the same commercial model, use type and subscriber type. `failed`: the import of a DSR failed, and none is "
        "ingested. `missing`: nothing, but there are months before and after it. `late`: nothing yet.",
    )
    dsrs = serializers.ListField(
        child=serializers.IntegerField(), help_text="The ids of the ingested DSRs; of the failed ones if `failed`."
    )


class SeriesCoverageSerializer(serializers.Serializer[Any]):
    """The months of a series, by their names, such as 2020-01. Months for which nothing is expected are left out."""

    dsp = serializers.CharField()
    offer = serializers.CharField()
    society = serializers.CharField(allow_null=True)
    territory = serializers.CharField()
    currency = serializers.CharField()
    months = serializers.DictField(child=CoveredMonthSerializer())


class CoverageView(APIView):
    @extend_schema(
        operation_id="coverage_list",
        summary="Find missing reports",
        tags=["statistics"],
        parameters=[CoverageParameters, EXACT_IN_WORDS],
        responses={200: SeriesCoverageSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """List the series of DSRs, each with what is delivered for its months.

        A series has one DSP, offer, society, territory and currency. The header `Link` has the address of the next
        page.
        """
        asked = CoverageParameters.of(request.query_params)
        first, last, limit, cursor = (asked.pop(name) for name in ("first", "last", "limit", "cursor"))
        exact = asked.pop("exact")
        rows = coverage(first=first, last=last, search=DSRSearch(**asked))[max(cursor or 0, 0) :]
        return page_response(
            request, rows[: limit + 1], SeriesCoverageSerializer, limit=limit, exact=exact, key="position"
        )
