"""The numbers of webhooks, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import Metric

from dsrhub.metrics.collectors import age, gauge, gauges
from dsrhub.webhooks.selectors import waiting_count, waiting_since, webhook_counts

STORED = ()

MOST_WAITING = 100_000


def collect() -> Iterator[Metric]:
    states = {(state,): count for state, count in webhook_counts().items()}
    yield gauges("dsrhub_webhooks", "Webhooks by state.", ("state",), states)
    yield gauge(
        "dsrhub_webhook_deliveries_waiting",
        f"Events on their way to enabled webhooks, {MOST_WAITING} at most.",
        waiting_count(limit=MOST_WAITING),
    )
    yield age("dsrhub_webhook_oldest_seconds", "How long the oldest of them waits; 0 if none does.", waiting_since())
