"""The REST endpoint for the imports of uploaded files."""

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.api.fields import WithoutEmpty
from catalogue.api.problems import ProblemSerializer
from catalogue.imports.queue.jobs import import_job_discard
from catalogue.imports.queue.selectors import import_job_get
from catalogue.imports.queue.waiting import waiting_for
from catalogue.models import ImportJob
from dsrhub.api.errors import NOT_ALLOWED, NOT_SIGNED_IN, ErrorSerializer
from dsrhub.api.fields import Int64Field

IMPORT_NOT_FOUND = OpenApiResponse(ErrorSerializer, description="There is no such import.")


class FileOfMessageSerializer(serializers.Serializer[ImportJob]):
    """Which file of which message a file is."""

    sender = serializers.CharField(source="part_sender", help_text="The party id of the sender, or its name.")
    message_id = serializers.CharField(source="part_message_id")
    file_number = serializers.IntegerField(source="part_number")
    file_count = serializers.IntegerField(source="part_count")


class ImportJobSerializer(WithoutEmpty):
    """An uploaded file and its import. `message` is only there for files of messages of several files: the import of
    the message is that of each of its files."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(ImportJob.State.choices)
    name = serializers.CharField()
    detail = serializers.CharField(help_text="What became of it, or what it waits for, for people.")
    message = FileOfMessageSerializer(required=False)
    waiting_for = serializers.ListField(child=serializers.IntegerField(), help_text="The numbers of the missing files.")
    dsrs = serializers.ListField(child=serializers.IntegerField(), help_text="The ids of its DSRs.")
    error_count = Int64Field()
    warning_count = Int64Field()
    problems = ProblemSerializer(many=True, help_text="The first problems, errors first.")


def import_job_data(job: ImportJob) -> Any:
    """A job with what became of it: of a complete message, the first file tells it for all."""
    lead = job.lead or job
    preview = lead.preview or {}
    return ImportJobSerializer(
        {
            "id": job.pk,
            "state": lead.state,
            "name": job.name,
            "detail": lead.shown_message,
            "message": job if job.part_number is not None else None,
            "waiting_for": waiting_for(job),
            "dsrs": lead.dsr_numbers or ([] if lead.dsr_number is None else [lead.dsr_number]),
            # A refusal that is none of the problems is an error itself.
            "error_count": preview.get("error_count") or int(lead.state == ImportJob.State.REFUSED),
            "warning_count": preview.get("warning_count", 0),
            "problems": preview.get("problems", []),
        }
    ).data


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
