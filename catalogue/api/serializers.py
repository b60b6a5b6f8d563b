"""The serializers of the REST API: the types of the contract, and the types that we add to it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from catalogue.api.totals import signed_amount, whole_number
from catalogue.dsrs.selectors import ListedDSR
from catalogue.imports.loading.outcome import ImportReport
from catalogue.imports.queue.waiting import waiting_for
from catalogue.models import DSR, Currency, ImportJob, RateMethod, ReportMessage, ReportProblem, RevenueKind, Territory
from catalogue.ranking.cached.resources import Ranking
from catalogue.reports.formats.registry import explanation
from catalogue.reports.problems import Excerpt
from dsrhub.api.errors import ErrorSerializer
from dsrhub.api.fields import ExactField, Int64Field, WholeNumberField, exact_field
from dsrhub.api.pages import LARGEST_PAGE, PageParameters
from dsrhub.api.parameters import Parameters
from dsrhub.values.times import parsed_time

# --- Parameters ------------------------------------------------------------------------------------------------

DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@extend_schema_field(OpenApiTypes.DATETIME)
class DayField(serializers.Field):
    """The day in UTC of a date-time or a plain date. A value without a zone is in UTC."""

    default_error_messages = {"invalid": _("Must be a date-time or date, such as 2020-01-31T00:00:00Z or 2020-01-31.")}

    def to_internal_value(self, data: Any) -> date:
        text = f"{data}T00:00Z" if DAY.fullmatch(str(data)) else str(data)
        # A client may send the `+` of the zone unescaped: then it arrives as a space.
        moment = parsed_time(text[:11] + text[11:].replace(" ", "+"))
        if moment is None:
            self.fail("invalid")
        try:
            return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
        except OverflowError:
            self.fail("invalid")

    def to_representation(self, value: date) -> str:
        return f"{value.isoformat()}T00:00:00Z"


class TerritoryParameters(Parameters):
    territory = serializers.RegexField(
        r"^[A-Za-z]{2}\Z",
        required=False,
        trim_whitespace=False,
        error_messages={"invalid": _("Must be two letters.")},
        help_text="Count only DSRs of this territory: its ISO 3166-1 code, such as ES.",
    )

    def validate_territory(self, value: str) -> str:
        return value.upper()


class ScopeParameters(TerritoryParameters):
    """Selects the DSRs in scope."""

    period_start = DayField(required=False, help_text="Count only DSRs whose period starts on this day or later.")
    period_end = DayField(required=False, help_text="Count only DSRs whose period ends on this day or earlier.")


class TopPercentileParameters(ScopeParameters):
    number = WholeNumberField(min_value=1, max_value=100)
    exact = exact_field()


class DSRPageParameters(PageParameters):
    """Selects a page of DSRs. Without a limit, the page has all DSRs, as the contract demands."""

    limit = WholeNumberField(
        min_value=1, max_value=LARGEST_PAGE, required=False, help_text="Maximum number of DSRs; all if omitted."
    )
    # No number of a DSR is large.
    exact = None  # type: ignore[assignment]


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


# --- Types of the contract -------------------------------------------------------------------------------------


class TerritorySerializer(serializers.ModelSerializer[Territory]):
    class Meta:
        model = Territory
        fields = ["name", "code_2"]


class CurrencySerializer(serializers.ModelSerializer[Currency]):
    class Meta:
        model = Currency
        fields = ["name", "code"]


class DSRSerializer(serializers.ModelSerializer[DSR]):
    """A Digital Sales Report."""

    period_start = DayField()
    period_end = DayField()
    territory = TerritorySerializer()
    currency = CurrencySerializer()

    class Meta:
        model = DSR
        fields = ["id", "path", "period_start", "period_end", "status", "territory", "currency"]


def dsrs_rendered(dsrs: Iterable[ListedDSR]) -> bytes:
    """Return DSRs as a JSON array, byte for byte as DSRSerializer renders them.

    The serializer takes ten times as long, and the list of all DSRs may have thousands.
    """
    return _safe("[" + ",".join([_dsr_rendered(dsr) for dsr in dsrs]) + "]").encode()


def _dsr_rendered(dsr: ListedDSR) -> str:
    return (
        f'{{"id":{dsr.id},"path":{encode_basestring(dsr.path)},'
        f'"period_start":"{dsr.period_start}T00:00:00Z","period_end":"{dsr.period_end}T00:00:00Z",'
        f'"status":"{dsr.status}",'
        f'"territory":{{"name":{encode_basestring(dsr.territory)},"code_2":{encode_basestring(dsr.territory_code)}}},'
        f'"currency":{{"name":{encode_basestring(dsr.currency)},"code":{encode_basestring(dsr.currency_code)}}}}}'
    )


# Valid in JSON but not in JavaScript.
SCRIPT_BREAKS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}


def _safe(json: str) -> str:
    """Escape what rest_framework escapes: see SCRIPT_BREAKS."""
    # Nearly no text has one, and to look for it takes a tenth of the time that `replace` does.
    for character, escaped in SCRIPT_BREAKS.items():
        if character in json:
            json = json.replace(character, escaped)
    return json


class WithoutEmpty(serializers.Serializer[Any]):
    """An object without the properties that have no value: the types of the contract allow no null."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # DRF's own way takes longer for each property without a value than this for one with a value.
        value_of = _item if isinstance(instance, dict) else getattr
        shown = {}
        for name, field in self.fields.items():
            source = str(field.source)
            if source == "*":  # Of a method of the serializer.
                value = instance
            else:
                value = value_of(instance, source) if field.required else value_of(instance, source, None)
            if value is not None:
                shown[name] = field.to_representation(value)
        return shown


def _item(values: dict[str, Any], name: str, *default: None) -> Any:
    return values.get(name) if default else values[name]


class ResourceSerializer(WithoutEmpty):
    """A sound recording with its sums over the counted DSRs. A property without a value is omitted."""

    dsp_id = serializers.CharField()
    title = serializers.CharField(required=False)
    artists = serializers.CharField(required=False, help_text="Pipe-separated.")
    isrc = serializers.CharField(required=False)
    usages = Int64Field(required=False)
    revenue = serializers.FloatField(required=False, help_text="In EUR.")
    dsrs = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Ids of the counted DSRs that report it."
    )


# The number of resources that are read and sent at a time, at most. The first piece is small, so that the first byte
# does not wait for many resources. An answer with no more resources than the first piece is sent whole.
FIRST_PIECE, PIECE = 500, 2_000


def resources_rendered(ranking: Ranking, *, exact: bool = False) -> Iterator[bytes]:
    """Yield the resources of a ranking as a JSON array in pieces, byte for byte as ResourceSerializer renders them.

    If `exact`, usages and revenue are text instead, without zeros at the end of decimals. The serializer takes ten
    times as long, which would dominate the largest answers.
    """
    if not ranking.count:
        yield b"[]"
    rank, before, limit = 0, "[", FIRST_PIECE
    while rank < ranking.count:
        # A piece has fewer resources where their texts are long.
        rows = ranking.select(RENDERED_EXACTLY if exact else RENDERED, after_rank=rank, limit=limit)
        if not rows:
            # A crash of the database empties rankings. An answer that breaks off is not taken for a complete one.
            raise LookupError(f"The rows of ranking {ranking.number} are gone.")
        rank += len(rows)
        after = "]" if rank == ranking.count else ""
        yield (before + _safe(",".join(_rendered(rows, exact=exact))) + after).encode()
        before, limit = ",", PIECE


# The start of the object of a resource. PostgreSQL escapes the same characters as encode_basestring, in the same way.
NAMED = """
'{{"dsp_id":' || to_json(dsp_id) || coalesce(',"title":' || to_json(title), '')
    || coalesce(',"artists":' || to_json(artists), '') || coalesce(',"isrc":' || to_json(isrc), '')
    || coalesce(',"usages":' || {usages}, '') || ',"revenue":'
"""
RENDERED = NAMED.format(usages="usages") + ", revenue::float8::text, dsrs::text"
QUOTED = "'\"' || {} || '\"'"
RENDERED_EXACTLY = (
    NAMED.format(usages=QUOTED.format("usages")) + f", {QUOTED.format('trim_scale(revenue)')}, dsrs::text"
)


def _rendered(rows: Iterable[Sequence[str]], *, exact: bool) -> list[str]:
    number = str if exact else _number
    return [f'{named}{number(revenue)},"dsrs":{_ascending(dsrs)}}}' for named, revenue, dsrs in rows]


def _number(double: str) -> str:
    """Return the text of a double in PostgreSQL as Python writes it: with all digits that tell it from other doubles.

    Python writes `5.0` where PostgreSQL writes `5`, and `1000000000000000.0` for `1e+15`. From there on, the digits can
    differ, too. All others, such as `0.7` and `1.5e-07`, are the same.
    """
    return double if "." in double and "e+" not in double else repr(float(double))


@lru_cache(maxsize=30_000)
def _ascending(ids: str) -> str:
    """Return a PostgreSQL array of ids as a sorted JSON array. Cached, as many resources are in the same DSRs."""
    return "[" + ",".join(sorted(ids[1:-1].split(","), key=int)) + "]"


# --- Types that we add -----------------------------------------------------------------------------------------


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


class WithoutBlank(WithoutEmpty):
    """An object without blank properties either: some columns have blank texts instead of NULL."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {name: value for name, value in super().to_representation(instance).items() if value not in ("", None)}


class DSRDetailsSerializer(WithoutBlank, DSRSerializer):
    """Everything about a DSR. Properties without a value are omitted.

    Only DSRs of messages have the properties from `message` to `revenue_without_royalty`. Amounts are exact decimal
    numbers, in the currency of the DSR unless the name says EUR.
    """

    dsp = serializers.CharField()
    offer = serializers.CharField()
    society = serializers.CharField(required=False)
    gzip_name = serializers.CharField(required=False, help_text="The file name that the gzip header contains.")
    sha256 = serializers.CharField(required=False, help_text="Of the unpacked content.")
    imported_at = serializers.DateTimeField()
    message = Int64Field(source="message_id", required=False, help_text="The id of its message.")
    commercial_model = serializers.CharField(required=False)
    use_type = serializers.CharField(required=False, help_text="Of all lines that have none of their own.")
    subscriber_type = serializers.CharField(required=False)
    summary_id = serializers.CharField(required=False, help_text="The id of the summary in its message.")
    declared_usages = ExactField(required=False, help_text="Those of all recordings of the context.")
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


class UseTypeTotalSerializer(WithoutEmpty):
    """The totals of those lines of a DSR that have one use type: their own, or else that of the DSR."""

    use_type = serializers.CharField(required=False, help_text="Omitted where neither the lines nor the DSR have one.")
    line_count = Int64Field()
    blank_isrc_count = Int64Field(help_text="The number of lines without an ISRC.")
    total_usages = ExactField(help_text="A whole number as text.")
    total_revenue = ExactField(help_text="An exact decimal number in the currency of the DSR.")


class ExplanationField(serializers.CharField):
    """The code of a problem, in words."""

    def to_representation(self, value: Any) -> str:
        return str(explanation(value).translated())


class ExcerptSerializer(serializers.Serializer[Any]):
    """A part of a line as it was delivered, tabs included. `…` stands for what is cut off."""

    before = serializers.CharField(help_text="What is before the cells in question.")
    marked = serializers.CharField(help_text="The cells in question. Blank where the line lacks them.")
    after = serializers.CharField(help_text="What is after them.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return Excerpt(*instance)._asdict()


class ProblemSerializer(WithoutEmpty):
    """An error or a warning in a DSR. Properties that do not apply are omitted."""

    id = Int64Field(required=False)
    level = serializers.ChoiceField(ReportProblem.Level.choices, required=False)
    code = serializers.CharField(help_text="Stable.")
    message = ExplanationField(source="code", help_text="What the code means, and what helps, for people.")
    line = Int64Field(required=False)
    column = serializers.CharField(required=False)
    value = serializers.CharField(required=False)
    file = serializers.CharField(required=False, help_text="In a message of several files, the name of the file.")
    context_number = serializers.IntegerField(
        required=False, help_text="In a delivery of several DSRs, the number of the DSR, from 1."
    )
    excerpt = ExcerptSerializer(required=False, help_text="The delivered line around the cells in question.")


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
    sha256 = serializers.CharField(help_text="Of the unpacked content.")


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

    dsrs = serializers.ListField(child=serializers.IntegerField(), source="dsr_numbers", help_text="Their ids.")


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

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField(), help_text="Numbers of files."))
    def get_waiting_for(self, job: ImportJob) -> list[int]:
        return waiting_for(job)


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
    waiting_for = serializers.ListField(child=serializers.IntegerField(), help_text="Numbers of files.")
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
    path = serializers.CharField(required=False, help_text="Its path.")
    ids = serializers.ListField(child=serializers.IntegerField(), required=False, help_text="The ids of all DSRs.")
    message_id = serializers.CharField(required=False)
    job = serializers.IntegerField(required=False)
    templates = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The names of the templates that recognise the file."
    )
