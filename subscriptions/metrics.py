"""The numbers of usage, for Prometheus."""

import math
import time
from collections.abc import Iterator

from prometheus_client import Metric

from dsrhub.metrics.collectors import gauge
from dsrhub.metrics.stored import stored_values
from subscriptions.aggregates.services import REFRESHED
from subscriptions.models import UsageMark

STORED = (REFRESHED,)

# The table of marks has no index, so no more than these are counted.
MOST_MARKS = 100_000


def collect() -> Iterator[Metric]:
    marks = UsageMark.objects.values("usage_type")[:MOST_MARKS].count()
    yield gauge("dsrhub_usage_marks", f"Changes since the last refresh of usage, {MOST_MARKS} at most.", marks)
    yield gauge(
        "dsrhub_usage_refresh_lag_seconds",
        "How long the last refresh of all usage days is ago, if there are changes since then; else 0.",
        _lag() if marks else 0,
    )


def _lag() -> float:
    """Infinite where usage was never refreshed."""
    refreshed = stored_values([REFRESHED.name])[REFRESHED.name]
    return max(time.time() - refreshed[0][1], 0) if refreshed else math.inf
