"""The REST endpoints for recordings that are hard to identify, and for recordings with the same ISRC."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api.questions.parameters import SearchParameters
from catalogue.dsrs.selectors import DSRSearch
from catalogue.reports.cells import ISRC, plain_isrc
from catalogue.resources.identification import IsrcProblem, identification
from catalogue.resources.same_isrc import MOST, same_isrc
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field, WholeNumberField, exact_field
from dsrhub.api.pages import PageParameters, page_response


class IdentificationParameters(SearchParameters, PageParameters):
    """Selects DSRs, and what is wrong with the recordings in them."""

    problem = serializers.ChoiceField([*IsrcProblem], help_text="What is wrong with the ISRC.")
    percentile = WholeNumberField(
        min_value=1,
        max_value=100,
        default=10,
        help_text="Only the highest-earning recordings that together make this per cent of the revenue.",
    )


class UnidentifiedSerializer(serializers.Serializer[Any]):
    """A recording that is hard to identify, with its sums over the counted DSRs."""

    rank = Int64Field(help_text="The rank among all recordings: 1 has the highest revenue.")
    problem = serializers.ChoiceField([*IsrcProblem])
    dsp = serializers.CharField(source="resource.dsp")
    dsp_id = serializers.CharField(source="resource.dsp_id")
    title = serializers.CharField(source="resource.title", allow_null=True)
    artists = serializers.CharField(source="resource.artists", allow_null=True, help_text="Pipe-separated.")
    isrc = serializers.CharField(source="resource.isrc", allow_null=True)
    isrcs = serializers.CharField(
        allow_null=True, help_text="All reported ISRCs, pipe-separated; null unless several are the problem."
    )
    usages = Int64Field(source="resource.sums.usages", allow_null=True)
    revenue_eur = ExactField(source="resource.sums.revenue_eur")


class IdentificationView(APIView):
    @extend_schema(
        operation_id="resources_identification",
        summary="List recordings that are hard to identify",
        tags=["resources"],
        parameters=[IdentificationParameters, EXACT_IN_WORDS],
        responses={200: UnidentifiedSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """List recordings without an ISRC, with a malformed one or with several, highest revenue first.

        The header `Link` has the address of the next page. A page may have fewer rows than its limit, even none, though
        another one follows. With the parameter `exact=true`, ranks and usages are text in plain digits, of which no
        client loses any.
        """
        asked = IdentificationParameters.of(request.query_params)
        limit, cursor, exact = (asked.pop(name) for name in ("limit", "cursor", "exact"))
        problem, percentile = IsrcProblem(asked.pop("problem")), asked.pop("percentile")
        rows = identification(
            problem=problem,
            percentile=percentile,
            scope=DSRSearch(**asked).scope(),
            after=max(cursor or 0, 0),
            limit=limit + 1,
        )
        return page_response(request, rows, UnidentifiedSerializer, limit=limit, exact=exact, key="rank")


@extend_schema_field({"type": "string", "pattern": f"^{ISRC.pattern}$", "example": "ESABC2000001"})
class IsrcField(serializers.Field):
    """An ISRC, with or without dashes, as its compact form."""

    default_error_messages = {"invalid": _("Must be an ISRC such as ESABC2000001.")}

    def to_internal_value(self, data: Any) -> str:
        isrc = plain_isrc(str(data))
        if not ISRC.fullmatch(isrc):
            self.fail("invalid")
        return isrc

    def to_representation(self, value: str) -> str:
        return value


class SameIsrcParameters(SearchParameters):
    isrc = IsrcField(help_text="An ISRC of ISO 3901.")
    exact = exact_field()


class SameIsrcResourceSerializer(serializers.Serializer[Any]):
    """A recording with its sums over the counted DSRs."""

    dsp = serializers.CharField()
    dsp_id = serializers.CharField()
    title = serializers.CharField(allow_null=True)
    artists = serializers.CharField(allow_null=True, help_text="Pipe-separated.")
    usages = Int64Field(source="sums.usages", allow_null=True)
    revenue_eur = ExactField(source="sums.revenue_eur", allow_null=True)


class TerritorySumsSerializer(serializers.Serializer[Any]):
    """What the listed recordings have together in a territory."""

    territory = serializers.CharField()
    usages = Int64Field()
    revenue_eur = ExactField()


class MonthSumsSerializer(serializers.Serializer[Any]):
    """What the listed recordings have together in a month.

    A period that lies in no month has null for it, and its first and last day beside it.
    """

    month = serializers.CharField(allow_null=True, help_text="Such as 2020-01.")
    period_start = serializers.DateField(allow_null=True)
    period_end = serializers.DateField(allow_null=True, help_text="The last day (inclusive).")
    usages = Int64Field()
    revenue_eur = ExactField()


class SameIsrcSerializer(serializers.Serializer[Any]):
    """The recordings of all music services with one ISRC, and their sums by territory and by month."""

    isrc = serializers.CharField()
    resources = SameIsrcResourceSerializer(many=True)
    has_more = serializers.BooleanField(
        help_text=f"Whether more than {MOST} recordings have this ISRC. Only the first ones are listed and added up."
    )
    territories = TerritorySumsSerializer(many=True)
    months = MonthSumsSerializer(many=True)


class SameIsrcView(APIView):
    @extend_schema(
        operation_id="resources_same_isrc",
        summary="Find all recordings with an ISRC",
        tags=["resources"],
        parameters=[SameIsrcParameters, EXACT_IN_WORDS],
        responses={200: SameIsrcSerializer, 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """Return the recordings of all music services whose ISRC is the same, ordered by service and id.

        With the parameter `exact=true`, usages are text in plain digits, of which no client loses any.
        """
        asked = SameIsrcParameters.of(request.query_params)
        isrc, exact = asked.pop("isrc"), asked.pop("exact")
        found = same_isrc(isrcs=[isrc], scope=DSRSearch(**asked).scope())[isrc]
        return Response(SameIsrcSerializer(found, context={"exact": exact}).data)
