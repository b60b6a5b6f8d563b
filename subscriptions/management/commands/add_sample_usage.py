from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction

from dsrhub.commands import DsrhubCommand
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.limits.following import limits_follow
from subscriptions.limits.services import price_limit_set
from subscriptions.models import LimitSpan, Subscription, UsageType
from subscriptions.records.samples import subscriptions_make, usage_events
from subscriptions.records.services import usage_records_add
from subscriptions.retention.services import usage_records_purge

SUBSCRIPTIONS, RECORDS_OF_A_TYPE = 20, 300
FIRST_DAY, DAYS = date(2020, 2, 15), 46
# With these prices, two subscriptions reach a price of 10.
LARGEST_PRICE_CENTS = 90
# Limits of a month and of the total, which subscriptions reach. One has a higher limit of its own.
SINCE, MONTHLY, OWN, TOTAL = date(2020, 2, 1), Decimal(5), Decimal("6.50"), Decimal(10)
# The raw records of the days before are purged.
FIRST_KEPT_DAY = date(2020, 2, 18)


class Command(DsrhubCommand):
    help = (
        "Add sample subscriptions, their usage, and price limits that it reaches, for a trial. The oldest raw records "
        "are purged. The records are the same each time. If there is a subscription already, change nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if Subscription.objects.exists():
            self.stdout.write("There are subscriptions already. Nothing was added.")
            return
        # A run that is stopped leaves no subscription without usage, which the next one would take for complete.
        with transaction.atomic():
            subscriptions = subscriptions_make(count=SUBSCRIPTIONS)
            added = sum(_add(usage_type, subscriptions) for usage_type in UsageType)
            _limit(subscriptions)
        daily_usage_refresh()
        limits_follow()
        purged = sum(day.record_count for day in usage_records_purge(before=FIRST_KEPT_DAY).purged)
        self.stdout.write(f"{len(subscriptions)} subscriptions and {added} usage records added, {purged} purged.")


def _limit(subscriptions: Sequence[int]) -> None:
    data, voice = UsageType.DATA, UsageType.VOICE
    price_limit_set(usage_type=data, span=LimitSpan.MONTH, price=MONTHLY, since=SINCE)
    price_limit_set(usage_type=data, span=LimitSpan.MONTH, price=OWN, since=SINCE, subscription_id=subscriptions[4])
    price_limit_set(
        usage_type=voice, span=LimitSpan.MONTH, price=MONTHLY, since=SINCE, carrier=Subscription.Carrier.ATT
    )
    price_limit_set(usage_type=voice, span=LimitSpan.TOTAL, price=TOTAL)


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
