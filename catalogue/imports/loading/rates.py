"""The exchange rates of the contexts of a delivery."""

from catalogue.exceptions import ExchangeRateIncomplete, ExchangeRateMissing
from catalogue.imports.loading.incoming import Incoming
from catalogue.imports.loading.refusals import report_refused
from catalogue.imports.loading.values import INCOMPLETE, WITHOUT_DAYS
from catalogue.rates.periods import ExchangeRate, exchange_rate
from catalogue.reports.contexts import SalesContext
from catalogue.reports.problems import CommonError, Problem
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.marked import joined


def context_rates(incoming: Incoming) -> list[ExchangeRate]:
    """The exchange rate of each context. Raises ReportRefused where one is missing, naming all that are."""
    rates: dict[tuple[object, ...], ExchangeRate | None] = {}
    texts = []
    for number, context in zip(incoming.context_numbers, incoming.contexts, strict=True):
        key = _rate_key(context)
        if key in rates:
            continue
        try:
            rates[key] = exchange_rate(
                currency=context.currency, period_start=context.period_start, period_end=context.period_end
            )
        except (ExchangeRateMissing, ExchangeRateIncomplete) as error:
            rates[key] = None
            incoming.problems.add(_rate_problem(error, number))
            texts.append(error.text)
    if texts:
        text = _("%(name)s: %(faults)s") % {"name": incoming.name, "faults": joined(dict.fromkeys(texts), " ")}
        raise report_refused(text, incoming.problems)
    return [rate for context in incoming.contexts if (rate := rates[_rate_key(context)]) is not None]


def _rate_key(context: SalesContext) -> tuple[object, ...]:
    return context.currency, context.period_start, context.period_end


def _rate_problem(error: ExchangeRateMissing | ExchangeRateIncomplete, number: int | None) -> Problem:
    currency = error.extra["currency"]
    if isinstance(error, ExchangeRateMissing):
        return Problem(CommonError.EXCHANGE_RATE_MISSING, value=currency, context_number=number)
    found, expected, reason = (error.extra[name] for name in ("days_found", "days_expected", "reason"))
    facts = {"currency": currency, "found": found, "expected": expected, "reason": reason}
    value = (INCOMPLETE if expected else WITHOUT_DAYS) % facts
    return Problem(CommonError.EXCHANGE_RATE_INCOMPLETE, value=str(value), context_number=number)
