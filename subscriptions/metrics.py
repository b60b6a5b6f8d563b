"""The numbers of usage, for Prometheus."""

import math
import time
from collections.abc import Iterator

from prometheus_client import Metric

from dsrhub.metrics.collectors import gauge
from subscriptions.aggregates.refreshing import marks_count
from subscriptions.aggregates.services import REFRESHED

STORED = (REFRESHED,)

MOST_MARKS = 100_000


def collect() -> Iterator[Metric]:
    marks = marks_count(limit=MOST_MARKS)
    yield gauge("dsrhub_usage_marks", f"Changes since the last refresh of usage, {MOST_MARKS} at most.", marks)
    yield gauge(
        "dsrhub_usage_refresh_lag_seconds",
        "How long the last refresh of all usage days is ago, if there are changes since then; else 0.",
        _lag() if marks else 0,
    )


def _lag() -> float:
    """Infinite where usage was never refreshed."""
    refreshed = REFRESHED.get()
    return math.inf if refreshed is None else max(time.time() - refreshed, 0)
