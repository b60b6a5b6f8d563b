"""The REST endpoints for DSRs, messages and resources.

Each checks parameters, calls one selector or service, and responds.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.api.serializers import (
    FIRST_PIECE,
    ConflictSerializer,
    DeliverySerializer,
    DSRDetailsSerializer,
    DSRPageParameters,
    DSRSerializer,
    ImportedDSRSerializer,
    ImportedMessageSerializer,
    ImportJobSerializer,
    MessageDetailsSerializer,
    MessageProblemSerializer,
    MessageSerializer,
    ProblemSerializer,
    RefusalSerializer,
    ResourceSerializer,
    ScopeParameters,
    TopPercentileParameters,
    UploadParameters,
    UsageLineSerializer,
    UseTypeTotalSerializer,
    WaitingFileSerializer,
    dsrs_rendered,
    import_job_data,
    import_report_data,
    resources_rendered,
)
from catalogue.api.totals import ComparedTotalsSerializer, ExactJSONParser, TotalsParameters, declared_of
from catalogue.dsrs import messages, selectors
from catalogue.dsrs.declared import dsr_totals_compared
from catalogue.dsrs.services import dsr_delete, message_delete
from catalogue.exceptions import PeriodReversed, ReportRefused, TemplateNotFound
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.loading.steps import Choices
from catalogue.imports.queue.jobs import import_job_discard
from catalogue.imports.queue.selectors import import_job_get
from catalogue.imports.queue.uploads import upload_import
from catalogue.lines.scope import Scope
from catalogue.models import ImportJob, TemplateVersion
from catalogue.ranking.selectors import resource_ranking
from catalogue.report_templates.selectors import template_named, template_version
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
    ErrorSerializer,
    TooLarge,
    WrongParametersSerializer,
)
from dsrhub.api.fields import EXACT_IN_WORDS
from dsrhub.api.pages import PageParameters, link_to_next, page_response
from dsrhub.api.parameters import Parameters
from dsrhub.exceptions import InvalidArgument

IMPORT_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such import.")
EXISTS = OpenApiResponse(
    ConflictSerializer,
    description="DSRs with the same keys, or a message with the same id, have different content; "
    "or an earlier version has this content; "
    "or a name looks like another one; or a file of the message waits already; "
    "or several templates recognise the file, and `template` names none of them.",
)
NOT_LOADED = OpenApiResponse(
    PolymorphicProxySerializer("NotLoaded", [RefusalSerializer, WrongParametersSerializer], None),
    description="The report has errors, or a parameter is wrong.",
)
NOT_COMPARED = OpenApiResponse(
    PolymorphicProxySerializer("NotCompared", [ErrorSerializer, WrongParametersSerializer], None),
    description="The errors of each total, by its name, or of the body.",
)
IMPORTED = PolymorphicProxySerializer(
    "ImportReport", [ImportedDSRSerializer, DeliverySerializer, ImportedMessageSerializer], None
)
NO_MESSAGE = OpenApiResponse(ErrorSerializer, description="There is no such message.")
# The answers of these views have sentences in the language of the request.
EXPLAINED = vary_on_headers("Accept-Language")


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
        return template_version(template_named(name))
    except TemplateNotFound as error:
        raise InvalidArgument(error.text, argument="template") from error


class ImportView(APIView):
    read_permission = "catalogue.add_dsr"
    write_permissions = {"DELETE": "catalogue.add_dsr"}

    @extend_schema(
        operation_id="imports_read",
        summary="Get an import",
        tags=["imports"],
        parameters=[paths.ID],
        responses={200: ImportJobSerializer, 401: NOT_SIGNED_IN, 403: NOT_ALLOWED, 404: IMPORT_NOT_FOUND},
    )
    def get(self, request: Request, id: str) -> Response:
        """Return what became of an uploaded file. Needs the permission `add_dsr`.

        Imports of other users are only for users with the permission `import_dsr`.
        """
        return Response(import_job_data(self._job(request, id)))

    @extend_schema(
        operation_id="imports_delete",
        summary="Discard a waiting import",
        tags=["imports"],
        parameters=[paths.ID],
        responses={
            204: None,
            401: NOT_SIGNED_IN,
            403: NOT_ALLOWED,
            404: IMPORT_NOT_FOUND,
            409: OpenApiResponse(ErrorSerializer, description="It is in work, or has ended."),
        },
    )
    def delete(self, request: Request, id: str) -> Response:
        """Discard an uploaded file that is not imported. Needs the permission `add_dsr`."""
        import_job_discard(job=self._job(request, id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @staticmethod
    def _job(request: Request, id: str) -> ImportJob:
        number = paths.import_number(id)
        return import_job_get(job_number=number, user=cast(User, request.user))


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


class DSRTotalsView(APIView):
    # It only reads: the declared totals are in the body, as a client has them in a form or an object.
    read_methods = ("POST",)
    parser_classes = [ExactJSONParser, FormParser, MultiPartParser]

    @extend_schema(
        operation_id="dsrs_totals",
        summary="Compare the totals of a DSR",
        tags=["dsrs"],
        # Forms work too. They are not documented: client generators fail with more than one content type.
        request={"application/json": TotalsParameters},
        responses={
            200: ComparedTotalsSerializer,
            400: NOT_COMPARED,
            401: READS_CLOSED,
            404: paths.NO_DSR,
            409: OpenApiResponse(ErrorSerializer, description="The import of the DSR failed."),
            411: NO_LENGTH,
            413: TOO_LARGE,
            415: NOT_THIS_TYPE,
        },
    )
    def post(self, request: Request, id: str) -> Response:
        """Compare the totals of a DSR with those that a service declares, such as for a settlement.

        It changes nothing, and is for everyone who may read. At least one total is needed. All numbers are exact.
        """
        declared = declared_of(TotalsParameters.of(request.data))
        compared = dsr_totals_compared(dsr=selectors.dsr_get(dsr_number=paths.dsr_number(id)), declared=declared)
        return Response(ComparedTotalsSerializer(compared).data)


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


class MessageListView(APIView):
    @extend_schema(
        operation_id="messages_list",
        summary="List messages",
        tags=["messages"],
        parameters=[PageParameters, EXACT_IN_WORDS],
        responses={200: MessageSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """List the messages of which DSRs are imported. The header `Link` has the address of the next page."""
        page = PageParameters.of(request.query_params)
        rows = messages.message_list(after=page["cursor"], limit=page["limit"] + 1)
        return page_response(request, rows, MessageSerializer, limit=page["limit"], exact=page["exact"], key="pk")


class MessageDetailView(APIView):
    write_permissions = {"DELETE": "catalogue.delete_dsr"}

    @extend_schema(
        operation_id="messages_read",
        summary="Get a message",
        tags=["messages"],
        parameters=[paths.MESSAGE_ID],
        responses={200: MessageDetailsSerializer, 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: NO_MESSAGE},
    )
    def get(self, request: Request, id: str) -> Response:
        """Return a message with its files and the ids of its DSRs."""
        Parameters.of(request.query_params)
        return Response(
            MessageDetailsSerializer(messages.message_details(message_number=paths.message_number(id))).data
        )

    @extend_schema(
        operation_id="messages_delete",
        summary="Delete a message with its DSRs",
        tags=["messages"],
        parameters=[paths.MESSAGE_ID],
        responses={204: None, 401: NOT_SIGNED_IN, 403: NOT_ALLOWED, 404: NO_MESSAGE},
    )
    def delete(self, request: Request, id: str) -> Response:
        """Delete a message with all of its DSRs, in one step. Needs the permission `delete_dsr`."""
        message_delete(message_number=paths.message_number(id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@method_decorator(EXPLAINED, "dispatch")
class MessageProblemsView(APIView):
    @extend_schema(
        operation_id="messages_problems",
        summary="List the warnings of a message",
        tags=["messages"],
        parameters=[paths.MESSAGE_ID, PageParameters, EXACT_IN_WORDS],
        responses={200: MessageProblemSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: NO_MESSAGE},
    )
    def get(self, request: Request, id: str) -> Response:
        """List the warnings of a message as a whole, then those of its DSRs.

        The header `Link` has the address of the next page.
        """
        page = PageParameters.of(request.query_params)
        message = messages.message_get(message_number=paths.message_number(id))
        by_message = messages.problems_by_message([message], after=page["cursor"], limit=page["limit"] + 1)
        rows = by_message.get(message.pk, [])
        return page_response(
            request, rows, MessageProblemSerializer, limit=page["limit"], exact=page["exact"], key="id"
        )


class TopPercentileView(APIView):
    @extend_schema(
        operation_id="resources_percentile",
        summary="List the highest-earning resources",
        tags=["resources"],
        parameters=[
            OpenApiParameter("number", {"type": "integer", "minimum": 1, "maximum": 100}, OpenApiParameter.PATH),
            ScopeParameters,
            EXACT_IN_WORDS,
        ],
        responses={200: ResourceSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request, number: str) -> HttpResponseBase:
        """List the highest-earning resources that together make `number` % of the revenue, highest first.

        With the parameter `exact=true`, `usages` and `revenue` are text in plain digits, of which no client loses any.
        """
        asked = TopPercentileParameters.of(request.query_params, ignore_unknown=True, number=number)
        percentile, exact = asked.pop("number"), asked.pop("exact")
        try:
            scope = Scope(**asked)
        except PeriodReversed:  # To which the contract has an answer. Everywhere else, it is an error.
            return HttpResponse(b"[]", content_type="application/json")
        with ExitStack() as reading:
            # The ranking is read before the answer begins, so that an error can still set the status.
            ranking = reading.enter_context(resource_ranking(percentile=percentile, scope=scope))
            pieces = resources_rendered(ranking, exact=exact)
            if request.method == "HEAD" and ranking.count > FIRST_PIECE:
                return HttpResponse(content_type="application/json")
            first = next(pieces, b"")
            if first.endswith(b"]"):  # Every other piece ends with an object.
                return HttpResponse(first, content_type="application/json")
            streamed = Pieces(chain([first], pieces), reading.pop_all().close)
            return StreamingHttpResponse(streamed, content_type="application/json")


class Pieces:
    """The pieces of an answer, with a function to call when the answer is sent or aborted."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces = pieces
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces
