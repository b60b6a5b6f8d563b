"""The REST endpoints for DSRs: lists, uploads, deletion, all facts, and problems."""

from pathlib import Path
from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.api.contract import DSRSerializer, dsrs_rendered
from catalogue.api.fields import WithoutBlank
from catalogue.api.problems import EXPLAINED, ProblemSerializer
from catalogue.api.totals import declared_of
from catalogue.api.uploads import (
    EXISTS,
    IMPORTED,
    NOT_LOADED,
    UploadParameters,
    WaitingFileSerializer,
    import_report_data,
)
from catalogue.dsrs import selectors
from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import ReportRefused, TemplateNotFound
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.queue.uploads import upload_import
from catalogue.models import ImportJob, RateMethod, RevenueKind, TemplateVersion
from catalogue.report_templates.selectors import latest_version
from dsrhub.api.errors import (
    BUSY,
    NO_LENGTH,
    NOT_ALLOWED,
    NOT_SIGNED_IN,
    NOT_THIS_TYPE,
    READS_CLOSED,
    TOO_LARGE,
    TOO_SLOW,
    WRONG_PARAMETERS,
    TooLarge,
)
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field, WholeNumberField
from dsrhub.api.pages import LARGEST_PAGE, PageParameters, link_to_next, page_response
from dsrhub.api.parameters import Parameters
from dsrhub.exceptions import InvalidArgument


class DSRPageParameters(PageParameters):
    """Selects a page of DSRs. Without a limit, the page has all DSRs, as the contract demands."""

    limit = WholeNumberField(
        min_value=1, max_value=LARGEST_PAGE, required=False, help_text="Maximum number of DSRs; all if omitted."
    )
    # No number of a DSR is large.
    exact = None  # type: ignore[assignment]


class DSRDetailsSerializer(WithoutBlank, DSRSerializer):
    """Everything about a DSR. Properties without a value are omitted.

    Only DSRs of messages have the properties from `message` to `revenue_without_royalty`. Amounts are exact decimal
    numbers, in the currency of the DSR unless the name says EUR.
    """

    dsp = serializers.CharField()
    offer = serializers.CharField()
    society = serializers.CharField(required=False)
    gzip_name = serializers.CharField(required=False, help_text="The file name that the gzip header contains.")
    sha256 = serializers.CharField(required=False, help_text="The SHA-256 of the unpacked content.")
    imported_at = serializers.DateTimeField()
    message = Int64Field(source="message_id", required=False, help_text="The id of its message.")
    commercial_model = serializers.CharField(required=False)
    use_type = serializers.CharField(required=False, help_text="The use type of all lines that have none of their own.")
    subscriber_type = serializers.CharField(required=False)
    summary_id = serializers.CharField(required=False, help_text="The id of the summary in its message.")
    declared_usages = ExactField(
        required=False, help_text="The usages that the message declares for the whole context."
    )
    declared_revenue = ExactField(required=False, help_text="The net revenue of the summary.")
    unallocated_revenue = ExactField(
        required=False, help_text="`declared_revenue` without `total_revenue`: the part that no line has."
    )
    subscribers = ExactField(required=False)
    returns = Int64Field(required=False, help_text="Not subtracted from the usages.")
    usages_without_royalty = ExactField(required=False, help_text="Included in `total_usages`.")
    revenue_without_royalty = ExactField(required=False, help_text="Included in `total_revenue`.")
    revenue_kind = serializers.ChoiceField(
        RevenueKind.choices,
        source="shown_revenue_kind",
        required=False,
        help_text="`allocated`: the revenue of a line is the share of its usages in that of the summary, an estimate.",
    )
    line_count = Int64Field()
    total_usages = ExactField(help_text="A whole number as text.")
    total_revenue = ExactField()
    total_revenue_eur = ExactField(required=False, help_text="Rounded half-even to 40 decimals.")
    exchange_rate = ExactField(required=False, help_text="Units of the currency for one euro.")
    rate_method = serializers.ChoiceField(RateMethod.choices, required=False)
    rate_source = serializers.CharField(required=False)
    blank_count = Int64Field(help_text="The number of blank cells.")
    error_count = Int64Field()
    warning_count = Int64Field()

    class Meta(DSRSerializer.Meta):
        fields = [
            *DSRSerializer.Meta.fields,
            *("dsp", "offer", "society", "gzip_name", "sha256", "imported_at"),
            *("message", "commercial_model", "use_type", "subscriber_type", "summary_id"),
            *("declared_usages", "declared_revenue", "unallocated_revenue", "subscribers"),
            *("returns", "usages_without_royalty", "revenue_without_royalty"),
            *("revenue_kind", "line_count", "total_usages", "total_revenue", "total_revenue_eur"),
            *("exchange_rate", "rate_method", "rate_source", "blank_count", "error_count", "warning_count"),
        ]


class DSRListView(APIView):
    parser_classes = [MultiPartParser]
    write_permissions = {"POST": "catalogue.add_dsr"}

    @extend_schema(
        operation_id="dsrs_list",
        summary="List DSRs",
        tags=["dsrs"],
        parameters=[DSRPageParameters],
        responses={200: DSRSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> HttpResponse:
        """List all DSRs, including failed ones."""
        page = DSRPageParameters.of(request.query_params, ignore_unknown=True)
        limit = page.get("limit")
        dsrs = selectors.dsr_list(after=page["cursor"], limit=None if limit is None else limit + 1)
        response = HttpResponse(dsrs_rendered(dsrs[:limit]), content_type="application/json")
        if limit is not None and len(dsrs) > limit:
            response["Link"] = link_to_next(request, limit=limit, cursor=dsrs[limit - 1].id)
        return response

    @extend_schema(
        operation_id="dsrs_create",
        summary="Import a report",
        tags=["dsrs"],
        request={"multipart/form-data": UploadParameters},
        responses={
            201: OpenApiResponse(
                IMPORTED, description="Loaded, or replaced an earlier DSR, or an earlier version returned."
            ),
            200: OpenApiResponse(IMPORTED, description="The same content is imported already."),
            202: OpenApiResponse(
                WaitingFileSerializer, description="Stored, until the other files of its message are uploaded."
            ),
            400: NOT_LOADED,
            401: NOT_SIGNED_IN,
            403: NOT_ALLOWED,
            408: TOO_SLOW,
            409: EXISTS,
            411: NO_LENGTH,
            413: TOO_LARGE,
            415: NOT_THIS_TYPE,
            503: BUSY,
        },
    )
    def post(self, request: Request) -> Response:
        """Import a report completely or not at all. Needs the permission `add_dsr`, `change_dsr` to replace, and
        `delete_dsr` to drop missing contexts.

        The files of a message are uploaded one by one. All but the last one are stored; the last one imports all.
        """
        upload = UploadParameters.of(request.data)
        for choice, permission in (("replace", "catalogue.change_dsr"), ("drop_missing", "catalogue.delete_dsr")):
            if upload[choice] and not request.user.has_perm(permission):
                self.permission_denied(request)
        template = _chosen_template(upload["template"])
        file: TemporaryUploadedFile = upload["file"]
        if (file.size or 0) > settings.DSRHUB_UPLOAD_LIMIT_BYTES:
            raise TooLarge(
                _("The file is larger than %(limit)s bytes.") % {"limit": settings.DSRHUB_UPLOAD_LIMIT_BYTES}
            )
        try:
            report = upload_import(
                path=Path(file.temporary_file_path()),
                name=str(file.name),
                choices=Choices(
                    replace=upload["replace"],
                    drop_missing=upload["drop_missing"],
                    user=cast(User, request.user),
                    declared=declared_of(upload, "declared_"),
                    template=template,
                ),
            )
        except ReportRefused as refusal:
            refusal.extra["problems"] = ProblemSerializer(refusal.extra["problems"], many=True).data
            raise
        if isinstance(report, ImportJob):
            return Response(WaitingFileSerializer(report).data, status=status.HTTP_202_ACCEPTED)
        is_new = report.outcome != Outcome.UNCHANGED
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(import_report_data(report), status=code)


def _chosen_template(name: str | None) -> TemplateVersion | None:
    """The latest version of the template of this name. Raises InvalidArgument."""
    if name is None:
        return None
    try:
        return latest_version(name)
    except TemplateNotFound as error:
        raise InvalidArgument(error.text, argument="template") from error


class DSRDetailView(APIView):
    write_permissions = {"DELETE": "catalogue.delete_dsr"}

    @extend_schema(
        operation_id="dsrs_read",
        summary="Get a DSR",
        tags=["dsrs"],
        parameters=[paths.ID],
        responses={200: DSRSerializer, 401: READS_CLOSED, 404: paths.NO_DSR},
    )
    def get(self, request: Request, id: str) -> Response:
        """Return a DSR."""
        return Response(DSRSerializer(selectors.dsr_get(dsr_number=paths.dsr_number(id))).data)

    @extend_schema(
        operation_id="dsrs_delete",
        summary="Delete a DSR",
        tags=["dsrs"],
        parameters=[paths.ID],
        responses={204: None, 401: NOT_SIGNED_IN, 403: NOT_ALLOWED, 404: paths.NO_DSR},
    )
    def delete(self, request: Request, id: str) -> Response:
        """Delete a DSR with its lines and problems. Needs the permission `delete_dsr`."""
        dsr_delete(dsr_number=paths.dsr_number(id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class DSRDetailsView(APIView):
    @extend_schema(
        operation_id="dsrs_details",
        summary="Get all facts of a DSR",
        tags=["dsrs"],
        parameters=[paths.ID],
        responses={200: DSRDetailsSerializer, 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: paths.NO_DSR},
    )
    def get(self, request: Request, id: str) -> Response:
        """Return everything about a DSR: its totals, its exchange rate, and what its message declares."""
        Parameters.of(request.query_params)
        return Response(DSRDetailsSerializer(selectors.dsr_described(dsr_number=paths.dsr_number(id))).data)


@method_decorator(EXPLAINED, "dispatch")
class DSRProblemsView(APIView):
    @extend_schema(
        operation_id="dsrs_problems",
        summary="List the errors and warnings of a DSR",
        tags=["dsrs"],
        parameters=[paths.ID, PageParameters, EXACT_IN_WORDS],
        responses={200: ProblemSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: paths.NO_DSR},
    )
    def get(self, request: Request, id: str) -> Response:
        """List the errors and warnings of a DSR. The header `Link` has the address of the next page.

        Of a failed DSR, the content of cells (`value`) is only for its importer and for users with the permission
        `view_dsr`. With the parameter `exact=true`, `id` and `line` are text in plain digits, of which no client loses
        any.
        """
        page = PageParameters.of(request.query_params)
        dsr = selectors.dsr_get(dsr_number=paths.dsr_number(id))
        problems = selectors.dsr_problems(dsr=dsr, after=page["cursor"], limit=page["limit"] + 1, user=request.user)
        return page_response(request, problems, ProblemSerializer, limit=page["limit"], exact=page["exact"], key="id")
