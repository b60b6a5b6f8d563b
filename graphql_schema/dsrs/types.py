"""DSRs, their lines and their problems, as GraphQL shows them."""

from functools import partial

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import selectors as dsr_selectors
from catalogue.exceptions import DSRNotFound
from graphql_schema.batches import ask
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.model_types import ModelType
from graphql_schema.scalars import BigInt, Decimal, enum_of

DSRStatus = enum_of(
    models.DSR.Status,
    "DSRStatus",
    "What became of a report.",
    ingested="Its lines count.",
    failed="It has errors: nothing of it was loaded.",
)
RateMethod = enum_of(
    models.RateMethod,
    "RateMethod",
    "Where an exchange rate comes from.",
    euro="The currency is the euro.",
    ecb_mean="The mean of the ECB's reference rates that were published in the period.",
    operator="An operator entered it.",
)
ProblemLevel = enum_of(
    models.ReportProblem.Level,
    "ProblemLevel",
    "How bad a problem is.",
    error="Because of it, nothing of the report was loaded.",
    warning="It deserves a look, and what it is about counts.",
)


class Line(graphene.ObjectType):
    """A line of a DSR as it was delivered. What was blank is null."""

    line_number = graphene.Int(required=True, description="Its number in the file, whose header is line 1.")
    dsp_id = graphene.String(required=True, description="The DSP's own id of the recording.")
    title = graphene.String(description="The title.")
    artists = graphene.String(description="The artists, separated by `|`.")
    isrc = graphene.String(description="The ISRC, without hyphens.")
    usages = BigInt(description="How often it was used.")
    revenue = Decimal(description="Its revenue in the currency of the DSR, with every digit delivered.")


class Problem(ModelType):
    """An error or a warning in a DSR. What does not apply to it is null."""

    class Meta:
        model = models.ReportProblem
        fields = {
            "id": "Its number.",
            "level": "Error or warning.",
            "code": "What is wrong: a stable code, such as `not_a_number`.",
            "line": "The number of the line, whose header is line 1.",
            "column": "The column.",
            "value": "What stands there, or the beginning of it.",
        }

    # The column is a BigInt, but no file has so many lines.
    line = graphene.Int()


class DSR(ModelType):
    """A Digital Sales Report: what one DSP reported for one territory, currency and period."""

    class Meta:
        model = models.DSR
        fields = {
            "id": "Its number, the same as over REST.",
            "path": "The name of the delivered file.",
            "gzip_name": "The name that is stored inside the gzip file.",
            "sha256": "SHA-256 of the unpacked content.",
            "dsp": "The music service that reports.",
            "offer": "The commercial model, such as SpotifyDuo.",
            "society": "The collecting society that the report is for.",
            "territory": "Where it was used.",
            "currency": "What its revenue is in.",
            "period_start": "The first day of its period.",
            "period_end": "The last day of its period, which belongs to it.",
            "status": "Whether it counts.",
            "exchange_rate": "Units of its currency for one euro.",
            "rate_method": "Where its exchange rate comes from.",
            "rate_source": "The same in words.",
            "line_count": "How many lines it has.",
            "total_usages": "The sum of its usages.",
            "total_revenue": "The sum of its revenue in its currency, exact.",
            "total_revenue_eur": "The same in EUR, rounded half-even to 40 decimals.",
            "blank_title_count": "How many titles are blank.",
            "blank_artists_count": "How many artists are blank.",
            "blank_isrc_count": "How many ISRCs are blank.",
            "blank_usages_count": "How many usages are blank.",
            "blank_revenue_count": "How many revenues are blank.",
            "error_count": "How many errors it has.",
            "warning_count": "How many warnings it has.",
            "imported_at": "When it came in.",
        }

    # The column is numeric, as a sum of big integers may be larger than one, but it is a whole number.
    total_usages = BigInt(required=True)
    # `DSRQuerySet.described` annotates it.
    total_revenue_eur = Decimal()
    lines = KeysetField(Line, description="Its lines in the order of the file.")
    problems = KeysetField(
        Problem, description="Its errors and warnings as they were found. Of very many only the first are kept."
    )

    @staticmethod
    def resolve_lines(dsr: models.DSR, info: GraphQLResolveInfo) -> Keyset:
        return Keyset("line", (int,), partial(lines_of, dsr), lambda line: (line.line_number,), lambda: dsr.line_count)

    @staticmethod
    def resolve_problems(dsr: models.DSR, info: GraphQLResolveInfo) -> Keyset:
        return Keyset(
            "problem", (int,), partial(problems_of, dsr), lambda one: (one.pk,), partial(problem_count_of, dsr)
        )


def lines_of(dsr: models.DSR, place: Key | None, limit: int) -> list[models.UsageLine]:
    after = place[0] if place else 0
    by_dsr = ask(dsr, ("lines", after, limit), partial(dsr_selectors.lines_by_dsr, after=after, limit=limit))
    if dsr.pk not in by_dsr:
        raise DSRNotFound(f"There is no DSR {dsr.pk} any more.", id=dsr.pk)
    return by_dsr[dsr.pk]


def problems_of(dsr: models.DSR, place: Key | None, limit: int) -> list[models.ReportProblem]:
    after = place[0] if place else 0
    by_dsr = ask(dsr, ("problems", after, limit), partial(dsr_selectors.problems_by_dsr, after=after, limit=limit))
    return by_dsr.get(dsr.pk, [])


def problem_count_of(dsr: models.DSR) -> int:
    return ask(dsr, "problem count", dsr_selectors.problem_counts_by_dsr).get(dsr.pk, 0)
