"""The REST endpoints for the lines of a DSR, and their totals by use type."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.api.fields import WithoutEmpty
from catalogue.dsrs import selectors
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field
from dsrhub.api.pages import PageParameters, page_response


class UsageLineSerializer(WithoutEmpty):
    """A line of a DSR. Blank cells are omitted. Only lines of messages have the properties from `use_type` on."""

    line = Int64Field(
        source="line_number",
        help_text="Line number in the file; the header is line 1. Lines of messages have numbers of their own, from 2.",
    )
    dsp_id = serializers.CharField()
    title = serializers.CharField(required=False)
    artists = serializers.CharField(required=False, help_text="Pipe-separated.")
    isrc = serializers.CharField(required=False)
    usages = Int64Field(required=False)
    revenue = ExactField(required=False, help_text="An exact decimal number in the currency of the DSR.")
    use_type = serializers.CharField(required=False, help_text="Omitted where the DSR has one for all lines.")
    is_royalty_bearing = serializers.BooleanField(required=False)
    returns = Int64Field(required=False, help_text="Not subtracted from the usages.")
    transaction_id = serializers.CharField(required=False)
    is_release = serializers.BooleanField(
        required=False, help_text="Whether `dsp_id` is that of a whole release, or a part of one."
    )
    iswc = serializers.CharField(required=False)
    composers = serializers.CharField(required=False, help_text="Pipe-separated.")
    label = serializers.CharField(required=False)  # type: ignore[assignment] # a field, not the label of the serializer
    icpn = serializers.CharField(required=False)
    isrcs = serializers.CharField(required=False, help_text="All ISRCs where there are several, pipe-separated.")
    artists_delivered = serializers.CharField(
        required=False, help_text="The artists as delivered, where `artists` is a different text."
    )


class UseTypeTotalSerializer(WithoutEmpty):
    """The totals of those lines of a DSR that have one use type: their own, or else that of the DSR."""

    use_type = serializers.CharField(required=False, help_text="Omitted where neither the lines nor the DSR have one.")
    line_count = Int64Field()
    blank_isrc_count = Int64Field(help_text="The number of lines without an ISRC.")
    total_usages = ExactField(help_text="A whole number as text.")
    total_revenue = ExactField(help_text="An exact decimal number in the currency of the DSR.")


class DSRUseTypesView(APIView):
    @extend_schema(
        operation_id="dsrs_use_types",
        summary="List the totals of a DSR by use type",
        tags=["dsrs"],
        parameters=[paths.ID, PageParameters, EXACT_IN_WORDS],
        responses={200: UseTypeTotalSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: paths.NO_DSR},
    )
    def get(self, request: Request, id: str) -> Response:
        """List the totals of a DSR by use type. Only DSRs of messages have them.

        The header `Link` has the address of the next page.
        """
        page = PageParameters.of(request.query_params)
        dsr = selectors.dsr_get(dsr_number=paths.dsr_number(id))
        by_dsr = selectors.use_type_totals_by_dsr([dsr], after=page["cursor"], limit=page["limit"] + 1)
        rows = by_dsr.get(dsr.pk, [])
        return page_response(request, rows, UseTypeTotalSerializer, limit=page["limit"], exact=page["exact"], key="pk")


class DSRLinesView(APIView):
    @extend_schema(
        operation_id="dsrs_lines",
        summary="List the lines of a DSR",
        tags=["dsrs"],
        parameters=[paths.ID, PageParameters, EXACT_IN_WORDS],
        responses={200: UsageLineSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: paths.NO_DSR},
    )
    def get(self, request: Request, id: str) -> Response:
        """List the lines of a DSR as they were delivered. The header `Link` has the address of the next page.

        With the parameter `exact=true`, `line` and `usages` are text in plain digits, of which no client loses any.
        """
        page = PageParameters.of(request.query_params)
        dsr = selectors.dsr_get(dsr_number=paths.dsr_number(id))
        lines = selectors.dsr_lines(dsr=dsr, after=page["cursor"] or 0, limit=page["limit"] + 1)
        return page_response(
            request, lines, UsageLineSerializer, limit=page["limit"], exact=page["exact"], key="line_number"
        )
