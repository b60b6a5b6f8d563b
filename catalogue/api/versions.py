"""The REST endpoints of earlier versions of DSRs: those that were replaced or deleted."""

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.api.fields import WithoutBlank
from catalogue.dsrs.selectors import dsr_get
from catalogue.dsrs.versions.differences import VersionDifference, recordings_difference, version_difference
from catalogue.dsrs.versions.selectors import kept_until, version_get, version_list, versions_by_dsr
from catalogue.dsrs.versions.superseding import version_delete
from catalogue.imports.loading.reverting import version_revert
from catalogue.models import SupersededDSR
from dsrhub.api.errors import BUSY, NOT_ALLOWED, NOT_SIGNED_IN, WRONG_PARAMETERS, ErrorSerializer
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field
from dsrhub.api.pages import PageParameters, page_response
from dsrhub.api.parameters import Parameters

NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such earlier version.")
NOT_NOW = OpenApiResponse(
    ErrorSerializer,
    description="A name looks like one that came later, or another part of its message must return first.",
)
NO_RATE = OpenApiResponse(ErrorSerializer, description="There is no exchange rate for its period.")
READS = {401: NOT_SIGNED_IN, 403: NOT_ALLOWED}


class VersionDifferenceSerializer(serializers.Serializer[VersionDifference]):
    """What the DSR that stands has more, or less if it is negative."""

    line_count = Int64Field()
    usages = ExactField(help_text="A whole number as text.")
    revenue = ExactField(help_text="In the currency of both.")


class VersionSerializer(WithoutBlank):
    """A DSR that was replaced or deleted. Properties without a value are omitted. `standing` is the DSR under its key.

    Amounts are exact decimal numbers in its currency.
    """

    id = serializers.IntegerField(help_text="The id that it had as a DSR, and will have if it returns.")
    path = serializers.CharField()
    sha256 = serializers.CharField(help_text="The SHA-256 of the unpacked content.")
    dsp = serializers.CharField()
    offer = serializers.CharField()
    society = serializers.CharField(required=False)
    territory = serializers.CharField(source="territory_id")
    currency = serializers.CharField(source="currency_id")
    period_start = serializers.DateField()
    period_end = serializers.DateField()
    commercial_model = serializers.CharField(required=False)
    use_type = serializers.CharField(required=False)
    subscriber_type = serializers.CharField(required=False)
    message = Int64Field(source="message_id", required=False, help_text="The id of its message.")
    line_count = Int64Field()
    total_usages = ExactField(help_text="A whole number as text.")
    total_revenue = ExactField()
    imported_at = serializers.DateTimeField()
    superseded_at = serializers.DateTimeField()
    successor = serializers.IntegerField(required=False, help_text="The DSR that replaced it; omitted if deleted.")
    kept_until = serializers.SerializerMethodField(help_text="Dropped earlier if all versions become too large.")
    bytes = Int64Field(source="byte_count", help_text="The approximate number of bytes that it takes on disk.")
    standing = serializers.IntegerField(source="standing_id", required=False)
    difference = serializers.SerializerMethodField(help_text="Omitted where no DSR stands in its place.")

    @extend_schema_field(OpenApiTypes.DATETIME)
    def get_kept_until(self, version: SupersededDSR) -> str:
        return str(serializers.DateTimeField().to_representation(kept_until(version)))

    @extend_schema_field(VersionDifferenceSerializer(required=False))
    def get_difference(self, version: SupersededDSR) -> Any:
        difference = version_difference(version)
        return None if difference is None else VersionDifferenceSerializer(difference, context=self.context).data


class DifferentRecordingSerializer(serializers.Serializer[Any]):
    """A recording with its sums before and after. Revenue is in the currency of both DSRs."""

    dsp_id = serializers.CharField()
    title = serializers.CharField(allow_null=True)
    artists = serializers.CharField(allow_null=True, help_text="Pipe-separated.")
    usages_before = ExactField()
    usages_after = ExactField()
    revenue_before = ExactField()
    revenue_after = ExactField()
    revenue_difference = ExactField()


class DifferentRecordingsSerializer(serializers.Serializer[Any]):
    """How many recordings there are, and those with the largest difference in revenue."""

    count = Int64Field()
    largest = DifferentRecordingSerializer(many=True)


class RecordingsDifferenceSerializer(serializers.Serializer[Any]):
    """The recordings that only the DSR that stands has, only the version, and both with other sums."""

    came = DifferentRecordingsSerializer()
    went = DifferentRecordingsSerializer()
    changed = DifferentRecordingsSerializer()


class RevertedSerializer(serializers.Serializer[Any]):
    """The DSRs that returned: one, or those of its message that were superseded in the same step."""

    dsrs = serializers.ListField(child=serializers.IntegerField(), help_text="The ids of the DSRs.")


class VersionListView(APIView):
    read_permission = "catalogue.view_dsr"

    @extend_schema(
        operation_id="versions_list",
        summary="List earlier versions",
        tags=["versions"],
        parameters=[PageParameters, EXACT_IN_WORDS],
        responses={200: VersionSerializer(many=True), 400: WRONG_PARAMETERS, **READS},
    )
    def get(self, request: Request) -> Response:
        """List the DSRs that were replaced or deleted and are still kept. Needs the permission `view_dsr`.

        The header `Link` has the address of the next page.
        """
        page = PageParameters.of(request.query_params)
        rows = version_list(after=page["cursor"], limit=page["limit"] + 1)
        return page_response(request, rows, VersionSerializer, limit=page["limit"], exact=page["exact"], key="pk")


class DSRVersionsView(APIView):
    read_permission = "catalogue.view_dsr"

    @extend_schema(
        operation_id="dsrs_versions",
        summary="List the earlier versions of a DSR",
        tags=["versions"],
        parameters=[paths.ID],
        responses={200: VersionSerializer(many=True), 400: WRONG_PARAMETERS, 404: paths.NO_DSR, **READS},
    )
    def get(self, request: Request, id: str) -> Response:
        """List the earlier versions under the key of a DSR, the latest one first. Needs the permission `view_dsr`."""
        Parameters.of(request.query_params)
        dsr = dsr_get(dsr_number=paths.dsr_number(id))
        return Response(VersionSerializer(versions_by_dsr([dsr]).get(dsr.pk, []), many=True).data)


class VersionView(APIView):
    read_permission = "catalogue.view_dsr"
    write_permissions = {"DELETE": "catalogue.delete_dsr"}

    @extend_schema(
        operation_id="versions_read",
        summary="Get an earlier version",
        tags=["versions"],
        parameters=[paths.ID],
        responses={200: VersionSerializer, 400: WRONG_PARAMETERS, 404: NOT_FOUND, **READS},
    )
    def get(self, request: Request, id: str) -> Response:
        """Return an earlier version. Needs the permission `view_dsr`."""
        Parameters.of(request.query_params)
        return Response(VersionSerializer(version_get(version_number=paths.version_number(id))).data)

    @extend_schema(
        operation_id="versions_delete",
        summary="Drop an earlier version",
        tags=["versions"],
        parameters=[paths.ID],
        responses={204: None, 404: NOT_FOUND, **READS},
    )
    def delete(self, request: Request, id: str) -> Response:
        """Drop an earlier version for good. Needs the permission `delete_dsr`."""
        version_delete(version_number=paths.version_number(id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class VersionRecordingsView(APIView):
    read_permission = "catalogue.view_dsr"

    @extend_schema(
        operation_id="versions_recordings",
        summary="List the recordings that changed since an earlier version",
        tags=["versions"],
        parameters=[paths.ID],
        responses={
            200: RecordingsDifferenceSerializer,
            400: WRONG_PARAMETERS,
            404: NOT_FOUND,
            503: BUSY,
            **READS,
        },
    )
    def get(self, request: Request, id: str) -> Response:
        """Compare the recordings of an earlier version with those of the DSR that stands in its place.

        Needs the permission `view_dsr`. Where both are large, the first request is answered with 503, and a worker
        compares them.
        """
        Parameters.of(request.query_params)
        found = recordings_difference(version_get(version_number=paths.version_number(id)))
        return Response(RecordingsDifferenceSerializer(found).data)


class VersionRevertView(APIView):
    write_permissions = {"POST": "catalogue.change_dsr"}

    @extend_schema(
        operation_id="versions_revert",
        summary="Revert to an earlier version",
        tags=["versions"],
        parameters=[paths.ID],
        request=None,
        responses={200: RevertedSerializer, 400: NO_RATE, 404: NOT_FOUND, 409: NOT_NOW, **READS},
    )
    def post(self, request: Request, id: str) -> Response:
        """Let an earlier version return, in place of the DSR that stands. Needs the permission `change_dsr`.

        The DSR that stands becomes an earlier version in turn. A version of a message returns with all DSRs of the
        message that were superseded in the same step.
        """
        dsrs = version_revert(version_number=paths.version_number(id), user=cast(User, request.user))
        return Response(RevertedSerializer({"dsrs": [dsr.pk for dsr in dsrs]}).data)
