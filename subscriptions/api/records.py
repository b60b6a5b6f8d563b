"""The endpoint to which programs send records of usage: the forms of its body, and its answers."""

from collections.abc import Callable, Mapping
from io import BufferedReader, BytesIO
from itertools import islice
from typing import Any, ClassVar, cast
from urllib.parse import unquote

from django.utils.decorators import method_decorator
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dsrhub.api.errors import (
    NO_LENGTH,
    NOT_ALLOWED,
    NOT_SIGNED_IN,
    NOT_THIS_TYPE,
    TOO_LARGE,
    TOO_SLOW,
    ErrorSerializer,
    WrongParametersSerializer,
)
from dsrhub.api.parameters import Parameters
from dsrhub.exceptions import DsrhubError
from dsrhub.files.unpacking import MAGIC
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import printable
from subscriptions.exceptions import RecordProblem
from subscriptions.records.cloudevents import event_record, event_records
from subscriptions.records.documents import NotJSON, Sent, json_lines, json_records, line_record, parsed_json
from subscriptions.records.events import LONGEST_ID
from subscriptions.records.files import usage_file_records
from subscriptions.records.ingestion import MOST_RECORDS, Ingested, Outcome, RecordResult, usage_records_ingest

# --- Bodies ----------------------------------------------------------------------------------------------------

EVENT_HEADER = "ce-"


class RecordsParser(BaseParser):
    """Reads a body to its records, of which some may be problems."""

    read: ClassVar[Callable[[bytes], list[Sent]]]

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        content = stream.read()
        if content.startswith(MAGIC):
            text = _("The body is packed: send it with the header Content-Encoding: gzip.")
            raise ParseError(text.translated(), code="gzip_without_encoding")
        try:
            return self.records(content, parser_context["request"])
        except NotJSON as error:
            text = _("This is not JSON: %(error)s") % {"error": str(error)}
            raise ParseError(text.translated(), code="not_json") from error

    def records(self, content: bytes, request: Request) -> list[Sent]:
        return type(self).read(content)


def _one_or_many(content: bytes) -> list[Sent]:
    return json_records(parsed_json(content))


def _events(content: bytes) -> list[Sent]:
    return event_records(parsed_json(content))


def _lines(content: bytes) -> list[Sent]:
    # One more shows that there are too many.
    lines = islice(json_lines(content), MOST_RECORDS + 1)
    return [line_record(position, line) for position, line in enumerate(lines, 1)]


def _cells(content: bytes) -> list[Sent]:
    """The records of a file of columns. Raises InvalidUsage for a wrong header."""
    usage_type, records = usage_file_records(BufferedReader(BytesIO(content)))
    return [
        record if isinstance(record, RecordProblem) else (usage_type, record)
        for record in islice(records, MOST_RECORDS + 1)
    ]


class JSONRecordsParser(RecordsParser):
    """A record, an array of records, or the data of an event whose attributes are headers."""

    media_type = "application/json"

    def records(self, content: bytes, request: Request) -> list[Sent]:
        attributes = event_attributes(request.headers)
        if not attributes:
            return _one_or_many(content)
        return [event_record(1, attributes | {"data": parsed_json(content)})]


def event_attributes(headers: Mapping[str, str]) -> dict[str, Any]:
    """The attributes of an event in the headers of a request (binary mode)."""
    return {
        name.lower().removeprefix(EVENT_HEADER): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith(EVENT_HEADER)
    }


def parser(media_type: str, read: Callable[[bytes], list[Sent]]) -> type[RecordsParser]:
    return type("Parser", (RecordsParser,), {"media_type": media_type, "read": staticmethod(read)})


PARSERS: list[type[BaseParser]] = [
    JSONRecordsParser,
    parser("application/x-ndjson", _lines),
    parser("application/jsonl", _lines),
    parser("text/csv", _cells),
    parser("text/tab-separated-values", _cells),
    parser("application/cloudevents+json", _events),
    parser("application/cloudevents-batch+json", _events),
]

# --- Parameters and answers ------------------------------------------------------------------------------------


class RecordsParameters(Parameters):
    backfill = serializers.BooleanField(
        default=False, help_text="Whether records of days whose raw records were purged are added, too."
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        # Serializers have an attribute of this name.
        partial = serializers.BooleanField(
            default=False,
            help_text="Whether valid records are added where others are refused. The answer then has the result of "
            "each record.",
        )
        return {"partial": partial, **super().get_fields()}


class RecordSerializer(serializers.Serializer[Any]):
    """A record of usage. It has one of `kilobytes_used` and `seconds_used`. Numbers may be texts: no digit is lost."""

    subscription_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    usage_date = serializers.CharField(help_text="A time with its zone, as in RFC 3339.")
    price = serializers.CharField(help_text="A decimal number. A negative price is a credit.")
    kilobytes_used = serializers.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    seconds_used = serializers.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    external_id = serializers.CharField(
        required=False,
        max_length=LONGEST_ID,
        help_text="The carrier's own id of the record. A record with one can safely be sent again.",
    )


class RecordProblemSerializer(serializers.Serializer[Any]):
    """Why a record is refused: the code is for programs, the message for people."""

    position = serializers.IntegerField(help_text="The place of the record in the request, from 1 on.")
    field = serializers.CharField()
    value = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()

    def to_representation(self, instance: RecordProblem) -> dict[str, Any]:
        value = printable(instance.shown_value, LONGEST_ID)
        facts = {"position": instance.position, "field": instance.field, "value": value, "code": instance.code}
        return facts | {"message": instance.sentence.translated()}


class RecordResultSerializer(serializers.Serializer[Any]):
    """What became of a record."""

    position = serializers.IntegerField()
    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome])
    problem = RecordProblemSerializer(required=False)

    def to_representation(self, instance: RecordResult) -> dict[str, Any]:
        row = {"position": instance.position, "outcome": instance.outcome.value}
        return row if instance.problem is None else row | {"problem": RecordProblemSerializer(instance.problem).data}


class IngestedSerializer(serializers.Serializer[Any]):
    """How many records were added, were there already, and were refused; with `partial`, the result of each."""

    added = serializers.IntegerField()
    repeated = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = RecordResultSerializer(many=True, required=False)

    def to_representation(self, instance: Ingested) -> dict[str, Any]:
        counts = {"added": instance.added, "repeated": instance.repeated, "refused": instance.refused}
        if instance.results is None:
            return counts
        return counts | {"results": RecordResultSerializer(instance.results, many=True).data}


class RefusedRecordsSerializer(ErrorSerializer):
    """Nothing was added. The first 100 problems."""

    error_count = serializers.IntegerField(required=False)
    problems = RecordProblemSerializer(many=True, required=False)


class ConflictingRecordsSerializer(RefusedRecordsSerializer):
    """Nothing was added. Of a conflict: the record, and its external id."""

    position = serializers.IntegerField(required=False)
    subscription = serializers.IntegerField(required=False)
    external_id = serializers.CharField(required=False)


# --- The view --------------------------------------------------------------------------------------------------

RECORD = {
    "subscription_id": 1,
    "usage_date": "2026-01-31T23:59:59Z",
    "price": "12.50",
    "kilobytes_used": 2048,
    "external_id": "a-1",
}
PROBLEM = {
    "position": 2,
    "field": "subscription_id",
    "value": "7",
    "code": "unknown_subscription",
    "message": "No subscription has this id.",
}
EXAMPLES = [
    # The document has a list of it, as the body is one.
    OpenApiExample("Records", value=RECORD, request_only=True),
    OpenApiExample("Added", value={"added": 1, "repeated": 0, "refused": 0}, response_only=True, status_codes=["201"]),
    OpenApiExample(
        "Repeated", value={"added": 0, "repeated": 1, "refused": 0}, response_only=True, status_codes=["200"]
    ),
    OpenApiExample(
        "Partly added",
        value={
            "added": 1,
            "repeated": 0,
            "refused": 1,
            "results": [
                {"position": 1, "outcome": "added"},
                {"position": 2, "outcome": "refused", "problem": PROBLEM},
            ],
        },
        response_only=True,
        status_codes=["207"],
    ),
]
NOT_ADDED = OpenApiResponse(
    PolymorphicProxySerializer("NotAdded", [RefusedRecordsSerializer, WrongParametersSerializer], None),
    description="Records have problems, the body cannot be read, or a parameter is wrong. Nothing was added.",
)
CONFLICT = OpenApiResponse(
    ConflictingRecordsSerializer,
    description="A subscription has another record with the same external id (`usage_conflict`), or the raw records of "
    "a day were purged (`day_sealed`). Nothing was added.",
)
TOO_BUSY = OpenApiResponse(
    ErrorSerializer, description="Too many records are in work. Nothing was added: send them again after `Retry-After`."
)


# Problems have sentences in the language of the request.
@method_decorator(vary_on_headers("Accept-Language"), "dispatch")
class RecordsView(APIView):
    parser_classes = PARSERS
    write_permissions = {"POST": "subscriptions.ingest_usage"}

    @extend_schema(
        operation_id="subscriptions_records_create",
        summary="Send usage records",
        tags=["subscriptions"],
        parameters=[RecordsParameters],
        # Other forms work too. They are not documented: client generators fail with more than one content type.
        request={"application/json": RecordSerializer(many=True)},
        responses={
            201: OpenApiResponse(IngestedSerializer, description="Records were added, and none was refused."),
            200: OpenApiResponse(IngestedSerializer, description="All records were there already."),
            207: OpenApiResponse(IngestedSerializer, description="Records were refused, with `partial`."),
            400: NOT_ADDED,
            401: NOT_SIGNED_IN,
            403: NOT_ALLOWED,
            408: TOO_SLOW,
            409: CONFLICT,
            411: NO_LENGTH,
            413: TOO_LARGE,
            415: NOT_THIS_TYPE,
            429: TOO_BUSY,
        },
        examples=EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """Add records of usage: all of them or none, or with `partial` each that is valid. When the answer comes, what
        it counts as added is committed. Needs the permission `ingest_usage`.

        The body is a record or an array of records as JSON; records as lines of JSON (`application/x-ndjson`); a file
        of columns (`text/csv`, `text/tab-separated-values`); or CloudEvents 1.0, structured, in batches, or with
        headers. It may be packed (`Content-Encoding: gzip`). A request has at most 10000 records.

        A record with an external id counts once, however often and by whatever way it is sent.
        """
        parameters = RecordsParameters.of(request.query_params)
        try:
            done = usage_records_ingest(records=_sent(request), **parameters)
        except DsrhubError as error:
            if "problems" in error.extra:
                error.extra["problems"] = RecordProblemSerializer(error.extra["problems"], many=True).data
            raise
        return Response(IngestedSerializer(done).data, status=_status(done))


def _sent(request: Request) -> list[Sent]:
    """The records of the body. Raises ParseError and InvalidUsage."""
    records = cast("Any", request.data)
    if not isinstance(records, list):  # An empty body is not read.
        raise ParseError(_("The body is empty.").translated(), code="empty_body")
    return records


def _status(done: Ingested) -> int:
    if done.refused:
        return status.HTTP_207_MULTI_STATUS
    return status.HTTP_201_CREATED if done.added else status.HTTP_200_OK
