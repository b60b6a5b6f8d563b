"""An upload of a report: its parameters, and the answers to it."""

from typing import Any

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from catalogue.api.contract import DSRSerializer
from catalogue.api.messages import MessageFactsSerializer
from catalogue.api.problems import ProblemSerializer
from catalogue.api.totals import signed_amount, whole_number
from catalogue.imports.loading.outcome import ImportReport
from catalogue.imports.queue.waiting import waiting_for
from catalogue.models import ImportJob, RateMethod
from dsrhub.api.errors import ErrorSerializer, WrongParametersSerializer
from dsrhub.api.fields import ExactField, Int64Field
from dsrhub.api.parameters import Parameters


class UploadParameters(Parameters):
    """A report to import."""

    file = serializers.FileField(
        allow_empty_file=True,
        help_text="A report named `{DSP}_{Offer}[_{Society}]_{TT}_{CCC}_{period}.tsv[.gz]`, a file of a message, or a "
        "column file that a template reads.",
    )
    template = serializers.CharField(
        required=False,
        help_text="The name of the template that reads a column file, instead of the one that recognises it.",
    )
    # Without a default in the document, which TypeScript would turn into a required property.
    replace = serializers.BooleanField(
        required=False,
        help_text="Replace earlier DSRs that have the same key, and an earlier message of the same id; and let an "
        "earlier version return that has just this content.",
    )
    drop_missing = serializers.BooleanField(
        required=False,
        help_text="With `replace`: delete the DSRs of replaced messages whose contexts the new message lacks.",
    )

    declared_lines = whole_number("The lines that the service declares. If the delivery has others, it is refused.")
    declared_usages = whole_number("The usages that the service declares.")
    declared_revenue = signed_amount("The revenue that the service declares, if the delivery has one currency.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = {"replace": False, "drop_missing": False, "template": None, **attrs}
        if attrs["drop_missing"] and not attrs["replace"]:
            raise serializers.ValidationError(
                {"drop_missing": ErrorDetail(gettext("Needs `replace`."), "needs_replace")}
            )
        return attrs


class ImportedDSRSerializer(serializers.Serializer[Any]):
    """The result of an import for one DSR."""

    outcome = serializers.ChoiceField(["loaded", "replaced", "reverted", "unchanged"])
    dsr = DSRSerializer()
    line_count = Int64Field(source="dsr.line_count")
    blank_count = Int64Field(source="dsr.blank_count", help_text="The number of blank cells.")
    warning_count = Int64Field(source="dsr.warning_count")
    exchange_rate = ExactField(source="dsr.exchange_rate", help_text="Units of the currency for one euro.")
    rate_method = serializers.ChoiceField(
        RateMethod.choices, source="dsr.rate_method", help_text="The origin of the exchange rate."
    )
    rate_source = serializers.CharField(
        source="dsr.rate_source", help_text="The origin of the exchange rate in words; blank for the euro."
    )


class DeliverySerializer(serializers.Serializer[Any]):
    """The result of an import of a delivery of several DSRs: `replaced` where any of them replaced an earlier DSR."""

    outcome = serializers.ChoiceField(["loaded", "replaced", "reverted", "unchanged"])
    dsrs = ImportedDSRSerializer(many=True, source="imported")


class ImportedMessageSerializer(DeliverySerializer):
    """The result of an import of a message. `missing` lists DSRs of replaced messages whose contexts it lacks; they are
    deleted if `dropped` is true."""

    message = MessageFactsSerializer()
    missing = serializers.SerializerMethodField()
    dropped = serializers.BooleanField()

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_missing(self, report: ImportReport) -> list[int]:
        return [dsr.pk for dsr in report.missing]


def import_report_data(report: ImportReport) -> Any:
    """A message with its DSRs, a DSR without a message as itself, and several as a delivery."""
    # One query for all DSRs.
    prefetch_related_objects([one.dsr for one in report.imported], "territory", "currency")
    if report.message is not None:
        return ImportedMessageSerializer(report).data
    if len(report.imported) == 1:
        return ImportedDSRSerializer(report.imported[0]).data
    return DeliverySerializer(report).data


class WaitingFileSerializer(serializers.Serializer[ImportJob]):
    """A file of a message that is stored until the other files are uploaded. No file is missing while another request
    imports the message."""

    job = serializers.IntegerField(source="pk", help_text="The id of the import: see `/imports/{id}`.")
    waiting_for = serializers.SerializerMethodField()

    @extend_schema_field(
        serializers.ListField(child=serializers.IntegerField(), help_text="The numbers of the missing files.")
    )
    def get_waiting_for(self, job: ImportJob) -> list[int]:
        return waiting_for(job)


class RefusalSerializer(ErrorSerializer):
    """Why a report was refused. `problems` has the first of `error_count` errors and `warning_count` warnings."""

    error_count = Int64Field(required=False)
    warning_count = Int64Field(required=False)
    problems = ProblemSerializer(many=True, required=False)
    dsr = serializers.IntegerField(required=False, help_text="The id of the DSR that failed.")
    template = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="Of a column file that no template recognises: the name of the nearest one.",
    )
    missing_columns = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="The columns by which this template recognises its files, and which the file has not.",
    )


class ConflictSerializer(ErrorSerializer):
    """What contradicts an import: the DSRs that are in the way, or the import of a file that waits already."""

    id = serializers.IntegerField(required=False, help_text="The id of the first DSR.")
    path = serializers.CharField(required=False, help_text="The `path` of the first DSR.")
    ids = serializers.ListField(child=serializers.IntegerField(), required=False, help_text="The ids of all DSRs.")
    message_id = serializers.CharField(required=False)
    job = serializers.IntegerField(required=False)
    templates = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The names of the templates that recognise the file."
    )


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
IMPORTED = PolymorphicProxySerializer(
    "ImportReport", [ImportedDSRSerializer, DeliverySerializer, ImportedMessageSerializer], None
)
