"""Helpers that add usage. Tests call them directly, so each test shows its data."""

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import connection

from subscriptions.aggregates.over_price import subscription_list_over_price
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.totals import subscription_usage_totals
from subscriptions.models import UsageType
from subscriptions.records import inserting, loading
from subscriptions.records.events import UsageEvent
from subscriptions.records.services import usage_records_add
from tests.subscriptions import recipes

DATA, VOICE = UsageType.DATA, UsageType.VOICE
JANUARY = date(2026, 1, 1), date(2026, 1, 31)
ALWAYS = date(2020, 1, 1), date(2030, 12, 31)


def subscribe(count=1):
    """New subscriptions: a single one, or a list if `count` is not 1."""
    made = recipes.subscription.make(_quantity=count, _bulk_create=True)
    return made[0] if count == 1 else made


def noon(day, month=1):
    """Noon (UTC) of a day in 2026."""
    return datetime(2026, month, day, 12, tzinfo=UTC)


def event(subscription, day=5, price="1", amount=1, external_id=None, month=1):
    when = day if isinstance(day, datetime) else noon(day, month)
    return UsageEvent(subscription.pk, when, Decimal(price), amount, external_id)


def add(*events, usage_type=DATA, **options):
    return usage_records_add(usage_type=usage_type, records=events, **options)


def sums(start=ALWAYS[0], end=ALWAYS[1], **options):
    """The answer of the selector, as {(subscription, type[, first day]): (price, usage)}; prices as texts."""
    rows = subscription_usage_totals(start=start, end=end, **options).rows
    return {
        (row.subscription_id, str(row.usage_type), *([row.first_day] if row.first_day else [])): (
            f"{row.total_price:f}",
            row.total_usage,
        )
        for row in rows
    }


def over(price_limit, **options):
    """{subscription: {type: (price, exceeded by)}}"""
    return {
        row.subscription_id: {
            str(one.usage_type): (f"{one.total_price:f}", f"{one.exceeded_by:f}") for one in row.exceeded
        }
        for row in subscription_list_over_price(price_limit=Decimal(price_limit), **options).rows
    }


def naive_sums(records, start=ALWAYS[0], end=ALWAYS[1], *, by=None):
    """The same, summed in Python from (subscription, type, day, price, amount) of all records."""
    totals = defaultdict(lambda: (Decimal(0), 0))
    for subscription, usage_type, day, price, amount in records:
        if start <= day <= end:
            first_day = day.replace(day=1) if by is Step.MONTH else day
            key = (subscription, str(usage_type), *([first_day] if by else []))
            totals[key] = (totals[key][0] + price, totals[key][1] + amount)
    return {key: (as_text(price), amount) for key, (price, amount) in totals.items()}


def as_text(price):
    """A price with two decimals, or more if needed."""
    digits = f"{price:f}"
    whole, _, decimals = digits.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def fetch(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def mark_singly(monkeypatch, most):
    """Let a write of more than so many subscriptions on a day mark the whole day."""
    for module in (inserting, loading):
        monkeypatch.setattr(module, "KEYS_MARKED_SINGLY", most)


def marks():
    return fetch("SELECT usage_type, day, subscription_id FROM subscriptions_usagemark ORDER BY 1, 2, 3")


def partitions():
    return [
        name
        for (name,) in fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN "
            "('subscriptions_datausagerecord'::regclass, 'subscriptions_voiceusagerecord'::regclass) ORDER BY 1"
        )
    ]


def forget_everything():
    """Empty the tables and drop the partitions, which stay after the rollback of a test."""
    with connection.cursor() as cursor:
        for name in partitions():
            cursor.execute(f"DROP TABLE {name}")
        cursor.execute(
            "TRUNCATE subscriptions_subscription, subscriptions_dailyusage, subscriptions_monthlyusage, "
            "subscriptions_totalusage, subscriptions_purgedusage, subscriptions_sealedday, subscriptions_usagemark, "
            "subscriptions_pricelimit, subscriptions_limitcrossing, subscriptions_limitmark"
        )
