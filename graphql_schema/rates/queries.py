"""Queries for territories, currencies and exchange rates."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.rates import selectors
from graphql_schema.arguments import parse_code
from graphql_schema.connections import Keyset, KeysetField, queryset_keyset
from graphql_schema.rates.types import Currency, ExchangeRate, OperatorRate, Territory
from graphql_schema.scalars import Date


class RateQueries(graphene.ObjectType):
    territories = KeysetField(Territory, description="All territories, ordered by code.")
    currencies = KeysetField(Currency, description="All currencies, ordered by code.")
    exchange_rates = KeysetField(
        ExchangeRate,
        currency=graphene.String(description="Only rates of this currency: a code such as NOK."),
        start=Date(name="from", description="Only rates of this day or later."),
        end=Date(name="to", description="Only rates of this day or earlier."),
        description="The reference rates of the European Central Bank, ordered by currency and day.",
    )
    operator_rates = KeysetField(
        OperatorRate,
        currency=graphene.String(description="Only rates of this currency: a code such as NOK."),
        description="The rates that operators entered, ordered by currency and period.",
    )

    @staticmethod
    def resolve_territories(root: Any, info: GraphQLResolveInfo) -> Keyset:
        return queryset_keyset(selectors.territory_list(), code_2=str)

    @staticmethod
    def resolve_currencies(root: Any, info: GraphQLResolveInfo) -> Keyset:
        return queryset_keyset(selectors.currency_list(), code=str)

    @staticmethod
    def resolve_exchange_rates(
        root: Any,
        info: GraphQLResolveInfo,
        currency: str | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> Keyset:
        currency = parse_code("currency", currency, length=3)
        rates = selectors.ecb_rate_list(currency=currency, start=start, end=end)
        return queryset_keyset(rates, currency_id=str, day=date)

    @staticmethod
    def resolve_operator_rates(root: Any, info: GraphQLResolveInfo, currency: str | None = None) -> Keyset:
        rates = selectors.operator_rate_list(currency=parse_code("currency", currency, length=3))
        return queryset_keyset(rates, currency_id=str, period_start=date, period_end=date)
