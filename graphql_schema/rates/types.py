"""What DSRs are measured in, as GraphQL shows it."""

from catalogue import models
from graphql_schema.model_types import ModelType


class Currency(ModelType):
    """A currency of ISO 4217, past ones included."""

    class Meta:
        model = models.Currency
        fields = {
            "code": "Its code of three letters, such as NOK.",
            "name": "Its name in English.",
            "symbol": "Its symbol, such as €.",
        }


class Territory(ModelType):
    """A territory of ISO 3166-1, or one of the codes in use beside it: XK, and WW for the whole world."""

    class Meta:
        model = models.Territory
        fields = {
            "code_2": "Its code of two letters, such as ES.",
            "name": "Its name in English.",
            "local_currency": "The currency that is used there.",
        }


class ExchangeRate(ModelType):
    """A euro foreign exchange reference rate of the European Central Bank."""

    class Meta:
        model = models.EcbRate
        fields = {
            "currency": "The currency that is priced.",
            "day": "The day on which the rate was published.",
            "rate": "Units of the currency for one euro.",
        }


class OperatorRate(ModelType):
    """A rate that an operator entered for a currency and a period: there it wins over the ECB's."""

    class Meta:
        model = models.OperatorRate
        fields = {
            "currency": "The currency that is priced.",
            "period_start": "The first day of the period.",
            "period_end": "The last day of the period, which belongs to it.",
            "rate": "Units of the currency for one euro.",
            "note": "Where the rate comes from, as far as the operator told.",
            "entered_at": "When it was entered, or replaced the one before.",
        }
