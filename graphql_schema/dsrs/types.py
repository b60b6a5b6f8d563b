"""The types of DSRs, their lines and their problems."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import graphene
from django.contrib.auth.models import AnonymousUser, User
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import declared as declared_totals
from catalogue.dsrs import selectors as dsr_selectors
from catalogue.dsrs.messages import messages_by_id
from catalogue.exceptions import DSRFailed, DSRNotFound
from catalogue.reports.formats.registry import explanation
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.batches import batched, load_batch
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.model_types import ModelType
from graphql_schema.scalars import BigInt, Decimal, choices_enum

DSRStatus = choices_enum(
    models.DSR.Status,
    "DSRStatus",
    "The result of an import.",
    ingested="The DSR was imported: its lines count in all sums and rankings.",
    failed="The report has errors: none of its lines were imported.",
)
RateMethod = choices_enum(
    models.RateMethod,
    "RateMethod",
    "The origin of an exchange rate.",
    euro="The currency is the euro, so the rate is 1.",
    ecb_mean="The mean of the reference rates that the European Central Bank published in the period.",
    ecb_last="The last reference rate of the European Central Bank before the period. It published none in the period, "
    "such as on a Saturday.",
    operator="An operator entered the rate.",
)
RevenueKind = choices_enum(
    models.RevenueKind,
    "RevenueKind",
    "The origin of the revenue of lines.",
    reported="The report states the revenue of each line.",
    allocated="The report states the revenue of all usages together. A line has the share of its usages: an estimate.",
)
ProblemLevel = choices_enum(
    models.ReportProblem.Level,
    "ProblemLevel",
    "The severity of a problem.",
    error="An error: none of the lines of the report were imported.",
    warning="A warning: the value may be wrong, but the line counts.",
)


class Line(graphene.ObjectType):
    """A line of a DSR as delivered. A blank cell is null. Only lines of messages have the fields from `useType` on."""

    line_number = graphene.Int(
        required=True,
        description="The number of the line in the file, where the header is line 1. Lines of messages have numbers of "
        "their own, which also begin with 2 in each DSR.",
    )
    dsp_id = graphene.String(required=True, description="The id that the music service gives the recording.")
    title = graphene.String(description="The title.")
    artists = graphene.String(description="The artists, separated by `|`.")
    isrc = graphene.String(description="The ISRC, without hyphens.")
    usages = BigInt(description="The number of usages.")
    revenue = Decimal(
        description="The revenue in the currency of the DSR, with every digit. `revenueKind` tells its origin."
    )
    use_type = graphene.String(description="The use type. It is null where the DSR has one for all lines.")
    is_royalty_bearing = graphene.Boolean(description="Whether the usages bear royalties.")
    returns = BigInt(description="The number of returns, which are not subtracted from the usages.")
    transaction_id = graphene.String(description="The id that the music service gives the transaction.")
    is_release = graphene.Boolean(description="Whether `dspId` is that of a whole release, or a part of one.")
    iswc = graphene.String(description="The ISWC of the work.")
    composers = graphene.String(description="The composers of the work, separated by `|`.")
    label = graphene.String(description="The label of the release.")
    icpn = graphene.String(description="The ICPN (barcode) of the release.")
    isrcs = graphene.String(description="All ISRCs, separated by `|`, where there are several.")
    artists_delivered = graphene.String(description="The artists as delivered, where `artists` is a different text.")


class UseTypeTotal(ModelType):
    """The totals of those lines of a DSR that have one use type."""

    class Meta:
        model = models.UseTypeTotal
        fields = {
            "use_type": "The use type of the lines, or else of the DSR. Null where neither has one.",
            "line_count": "The number of lines.",
            "blank_isrc_count": "The number of lines without an ISRC.",
            "total_usages": "The sum of the usages.",
            "total_revenue": "The exact sum of the revenue, in the currency of the DSR.",
        }

    # The column is numeric, because a sum may exceed a big integer, but its value is a whole number.
    total_usages = BigInt(required=True)


class Excerpt(graphene.ObjectType):
    """A part of a line as it was delivered, tabs included. `…` stands for what is cut off."""

    before = graphene.String(required=True, description="What is before the cells in question.")
    marked = graphene.String(required=True, description="The cells in question. Blank where the line lacks them.")
    after = graphene.String(required=True, description="What is after them.")


class Problem(ModelType):
    """An error or a warning in a DSR or in a message as a whole. A field that does not apply is null."""

    class Meta:
        model = models.ReportProblem
        fields = {
            "id": "The id of the problem.",
            "level": "Error or warning.",
            "code": "A stable code of what is wrong, such as `not_a_number`.",
            "file": "The name of the file, of a message of several files.",
            "line": "The number of the line in the file. The first line is line 1.",
            "column": "The name of the column.",
            "value": "The content of the cell, or the start of it if it is long. Of a failed DSR, it is only for the "
            "importer and for users who may view DSRs.",
        }

    # An Int in the API, although the column is a big integer.
    line = graphene.Int()
    message = graphene.String(required=True, description="What the code means, and what helps, for people.")
    dsr_id = graphene.ID(description="The id of the DSR. Null of a message as a whole.")
    excerpt = graphene.Field(
        Excerpt, description="The delivered line around the cells in question. Visible as `value` is."
    )

    @staticmethod
    def resolve_excerpt(problem: models.ReportProblem, info: GraphQLResolveInfo) -> Excerpt | None:
        return None if problem.excerpt is None else Excerpt(*problem.excerpt)

    @staticmethod
    def resolve_message(problem: models.ReportProblem, info: GraphQLResolveInfo) -> str:
        return str(explanation(problem.code).translated())


class ComparedTotal(graphene.ObjectType):
    """A declared total beside that of the lines."""

    declared = Decimal(required=True, description="What is declared.")
    found = Decimal(required=True, description="What the lines have.")
    difference = Decimal(required=True, description="What is found, less what is declared.")


class ComparedTotals(graphene.ObjectType):
    """Each declared total beside the one that is found. What was not declared is null."""

    matches = graphene.Boolean(required=True, description="Whether all declared totals are those that are found.")
    lines = graphene.Field(ComparedTotal, description="The number of lines.")
    usages = graphene.Field(ComparedTotal, description="The sum of the usages.")
    revenue = graphene.Field(ComparedTotal, description="The sum of the revenue, in the currency of the DSR.")


class DSR(ModelType):
    """A Digital Sales Report: the report of one music service for one territory, currency and period."""

    class Meta:
        model = models.DSR
        fields = {
            "id": "The id, the same as in REST.",
            "path": "The name of the file as delivered.",
            "gzip_name": "The file name that the gzip header contains.",
            "sha256": "The SHA-256 hash of the unpacked content.",
            "dsp": "The music service (DSP) that reports.",
            "offer": "The offer: a product of the music service, such as SpotifyDuo.",
            "society": "The collecting society that the report is for.",
            "territory": "The territory in which the recordings were used.",
            "currency": "The currency of the revenue.",
            "period_start": "The first day of the period.",
            "period_end": "The last day of the period (inclusive).",
            "status": "Whether the DSR was imported.",
            "commercial_model": "The commercial model, such as SubscriptionModel. Only messages state it.",
            "use_type": "The use type of all lines that have none of their own. Only messages state it.",
            "subscriber_type": "The type of the subscribers. Only messages state it.",
            "summary_id": "The id of the summary in its message.",
            "declared_usages": "The usages that the summary declares, of all recordings of the context.",
            "declared_revenue": "The net revenue that the summary declares, in the currency of the DSR.",
            "unallocated_revenue": "The part of the declared revenue that no line has. The total revenue and this part "
            "are the declared revenue, exactly.",
            "subscribers": "The number of subscribers that the summary declares.",
            "returns": "The number of returns, which are not subtracted from the usages.",
            "usages_without_royalty": "The usages of the lines that bear no royalties. The total includes them.",
            "revenue_without_royalty": "The revenue of the lines that bear no royalties. The total includes it.",
            "exchange_rate": "Units of the currency for one euro.",
            "rate_method": "The origin of the exchange rate.",
            "rate_source": "The origin of the exchange rate in words.",
            "line_count": "The number of lines.",
            "total_usages": "The sum of the usages of all lines.",
            "total_revenue": "The exact sum of the revenue of all lines, in the currency of the DSR.",
            "total_revenue_eur": "The total revenue in EUR, rounded half-even to 40 decimals.",
            "blank_title_count": "The number of lines without a title.",
            "blank_artists_count": "The number of lines without artists.",
            "blank_isrc_count": "The number of lines without an ISRC.",
            "blank_usages_count": "The number of lines without usages.",
            "blank_revenue_count": "The number of lines without revenue.",
            "error_count": "The number of errors.",
            "warning_count": "The number of warnings.",
            "imported_at": "The time of the import.",
        }

    # The column is numeric, because a sum may exceed a big integer, but its value is a whole number.
    total_usages = BigInt(required=True)
    usages_without_royalty = BigInt()
    # An annotation of `DSRQuerySet.described`.
    total_revenue_eur = Decimal()
    message = graphene.Field(
        "graphql_schema.messages.types.Message",
        description="The message that the DSR is a part of. Only some formats have messages.",
    )
    revenue_kind = graphene.Field(
        RevenueKind, description="Whether the revenue of lines is reported or allocated. A failed DSR has none."
    )
    compared_totals = graphene.Field(
        ComparedTotals,
        lines=BigInt(description="The declared number of lines."),
        usages=BigInt(description="The declared usages."),
        revenue=Decimal(description="The declared revenue, in the currency of the DSR."),
        description="The totals of the lines beside those that a service declares, such as for a settlement. At least "
        "one is needed. It is null of a failed DSR, which has no lines.",
    )
    use_type_totals = KeysetField(
        UseTypeTotal, description="The totals of the lines by use type, ordered by use type. Only messages have them."
    )
    lines = KeysetField(Line, description="The lines in the order of the file.")
    problems = KeysetField(
        Problem,
        description="The errors and warnings in the order in which they were found. "
        "If there are very many, only the first are kept.",
    )

    @staticmethod
    def resolve_message(dsr: models.DSR, info: GraphQLResolveInfo) -> models.ReportMessage | None:
        return None if dsr.message_id is None else load_batch(dsr, "messages", _messages).get(dsr.message_id)

    @staticmethod
    def resolve_revenue_kind(dsr: models.DSR, info: GraphQLResolveInfo) -> str | None:
        return dsr.shown_revenue_kind

    @staticmethod
    def resolve_compared_totals(
        dsr: models.DSR, info: GraphQLResolveInfo, **declared: Any
    ) -> declared_totals.ComparedTotals | None:
        totals = declared_totals.DeclaredTotals(**declared)
        try:
            return declared_totals.dsr_totals_compared(dsr=dsr, declared=totals)
        except DSRFailed:
            return None

    @staticmethod
    def resolve_use_type_totals(dsr: models.DSR, info: GraphQLResolveInfo) -> Keyset:
        return Keyset(
            "use type",
            (int,),
            partial(load_use_type_totals, dsr),
            lambda total: (total.pk,),
            partial(load_use_type_count, dsr),
        )

    @staticmethod
    def resolve_lines(dsr: models.DSR, info: GraphQLResolveInfo) -> Keyset:
        return Keyset(
            "line", (int,), partial(load_lines, dsr), lambda line: (line.line_number,), lambda: dsr.line_count
        )

    @staticmethod
    def resolve_problems(dsr: models.DSR, info: GraphQLResolveInfo) -> Keyset:
        return Keyset(
            "problem",
            (int,),
            partial(load_problems, dsr, info.context.user),
            lambda problem: (problem.pk,),
            partial(load_problem_count, dsr),
        )


def load_lines(dsr: models.DSR, after: Key | None, limit: int) -> list[models.UsageLine]:
    number = after[0] if after else 0
    by_dsr = load_batch(dsr, ("lines", number, limit), partial(dsr_selectors.lines_by_dsr, after=number, limit=limit))
    if dsr.pk not in by_dsr:
        raise DSRNotFound(_("There is no DSR %(id)s any more.") % {"id": dsr.pk}, id=dsr.pk)
    return by_dsr[dsr.pk]


def load_problems(
    dsr: models.DSR, user: User | AnonymousUser, after: Key | None, limit: int
) -> list[models.ReportProblem]:
    number = after[0] if after else None
    loader = partial(dsr_selectors.problems_by_dsr, after=number, limit=limit, user=user)
    by_dsr = load_batch(dsr, ("problems", number, limit), loader)
    return by_dsr.get(dsr.pk, [])


def load_problem_count(dsr: models.DSR) -> int:
    return load_batch(dsr, "problem count", dsr_selectors.problem_counts_by_dsr).get(dsr.pk, 0)


def load_use_type_totals(dsr: models.DSR, after: Key | None, limit: int) -> list[models.UseTypeTotal]:
    number = after[0] if after else None
    loader = partial(dsr_selectors.use_type_totals_by_dsr, after=number, limit=limit)
    return load_batch(dsr, ("use types", number, limit), loader).get(dsr.pk, [])


def load_use_type_count(dsr: models.DSR) -> int:
    return load_batch(dsr, "use type count", dsr_selectors.use_type_counts_by_dsr).get(dsr.pk, 0)


def _messages(dsrs: Sequence[models.DSR]) -> Mapping[int, models.ReportMessage]:
    messages = messages_by_id(dsr.message_id for dsr in dsrs if dsr.message_id is not None)
    batched(list(messages.values()))
    return messages
