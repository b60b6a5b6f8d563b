"""The types of territories, currencies and exchange rates."""

from catalogue import models
from graphql_schema.model_types import ModelType


class Currency(ModelType):
    """A currency of ISO 4217, including former currencies."""

    class Meta:
        model = models.Currency
        fields = {
            "code": "The code of three letters, such as NOK.",
            "name": "The name in English.",
            "symbol": "The symbol, such as €.",
        }


class Territory(ModelType):
    """A territory of ISO 3166-1, or one of the additional codes XK (Kosovo) and WW (the whole world)."""

    class Meta:
        model = models.Territory
        fields = {
            "code_2": "The code of two letters, such as ES.",
            "name": "The name in English.",
            "local_currency": "The local currency.",
        }


class ExchangeRate(ModelType):
    """A euro foreign exchange reference rate of the European Central Bank."""

    class Meta:
        model = models.EcbRate
        fields = {
            "currency": "The currency.",
            "day": "The day on which the rate was published.",
            "rate": "Units of the currency for one euro.",
        }


class OperatorRate(ModelType):
    """A rate that an operator entered for a currency and a period. There it replaces the rate of the ECB."""

    class Meta:
        model = models.OperatorRate
        fields = {
            "currency": "The currency.",
            "period_start": "The first day of the period.",
            "period_end": "The last day of the period (inclusive).",
            "rate": "Units of the currency for one euro.",
            "note": "The source of the rate, if the operator named it.",
            "entered_at": "The time at which the rate was entered or last replaced.",
        }
