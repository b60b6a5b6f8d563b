"""Questions about what DSRs are measured in: territories, currencies and exchange rates."""

from datetime import date

from django.db.models import QuerySet

from catalogue.models import Currency, EcbRate, OperatorRate, Territory
from catalogue.querysets import require_order


def territory_list() -> QuerySet[Territory]:
    return Territory.objects.select_related("local_currency")


def currency_list() -> QuerySet[Currency]:
    return Currency.objects.all()


def ecb_rate_list(
    *, currency: str | None = None, start: date | None = None, end: date | None = None
) -> QuerySet[EcbRate]:
    """The ECB's reference rates, of one currency or between two days, both included.

    Raises PeriodReversed where the range ends before it starts.
    """
    require_order(start=start, end=end, argument="to")
    asked = {"currency": currency, "day__gte": start, "day__lte": end}
    rates = EcbRate.objects.select_related("currency")
    return rates.filter(**{lookup: value for lookup, value in asked.items() if value is not None})


def operator_rate_list(*, currency: str | None = None) -> QuerySet[OperatorRate]:
    rates = OperatorRate.objects.select_related("currency")
    return rates if currency is None else rates.filter(currency=currency)
