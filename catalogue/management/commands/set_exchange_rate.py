from argparse import ArgumentParser, ArgumentTypeError
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError

from catalogue.models import OperatorRate
from catalogue.rates.services import operator_rate_delete, operator_rate_set
from dsrhub.commands import DsrhubCommand, day
from dsrhub.values.numbers import plain_decimal


class Command(DsrhubCommand):
    help = "Set or delete your own exchange rate for a currency and a period, and update the rates of its DSRs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("currency", metavar="CURRENCY", help="currency code, such as NOK")
        parser.add_argument(
            "period_start", type=day, metavar="PERIOD_START", help="first day of the period, such as 2020-01-01"
        )
        parser.add_argument(
            "period_end", type=day, metavar="PERIOD_END", help="last day of the period (inclusive), such as 2020-01-31"
        )
        rate_or_delete = parser.add_mutually_exclusive_group(required=True)
        rate_or_delete.add_argument(
            "rate", nargs="?", type=_number, metavar="RATE", help="units of the currency for one euro"
        )
        rate_or_delete.add_argument(
            "--delete", action="store_true", help="delete the rate: the ECB's rates apply again"
        )
        parser.add_argument("--note", default="", help="source of the rate")

    def handle(self, *args: Any, **options: Any) -> None:
        key = {name: options[name] for name in ("currency", "period_start", "period_end")}
        if options["delete"]:
            operator_rate = OperatorRate.objects.filter(**key).first()
            if operator_rate is None:
                raise CommandError("No rate was set for this currency and period.")
            changed = operator_rate_delete(operator_rate=operator_rate)
        else:
            changed = operator_rate_set(**key, rate=options["rate"], note=options["note"])
        for replaced in changed.replaced:
            self.stdout.write(str(replaced))
        self.stdout.write(f"DSRs re-rated: {changed.dsrs:,}.")


def _number(word: str) -> Decimal:
    # The service decides how large a rate may be.
    number = plain_decimal(word)
    if number is None:
        raise ArgumentTypeError(f"{word!r} is not a number")
    return number
