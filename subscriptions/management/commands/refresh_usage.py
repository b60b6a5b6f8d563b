from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from dsrhub.commands import DsrhubCommand, day
from subscriptions.aggregates.comparing import Difference
from subscriptions.aggregates.services import daily_usage_check, daily_usage_refresh
from subscriptions.limits.changes import Reached
from subscriptions.limits.comparing import CrossingDifference, CrossingsReport, limit_crossings_check
from subscriptions.limits.following import refreshed_limits_follow
from subscriptions.limits.services import limits_mark


class Command(DsrhubCommand):
    help = (
        "Bring the aggregates of usage up to date. Answers are exact without it, and faster after it. It may be "
        "stopped, run again, or run twice at the same time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="start", type=day, default=date.min, metavar="DATE", help="the first day")
        parser.add_argument("--to", dest="end", type=day, default=date.max, metavar="DATE", help="the last day")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--rebuild", action="store_true", help="rebuild all days, not only changed ones")
        mode.add_argument(
            "--check",
            action="store_true",
            help="change nothing; compare the aggregates with the raw records, day by day, and the reached limits",
        )

    def handle(self, *args: Any, start: date, end: date, rebuild: bool, check: bool, **options: Any) -> None:
        if check:
            return self._check(start, end)
        with tqdm(unit=" months", disable=None) as bar:
            refreshed = daily_usage_refresh(start=start, end=end, rebuild=rebuild, progress=lambda _: bar.update())
        for month in refreshed:
            self.stdout.write(
                f"{month.days[0]:%Y-%m} {month.usage_type}: {len(month.days)} days, {month.key_count:,} sums"
            )
        self.stdout.write(f"{sum(len(month.days) for month in refreshed):,} days refreshed.")
        if rebuild:
            limits_mark()
        if changes := refreshed_limits_follow():
            self.stdout.write(f"{changes:,} reached limits changed.")
        return None

    def _check(self, start: date, end: date) -> None:
        report = daily_usage_check(start=start, end=end)
        for usage_type, sealed in report.sealed:
            self.stdout.write(f"{sealed} {usage_type}: sealed, cannot be compared: its raw records were purged")
        for sums in report.differences:
            self.stdout.write(_difference_text(sums))
        crossings = limit_crossings_check(start=start, end=end)
        for difference in crossings.differences:
            self.stdout.write(_crossing_difference_text(difference))
        if count := len(report.differences) + len(crossings.differences):
            raise CommandError(f"{count} differences. Repair them with: refresh_usage --rebuild")
        self.stdout.write(
            f"{report.days_checked:,} days checked, no difference. {len(report.waiting):,} days wait for a refresh: "
            "their changed sums were not compared."
        )
        self._write_crossings(crossings)

    def _write_crossings(self, report: CrossingsReport) -> None:
        if report.crossing_count:
            self.stdout.write(f"{report.crossing_count:,} reached limits read, no difference.")
        if report.is_waiting:
            self.stdout.write("Changes of usage or limits wait for a worker: what these concern was not compared.")


def _difference_text(difference: Difference) -> str:
    price, amount, count = (value or 0 for value in difference.aggregate)
    when = f"{difference.day} " if difference.day else ""
    right_price, right_amount, right_count = (value or 0 for value in difference.expected)
    return (
        f"{when}{difference.level} {difference.usage_type}, subscription {difference.subscription}: "
        f"price {price:f}, amount {amount:f}, {count} records instead of "
        f"{right_price:f}, {right_amount:f}, {right_count}"
    )


def _crossing_difference_text(difference: CrossingDifference) -> str:
    span = f"{difference.month:%Y-%m}" if difference.month else str(difference.span)
    return (
        f"{span} limit {difference.usage_type}, subscription {difference.subscription}: "
        f"{_reached_text(difference.written)} instead of {_reached_text(difference.expected)}"
    )


def _reached_text(reached: Reached | None) -> str:
    if reached is None:
        return "not reached"
    return f"{reached.price_limit:f} of {reached.scope} reached on {reached.day}"
