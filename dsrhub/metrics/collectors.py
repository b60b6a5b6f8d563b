"""The numbers of all applications, read from the database when somebody asks for them.

An application adds a module to METRICS of the settings. Its `STORED` are the counters that its services add to, and its
`collect` yields its other numbers by a few statements, however much data there is.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dsrhub import __version__
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.metrics.stored import Stored, StoredCounter, stored_values

logger = logging.getLogger(__name__)

# The database has this long to answer.
SECONDS = 5


class ApplicationCollector(Collector):
    """Without the database there are only the version and `dsrhub_database_up`, which is 0 then."""

    def collect(self) -> Iterator[Metric]:
        try:
            with answered_within(SECONDS):
                families = list(_families())
        except (DatabaseError, OutOfTime) as error:
            logger.warning("the database does not answer: %s", error)
            families = []
        yield gauges("dsrhub_info", "The version of the server, as a label of a 1.", ("version",), {(__version__,): 1})
        yield gauge("dsrhub_database_up", "Whether the database answers.", bool(families))
        yield from families


def gauge(name: str, help_text: str, value: float) -> Metric:
    """A number without labels."""
    family = GaugeMetricFamily(name, help_text)
    family.add_metric([], value)
    return family


def age(name: str, help_text: str, since: datetime | None) -> Metric:
    """How many seconds ago something happened; 0 for nothing."""
    return gauge(name, help_text, max((timezone.now() - since).total_seconds(), 0) if since else 0)


def gauges(name: str, help_text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    """Numbers by tuples of the values of their labels."""
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def _families() -> Iterator[Metric]:
    modules: list[Any] = [import_module(name) for name in settings.METRICS]
    yield from _stored([stored for module in modules for stored in module.STORED])
    for module in modules:
        yield from module.collect()


def _stored(metrics: list[Stored]) -> Iterator[Metric]:
    values = stored_values(metric.name for metric in metrics)
    for metric in metrics:
        kind = CounterMetricFamily if isinstance(metric, StoredCounter) else GaugeMetricFamily
        family = kind(metric.name, metric.help, labels=metric.labels)
        found = dict.fromkeys(metric.known, 0.0) | {tuple(labels): value for labels, value in values[metric.name]}
        for labels, value in found.items():
            if len(labels) == len(metric.labels):
                family.add_metric(labels, value)
        yield family
