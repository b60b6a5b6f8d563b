"""The types of statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal as DecimalNumber

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.selectors import dsrs_by_id
from catalogue.dsrs.statistics import comparison
from catalogue.dsrs.statistics.coverage import SeriesCoverage as DSRSeries
from catalogue.dsrs.statistics.coverage import State
from catalogue.dsrs.statistics.groups import DSRStatistic
from catalogue.rates import selectors
from catalogue.resources import comparison as resource_comparison
from graphql_schema.batches import batched, load_batch
from graphql_schema.connections import Keyset, KeysetField, memory_keyset
from graphql_schema.dsrs.types import DSR
from graphql_schema.rates.types import Currency, Territory
from graphql_schema.resources.types import Resource
from graphql_schema.scalars import BigInt, Date, Decimal, choices_enum, names_enum

ComparedRow = comparison.Compared | resource_comparison.ComparedResource

StatisticGroup = names_enum(
    "StatisticGroup",
    "What DSRs are grouped by.",
    TERRITORY="By territory.",
    PERIOD="By period.",
    OFFER="By offer.",
    DSP="By music service.",
    CURRENCY="By currency.",
    COMMERCIAL_MODEL="By commercial model. DSRs without one are a group.",
    USE_TYPE="By the use types of lines. Lines and DSRs without one are a group. "
    "A DSR is counted in the group of each of its use types.",
    SOCIETY="By society. DSRs without one are a group.",
    MONTH="By calendar month, such as 2020-01. A period that lies in no month is a group of its own.",
    QUARTER="By quarter, such as 2020-Q1. A period that lies in no quarter is a group of its own.",
    YEAR="By year. A period that lies in no year is a group of its own.",
)


class Statistic(graphene.ObjectType):
    """The sums of a group of ingested DSRs. Of the first twelve fields, those that define the group have a value."""

    territory = graphene.Field(Territory, description="The territory of the DSRs.")
    currency = graphene.Field(Currency, description="The currency of the DSRs.")
    period_start = Date(description="The first day of the period.")
    period_end = Date(description="The last day of the period (inclusive).")
    offer = graphene.String(description="The offer.")
    dsp = graphene.String(description="The music service.")
    commercial_model = graphene.String(description="The commercial model.")
    use_type = graphene.String(description="The use type.")
    society = graphene.String(description="The society.")
    month = graphene.String(description="The month, such as 2020-01. Null where the period lies in none.")
    quarter = graphene.String(description="The quarter, such as 2020-Q1. Null where the period lies in none.")
    year = graphene.String(description="The year. Null where the period lies in none.")
    dsr_count = graphene.Int(required=True, description="The number of DSRs.")
    line_count = BigInt(required=True, description="The number of lines.")
    usages = BigInt(required=True, description="The sum of the usages.")
    revenue_eur = Decimal(
        required=True, description="The sum of the revenue in EUR. The revenue of each DSR is rounded to 40 decimals."
    )
    unallocated_revenue_eur = Decimal(
        required=True,
        description="The sum of the declared revenue in EUR that no line has. By use type, it is in the group of the "
        "use type that the DSR itself has, even if its lines have others.",
    )
    revenue_eur_per_1000_usages = Decimal(
        description="The revenue in EUR for 1,000 usages, to 12 decimals. Null without usages."
    )
    revenue_kind = graphene.String(
        required=True, description="The kind of the revenue: `reported`, `allocated`, or `mixed` for both."
    )
    without_isrc = graphene.Field(
        lambda: WithoutIsrc, required=True, description="What lines without an ISRC have in this group."
    )
    without_isrc_share = Decimal(description="The share of lines without an ISRC in per cent, to 4 decimals.")

    @staticmethod
    def resolve_without_isrc(statistic: DSRStatistic, info: GraphQLResolveInfo) -> DSRStatistic:
        return statistic

    @staticmethod
    def resolve_territory(statistic: DSRStatistic, info: GraphQLResolveInfo) -> models.Territory | None:
        return load_batch(statistic, "territories", _territories).get(statistic.territory)

    @staticmethod
    def resolve_currency(statistic: DSRStatistic, info: GraphQLResolveInfo) -> models.Currency | None:
        return load_batch(statistic, "currencies", _currencies).get(statistic.currency)


class WithoutIsrc(graphene.ObjectType):
    """The sums of lines without an ISRC. Usages and revenue are null until a worker has counted them."""

    lines = BigInt(required=True, description="The number of lines.")
    usages = BigInt(description="The sum of the usages.")
    revenue_eur = Decimal(description="The sum of the revenue in EUR.")
    lines_percent = Decimal(description="Their share of the lines in per cent, to 12 decimals.")
    usages_percent = Decimal(description="Their share of the usages in per cent, to 12 decimals.")
    revenue_percent = Decimal(description="Their share of the revenue in per cent, to 12 decimals.")

    @staticmethod
    def resolve_lines(statistic: DSRStatistic, info: GraphQLResolveInfo) -> int:
        return statistic.blank_isrc_count

    @staticmethod
    def resolve_usages(statistic: DSRStatistic, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return statistic.blank_isrc_usages

    @staticmethod
    def resolve_revenue_eur(statistic: DSRStatistic, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return statistic.blank_isrc_revenue_eur

    @staticmethod
    def resolve_lines_percent(statistic: DSRStatistic, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return statistic.blank_isrc_percent

    @staticmethod
    def resolve_usages_percent(statistic: DSRStatistic, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return statistic.blank_isrc_usages_percent

    @staticmethod
    def resolve_revenue_percent(statistic: DSRStatistic, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return statistic.blank_isrc_revenue_percent


class ComparedSums(graphene.ObjectType):
    """The sums of a group in a period."""

    dsr_count = graphene.Int(required=True, description="The number of DSRs.")
    line_count = BigInt(required=True, description="The number of lines.")
    usages = BigInt(required=True, description="The sum of the usages.")
    revenue_eur = Decimal(required=True, description="The sum of the revenue in EUR.")


class IncompleteMonths(graphene.ObjectType):
    """The months for which a series of DSRs is not ingested completely: see `coverage`."""

    now = graphene.List(graphene.NonNull(graphene.String), required=True, description="Of the later period.")
    before = graphene.List(graphene.NonNull(graphene.String), required=True, description="Of the earlier period.")

    @staticmethod
    def resolve_now(row: ComparedRow, info: GraphQLResolveInfo) -> list[str]:
        return row.incomplete_now

    @staticmethod
    def resolve_before(row: ComparedRow, info: GraphQLResolveInfo) -> list[str]:
        return row.incomplete_before


class Change:
    """The fields of what changed between two periods."""

    usages_difference = BigInt(required=True, description="The usages now, less those before.")
    revenue_eur_difference = Decimal(required=True, description="The revenue in EUR now, less that before.")
    usages_percent = Decimal(description="The difference in per cent of before, to 12 decimals. Null without usages.")
    revenue_eur_percent = Decimal(
        description="The difference in per cent of before, to 12 decimals. Null without revenue."
    )
    incomplete = graphene.Field(
        IncompleteMonths, required=True, description="The months for which a series is not ingested completely."
    )

    @staticmethod
    def resolve_revenue_eur_difference(row: ComparedRow, info: GraphQLResolveInfo) -> DecimalNumber:
        return row.revenue_difference

    @staticmethod
    def resolve_revenue_eur_percent(row: ComparedRow, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return row.revenue_percent

    @staticmethod
    def resolve_incomplete(row: ComparedRow, info: GraphQLResolveInfo) -> ComparedRow:
        return row


class Compared(Change, graphene.ObjectType):
    """A group of DSRs in two periods. What is not there counts as 0 in a difference."""

    name = graphene.String(description="The name of the group. Null for the DSRs without a society.")
    now = graphene.Field(ComparedSums, description="The later period. Null without DSRs.")
    before = graphene.Field(ComparedSums, description="The earlier period. Null without DSRs.")


class ResourceSums(graphene.ObjectType):
    """The sums of a resource in a period. What has no value in any line is null."""

    usages = BigInt(description="The sum of the usages.")
    revenue_eur = Decimal(description="The exact sum of the revenue in EUR.")


class ComparedResource(Change, graphene.ObjectType):
    """A resource in two periods. What is not there counts as 0 in a difference. `incomplete` is that of its DSP."""

    resource = graphene.Field(
        Resource,
        required=True,
        description="The resource, in the DSRs of the later period; in those of the earlier one if it is gone.",
    )
    rank = graphene.Int(description="The rank in the later period: 1 has the highest revenue. Null if it is gone.")
    rank_before = graphene.Int(
        description="The rank among all resources of the earlier period. Null where it has no revenue there, or where "
        "the total is zero or less."
    )
    rank_change = graphene.Int(description="By how many ranks it rose; negative if it fell.")
    is_new = graphene.Boolean(required=True, description="Whether it has no line in the earlier period.")
    now = graphene.Field(ResourceSums, description="The later period. Null without a line.")
    before = graphene.Field(ResourceSums, description="The earlier period. Null without a line.")


ComparedResources = names_enum(
    "ComparedResources",
    "Which resources of two periods are listed.",
    TOP="The highest-earning resources of the later period.",
    GONE="Those of the highest-earning resources of the earlier period that have no line in the later one.",
)


CoverageState = choices_enum(
    State,
    "CoverageState",
    "What a series of DSRs has for a month.",
    ingested="Every day is in a DSR.",
    partial="Not every day is in a DSR.",
    overlapped="A day is in two DSRs of the same commercial model, use type and subscriber type.",
    failed="The import of a DSR failed, and none is ingested.",
    missing="Nothing, but there are months before and after it.",
    late="Nothing yet, though it is time.",
)


@dataclass
class MonthOfSeries:
    month: str
    state: str
    dsr_numbers: list[int]
    series: DSRSeries


class CoveredMonth(graphene.ObjectType):
    """What a series of DSRs has for a month."""

    month = graphene.String(required=True, description="The month, such as 2020-01.")
    state = graphene.Field(CoverageState, required=True, description="What there is.")
    dsrs = KeysetField(DSR, description="The ingested DSRs; the failed ones if `failed`.")

    @staticmethod
    def resolve_dsrs(month: MonthOfSeries, info: GraphQLResolveInfo) -> Keyset:
        by_id = load_batch(month.series, "DSRs", _dsrs)
        dsrs = [by_id[number] for number in month.dsr_numbers if number in by_id]
        return memory_keyset("DSR of a month", dsrs, pk=int)


class SeriesCoverage(graphene.ObjectType):
    """A series of DSRs, and what is delivered for its months."""

    dsp = graphene.String(required=True, description="The music service.")
    offer = graphene.String(required=True, description="The offer.")
    society = graphene.String(description="The society.")
    territory = graphene.Field(Territory, required=True, description="The territory.")
    currency = graphene.Field(Currency, required=True, description="The currency.")
    months = KeysetField(CoveredMonth, description="The months for which something is there or expected, in order.")

    @staticmethod
    def resolve_territory(series: DSRSeries, info: GraphQLResolveInfo) -> models.Territory | None:
        return load_batch(series, "territories", _territories).get(series.territory)

    @staticmethod
    def resolve_currency(series: DSRSeries, info: GraphQLResolveInfo) -> models.Currency | None:
        return load_batch(series, "currencies", _currencies).get(series.currency)

    @staticmethod
    def resolve_months(series: DSRSeries, info: GraphQLResolveInfo) -> Keyset:
        months = [MonthOfSeries(name, month.state.value, month.dsrs, series) for name, month in series.months.items()]
        return memory_keyset("covered month", months, month=str)


def _dsrs(all_series: Sequence[DSRSeries]) -> Mapping[int, models.DSR]:
    """The DSRs of all months of these series."""
    by_id = dsrs_by_id(number for one in all_series for month in one.months.values() for number in month.dsrs)
    batched(list(by_id.values()))
    return by_id


def _territories(statistics: Sequence[DSRStatistic | DSRSeries]) -> Mapping[str | None, models.Territory]:
    return selectors.territory_list().in_bulk([statistic.territory for statistic in statistics])


def _currencies(statistics: Sequence[DSRStatistic | DSRSeries]) -> Mapping[str | None, models.Currency]:
    return selectors.currency_list().in_bulk([statistic.currency for statistic in statistics])
