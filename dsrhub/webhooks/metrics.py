"""The numbers of webhooks, for Prometheus."""

from collections.abc import Iterator

from django.db.models import Count, Q
from django.utils import timezone
from prometheus_client import Metric

from dsrhub.database.statements import rows_of
from dsrhub.metrics.collectors import gauge, gauges
from dsrhub.webhooks.models import Delivery, Webhook

STORED = ()

# No more deliveries than these are counted.
MOST_WAITING = 100_000
# A disabled webhook waits for people, not for a worker.
OLDEST = """
SELECT min(at) FROM webhooks_webhook AS webhook CROSS JOIN LATERAL (
    SELECT at FROM webhooks_delivery JOIN webhooks_event AS event ON event.id = event_id
    WHERE webhook_id = webhook.id AND state = 'waiting' ORDER BY event_id LIMIT 1
) AS oldest
WHERE is_enabled
"""


def collect() -> Iterator[Metric]:
    counts = Webhook.objects.aggregate(
        working=Count("pk", filter=Q(is_enabled=True, failing_since=None)),
        failing=Count("pk", filter=Q(is_enabled=True, failing_since__isnull=False)),
        disabled=Count("pk", filter=Q(is_enabled=False)),
    )
    states = {(state,): count for state, count in counts.items()}
    yield gauges("dsrhub_webhooks", "Webhooks by state.", ("state",), states)
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING, webhook__is_enabled=True)[:MOST_WAITING].count()
    yield gauge(
        "dsrhub_webhook_deliveries_waiting",
        f"Events on their way to enabled webhooks, {MOST_WAITING} at most.",
        waiting,
    )
    ((oldest,),) = rows_of(OLDEST)
    yield gauge(
        "dsrhub_webhook_oldest_seconds",
        "How long the oldest of them waits; 0 if none does.",
        max((timezone.now() - oldest).total_seconds(), 0) if oldest else 0,
    )
