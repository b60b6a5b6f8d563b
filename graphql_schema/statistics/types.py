"""The types of statistics."""

from collections.abc import Mapping, Sequence

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.statistics import DSRStatistic
from catalogue.rates import selectors
from graphql_schema.batches import load_batch
from graphql_schema.rates.types import Currency, Territory
from graphql_schema.scalars import BigInt, Date, Decimal, names_enum

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
)


class Statistic(graphene.ObjectType):
    """The sums of a group of ingested DSRs. Of the first eight fields, those that define the group have a value."""

    territory = graphene.Field(Territory, description="The territory of the DSRs.")
    currency = graphene.Field(Currency, description="The currency of the DSRs.")
    period_start = Date(description="The first day of the period.")
    period_end = Date(description="The last day of the period (inclusive).")
    offer = graphene.String(description="The offer.")
    dsp = graphene.String(description="The music service.")
    commercial_model = graphene.String(description="The commercial model.")
    use_type = graphene.String(description="The use type.")
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
    without_isrc_share = Decimal(description="The share of lines without an ISRC in per cent, to 4 decimals.")

    @staticmethod
    def resolve_territory(statistic: DSRStatistic, info: GraphQLResolveInfo) -> models.Territory | None:
        return load_batch(statistic, "territories", _territories).get(statistic.territory)

    @staticmethod
    def resolve_currency(statistic: DSRStatistic, info: GraphQLResolveInfo) -> models.Currency | None:
        return load_batch(statistic, "currencies", _currencies).get(statistic.currency)


def _territories(statistics: Sequence[DSRStatistic]) -> Mapping[str | None, models.Territory]:
    return selectors.territory_list().in_bulk([statistic.territory for statistic in statistics])


def _currencies(statistics: Sequence[DSRStatistic]) -> Mapping[str | None, models.Currency]:
    return selectors.currency_list().in_bulk([statistic.currency for statistic in statistics])
