"""Statistics as GraphQL shows them."""

from collections.abc import Mapping, Sequence

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.statistics import DSRStatistic
from catalogue.rates import selectors as rate_selectors
from graphql_schema.batches import ask
from graphql_schema.rates.types import Currency, Territory
from graphql_schema.scalars import BigInt, Date, Decimal, names_enum

StatisticGroup = names_enum(
    "StatisticGroup",
    "What DSRs are grouped by.",
    TERRITORY="By territory.",
    PERIOD="By period.",
    OFFER="By commercial model.",
    DSP="By music service.",
    CURRENCY="By the currency of their revenue.",
)


class Statistic(graphene.ObjectType):
    """What the ingested DSRs of a group come to. Of the first six fields it has those that it is grouped by."""

    territory = graphene.Field(Territory, description="Their territory.")
    currency = graphene.Field(Currency, description="Their currency.")
    period_start = Date(description="The first day of their period.")
    period_end = Date(description="The last day of their period.")
    offer = graphene.String(description="Their commercial model.")
    dsp = graphene.String(description="Their music service.")
    dsr_count = graphene.Int(required=True, description="How many DSRs there are.")
    line_count = BigInt(required=True, description="How many lines they have.")
    usages = BigInt(required=True, description="The sum of their usages.")
    revenue_eur = Decimal(
        required=True, description="The sum of their revenue in EUR; that of each DSR is rounded to 40 decimals."
    )
    without_isrc_share = Decimal(description="How many of a hundred lines have no ISRC, to 4 decimals.")

    @staticmethod
    def resolve_territory(statistic: DSRStatistic, info: GraphQLResolveInfo) -> models.Territory | None:
        return ask(statistic, "territories", _territories).get(statistic.territory)

    @staticmethod
    def resolve_currency(statistic: DSRStatistic, info: GraphQLResolveInfo) -> models.Currency | None:
        return ask(statistic, "currencies", _currencies).get(statistic.currency)


def _territories(statistics: Sequence[DSRStatistic]) -> Mapping[str | None, models.Territory]:
    return rate_selectors.territory_list().in_bulk([one.territory for one in statistics])


def _currencies(statistics: Sequence[DSRStatistic]) -> Mapping[str | None, models.Currency]:
    return rate_selectors.currency_list().in_bulk([one.currency for one in statistics])
