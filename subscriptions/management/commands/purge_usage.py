from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import CommandError

from dsrhub.commands import DsrhubCommand, day
from subscriptions.retention.services import PurgedDay, usage_records_purge


class Command(DsrhubCommand):
    help = (
        "Drop the raw records of all days before a day. Their sums are kept, and no answer changes. Each day is purged "
        "by itself. The command may be stopped. Run it again for days that were in use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--before", type=day, required=True, metavar="DATE", help="the first day whose records are kept"
        )

    def handle(self, *args: Any, before: date, **options: Any) -> None:
        report = usage_records_purge(before=before, progress=self._report)
        for usage_type, in_use in report.in_use:
            self.stderr.write(f"{in_use} {usage_type}: in use")
        if report.in_use:
            raise CommandError(f"{len(report.in_use)} days are in use and keep their records. Run it again later.")
        self.stdout.write(f"{len(report.purged):,} days purged.")

    def _report(self, purged: PurgedDay) -> None:
        self.stdout.write(f"{purged.day} {purged.usage_type}: {purged.record_count:,} records purged")
