from datetime import date
from typing import Any

from django.db import transaction

from dsrhub.commands import DsrhubCommand
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.models import Subscription, UsageType
from subscriptions.records.samples import subscriptions_make, usage_events
from subscriptions.records.services import usage_records_add

SUBSCRIPTIONS, RECORDS_OF_A_TYPE = 20, 300
FIRST_DAY, DAYS = date(2020, 2, 15), 46
# With these prices, two subscriptions reach a price of 10.
LARGEST_PRICE_CENTS = 90


class Command(DsrhubCommand):
    help = (
        "Add sample subscriptions and their usage, for a trial. The records are the same each time. If there is a "
        "subscription already, change nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if Subscription.objects.exists():
            self.stdout.write("There are subscriptions already. Nothing was added.")
            return
        # A run that is stopped leaves no subscription without usage, which the next one would take for complete.
        with transaction.atomic():
            subscriptions = subscriptions_make(count=SUBSCRIPTIONS)
            added = sum(_add(usage_type, subscriptions) for usage_type in UsageType)
        daily_usage_refresh()
        self.stdout.write(f"{len(subscriptions)} subscriptions and {added} usage records added.")


def _add(usage_type: UsageType, subscriptions: list[int]) -> int:
    events = usage_events(
        usage_type=usage_type,
        subscriptions=subscriptions,
        count=RECORDS_OF_A_TYPE,
        first_day=FIRST_DAY,
        days=DAYS,
        with_external_ids=True,
        largest_price_cents=LARGEST_PRICE_CENTS,
    )
    return usage_records_add(usage_type=usage_type, records=events).added
