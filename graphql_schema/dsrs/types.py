"""The types of DSRs, their lines and their problems."""

from functools import partial

import graphene
from django.contrib.auth.models import AnonymousUser, User
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import selectors as dsr_selectors
from catalogue.exceptions import DSRNotFound
from graphql_schema.batches import load_batch
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
ProblemLevel = choices_enum(
    models.ReportProblem.Level,
    "ProblemLevel",
    "The severity of a problem.",
    error="An error: none of the lines of the report were imported.",
    warning="A warning: the value may be wrong, but the line counts.",
)


class Line(graphene.ObjectType):
    """A line of a DSR as delivered. A blank cell is null."""

    line_number = graphene.Int(required=True, description="The number of the line in the file. The header is line 1.")
    dsp_id = graphene.String(required=True, description="The id that the music service gives the recording.")
    title = graphene.String(description="The title.")
    artists = graphene.String(description="The artists, separated by `|`.")
    isrc = graphene.String(description="The ISRC, without hyphens.")
    usages = BigInt(description="The number of usages.")
    revenue = Decimal(description="The revenue in the currency of the DSR, with every digit delivered.")


class Problem(ModelType):
    """An error or a warning in a DSR. A field that does not apply is null."""

    class Meta:
        model = models.ReportProblem
        fields = {
            "id": "The id of the problem.",
            "level": "Error or warning.",
            "code": "A stable code of what is wrong, such as `not_a_number`.",
            "line": "The number of the line in the file. The header is line 1.",
            "column": "The name of the column.",
            "value": "The content of the cell, or the start of it if it is long. Of a failed DSR, it is only for the "
            "importer and for users who may view DSRs.",
        }

    # An Int in the API, although the column is a big integer.
    line = graphene.Int()


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
            "offer": "The commercial model, such as SpotifyDuo.",
            "society": "The collecting society that the report is for.",
            "territory": "The territory in which the recordings were used.",
            "currency": "The currency of the revenue.",
            "period_start": "The first day of the period.",
            "period_end": "The last day of the period (inclusive).",
            "status": "Whether the DSR was imported.",
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
    # An annotation of `DSRQuerySet.described`.
    total_revenue_eur = Decimal()
    lines = KeysetField(Line, description="The lines in the order of the file.")
    problems = KeysetField(
        Problem,
        description="The errors and warnings in the order in which they were found. "
        "If there are very many, only the first are kept.",
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
        raise DSRNotFound(f"There is no DSR {dsr.pk} any more.", id=dsr.pk)
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
