"""What DSRs are measured in, as GraphQL shows it."""

import graphene

from graphql_schema.scalars import Date, Decimal


class Currency(graphene.ObjectType):
    """A currency of ISO 4217, past ones included."""

    code = graphene.String(required=True, description="Its code of three letters, such as NOK.")
    name = graphene.String(required=True, description="Its name in English.")
    symbol = graphene.String(required=True, description="Its symbol, such as €.")


class Territory(graphene.ObjectType):
    """A territory of ISO 3166-1, or one of the codes in use beside it: XK, and WW for the whole world."""

    code_2 = graphene.String(required=True, description="Its code of two letters, such as ES.")
    name = graphene.String(required=True, description="Its name in English.")
    local_currency = graphene.Field(Currency, description="The currency that is used there.")


class ExchangeRate(graphene.ObjectType):
    """A euro foreign exchange reference rate of the European Central Bank."""

    currency = graphene.Field(Currency, required=True, description="The currency that is priced.")
    day = Date(required=True, description="The day on which the rate was published.")
    rate = Decimal(required=True, description="Units of the currency for one euro.")


class OperatorRate(graphene.ObjectType):
    """A rate that an operator entered for a currency and a period: there it wins over the ECB's."""

    currency = graphene.Field(Currency, required=True, description="The currency that is priced.")
    period_start = Date(required=True, description="The first day of the period.")
    period_end = Date(required=True, description="The last day of the period, which belongs to it.")
    rate = Decimal(required=True, description="Units of the currency for one euro.")
    note = graphene.String(required=True, description="Where the rate comes from, as far as the operator told.")
    entered_at = graphene.DateTime(required=True, description="When it was entered, or replaced the one before.")
