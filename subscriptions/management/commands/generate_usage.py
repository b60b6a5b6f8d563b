from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from dsrhub.commands import DsrhubCommand, day, whole_number
from subscriptions.models import UsageType
from subscriptions.records.samples import subscriptions_make, usage_events, usage_file_write


class Command(DsrhubCommand):
    help = (
        "Write sample usage into a folder: one file for data and one for voice. Add the subscriptions that the files "
        "need. The same options give the same records."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folder", type=Path, help="the output folder; existing files with the same names are replaced"
        )
        parser.add_argument(
            "--records",
            type=whole_number,
            default=10_000,
            help="the number of records in each file (10,000 by default)",
        )
        parser.add_argument(
            "--subscriptions", type=whole_number, default=100, help="the number of subscriptions (100 by default)"
        )
        parser.add_argument("--from", dest="first_day", type=day, default=date(2026, 1, 1), metavar="DATE")
        parser.add_argument("--days", type=whole_number, default=60, help="the number of days (60 by default)")
        parser.add_argument("--seed", type=whole_number, default=1, help="the seed of the random values (1 by default)")

    def handle(
        self, *args: Any, folder: Path, records: int, first_day: date, days: int, seed: int, **options: Any
    ) -> None:
        if min(records, days, options["subscriptions"]) < 1:
            raise CommandError("--records, --days and --subscriptions must be at least 1.")
        ids = subscriptions_make(count=options["subscriptions"])
        folder.mkdir(parents=True, exist_ok=True)
        for usage_type in UsageType:
            path = folder / f"{usage_type}_usage.tsv.gz"
            events = usage_events(
                usage_type=usage_type,
                subscriptions=ids,
                count=records,
                first_day=first_day,
                days=days,
                seed=seed,
                with_external_ids=True,
            )
            usage_file_write(path, usage_type, tqdm(events, total=records, unit=" records", disable=None))
            self.stdout.write(f"{path}: {records:,} records of {len(ids):,} subscriptions")
