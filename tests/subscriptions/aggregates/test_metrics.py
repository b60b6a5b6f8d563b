"""The usage of subscriptions together. Expected values are summed by hand."""

from datetime import date

import pytest

from subscriptions.aggregates.answers import MetricKey
from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.ranges import Step
from tests.subscriptions.helpers import DATA

pytestmark = pytest.mark.django_db


def metrics(**options):
    rows = usage_metrics(start=date(2026, 1, 1), end=date(2026, 2, 28), **options).rows
    return [
        (one.carrier, str(one.usage_type), one.month, one.subscription_count, f"{one.total_price:f}", one.total_usage)
        for one in rows
    ]


def test_metrics_by_carrier_and_month(carriers):
    assert metrics(by_carrier=True) == [
        ("att", "data", None, 2, "8.00", 80),
        ("sprint", "voice", None, 1, "7.00", 70),
    ]
    by_month = [
        ("att", "data", "2026-01", 2, "3.00", 30),
        ("att", "data", "2026-02", 1, "5.00", 50),
        ("sprint", "voice", "2026-01", 1, "7.00", 70),
    ]
    assert metrics(by_carrier=True, by=Step.MONTH) == by_month
    assert metrics(by_carrier=True, by=Step.MONTH, carrier="sprint") == by_month[2:]
    keys = [MetricKey("att", DATA, date(2026, 1, 1)), MetricKey("att", DATA, date(2026, 2, 1))]
    for place, after in enumerate(keys, 1):
        assert metrics(by_carrier=True, by=Step.MONTH, after=after, limit=1) == by_month[place : place + 1]
