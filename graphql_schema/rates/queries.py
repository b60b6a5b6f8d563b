"""What can be asked about territories, currencies and exchange rates."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.rates import selectors as rate_selectors
from graphql_schema.arguments import code
from graphql_schema.connections import Keyset, KeysetField, keyset_of
from graphql_schema.rates.types import Currency, ExchangeRate, OperatorRate, Territory
from graphql_schema.scalars import Date


class RateQueries(graphene.ObjectType):
    territories = KeysetField(Territory, description="All territories, by their codes.")
    currencies = KeysetField(Currency, description="All currencies, by their codes.")
    exchange_rates = KeysetField(
        ExchangeRate,
        currency=graphene.String(description="Of this currency alone: its code, such as NOK."),
        start=Date(name="from", description="The first day."),
        end=Date(name="to", description="The last day."),
        description="The European Central Bank's reference rates, by currency and day.",
    )
    operator_rates = KeysetField(
        OperatorRate,
        currency=graphene.String(description="Of this currency alone: its code, such as NOK."),
        description="The rates that operators entered, by currency and period.",
    )

    @staticmethod
    def resolve_territories(root: Any, info: GraphQLResolveInfo) -> Keyset:
        return keyset_of(rate_selectors.territory_list(), code_2=str)

    @staticmethod
    def resolve_currencies(root: Any, info: GraphQLResolveInfo) -> Keyset:
        return keyset_of(rate_selectors.currency_list(), code=str)

    @staticmethod
    def resolve_exchange_rates(
        root: Any,
        info: GraphQLResolveInfo,
        currency: str | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> Keyset:
        currency = code("currency", currency, length=3)
        rates = rate_selectors.ecb_rate_list(currency=currency, start=start, end=end)
        return keyset_of(rates, currency_id=str, day=date)

    @staticmethod
    def resolve_operator_rates(root: Any, info: GraphQLResolveInfo, currency: str | None = None) -> Keyset:
        rates = rate_selectors.operator_rate_list(currency=code("currency", currency, length=3))
        return keyset_of(rates, currency_id=str, period_start=date, period_end=date)
