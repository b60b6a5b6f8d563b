"""The REST endpoints for messages: their answers, and the views."""

from typing import Any

from django.utils.decorators import method_decorator
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.api.fields import DayField, WithoutBlank, WithoutEmpty
from catalogue.api.problems import EXPLAINED, ProblemSerializer
from catalogue.dsrs import messages
from catalogue.dsrs.services import message_delete
from catalogue.models import ReportMessage
from dsrhub.api.errors import NOT_ALLOWED, NOT_SIGNED_IN, READS_CLOSED, WRONG_PARAMETERS, ErrorSerializer
from dsrhub.api.fields import EXACT_IN_WORDS, Int64Field
from dsrhub.api.pages import PageParameters, page_response
from dsrhub.api.parameters import Parameters

NO_MESSAGE = OpenApiResponse(ErrorSerializer, description="There is no such message.")


class MessageProblemSerializer(ProblemSerializer):
    """A warning in a message. Properties that do not apply are omitted."""

    dsr = serializers.IntegerField(
        source="dsr_id", required=False, help_text="The id of the DSR. Omitted of a message as a whole."
    )


class PartySerializer(WithoutEmpty):
    """A sender or a recipient. Properties without a value are omitted."""

    name = serializers.CharField(required=False)
    party_id = serializers.CharField(required=False, help_text="Its DDEX party id (DPID).")


class MessageFileSerializer(serializers.Serializer[Any]):
    """A file of a message."""

    name = serializers.CharField(help_text="As delivered.")
    sha256 = serializers.CharField(help_text="The SHA-256 of the unpacked content.")


class MessageFactsSerializer(WithoutBlank):
    """A delivered message, whose sales contexts are DSRs. Properties without a value are omitted."""

    id = Int64Field()
    format = serializers.CharField()
    sender = serializers.SerializerMethodField()
    recipient = serializers.SerializerMethodField()
    message_id = serializers.CharField(help_text="The id that the sender gave it.")
    created = serializers.CharField(required=False, help_text="The time of creation, as the sender wrote it.")
    profile = serializers.CharField()
    profile_version = serializers.CharField()
    period_start = DayField()
    period_end = DayField()
    imported_at = serializers.DateTimeField()
    files = MessageFileSerializer(many=True)

    @extend_schema_field(PartySerializer)
    def get_sender(self, message: ReportMessage) -> Any:
        return _party(message.sender_name, message.sender_id)

    @extend_schema_field(PartySerializer)
    def get_recipient(self, message: ReportMessage) -> Any:
        return _party(message.recipient_name, message.recipient_id)


def _party(name: str, party_id: str) -> Any:
    return PartySerializer({"name": name or None, "party_id": party_id or None}).data


class MessageSerializer(MessageFactsSerializer):
    """A delivered message with the number of its DSRs and warnings."""

    dsr_count = Int64Field()
    warning_count = Int64Field(
        source="all_warning_count", help_text="The warnings of the message as a whole and of its DSRs."
    )


class MessageDetailsSerializer(MessageSerializer):
    """A message with its DSRs."""

    dsrs = serializers.ListField(
        child=serializers.IntegerField(), source="dsr_numbers", help_text="The ids of its DSRs."
    )


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
