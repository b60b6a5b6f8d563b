"""The numbers of imports, rankings, the catalogue of resources and drop folders, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import Metric

from catalogue.dsrs.selectors import dsr_counts
from catalogue.folders.looks import recent_folders
from catalogue.imports.loading.outcome import IMPORT_SECONDS, IMPORTED_LINES, IMPORTS
from catalogue.imports.queue.selectors import queue_state
from catalogue.models import LeftoverLines
from catalogue.ranking.cached.cache import RANKINGS
from catalogue.ranking.selectors import ranking_counts
from dsrhub.metrics.collectors import age, gauge, gauges

STORED = (IMPORTS, IMPORTED_LINES, IMPORT_SECONDS, RANKINGS)


def collect() -> Iterator[Metric]:
    yield from _queue()
    yield from _dsrs()
    yield from _rankings()
    yield from _folders()


def _queue() -> Iterator[Metric]:
    queue = queue_state()
    jobs = {("waiting",): queue["jobs_waiting"], ("in_work",): queue["jobs_in_work"]}
    yield gauges("dsrhub_import_jobs", "Uploads that are queued for workers, or in work.", ("state",), jobs)
    yield gauge(
        "dsrhub_import_queue_oldest_seconds",
        "How long the oldest queued upload waits; 0 if none does.",
        queue["oldest_seconds"],
    )
    yield gauge("dsrhub_worker_up", "Whether a worker is running.", queue["worker"])


def _dsrs() -> Iterator[Metric]:
    counts = dsr_counts()
    by_status = {(status,): count for status, count in counts.by_status.items()}
    yield gauges("dsrhub_dsrs", "DSRs by status.", ("status",), by_status)
    yield gauge(
        "dsrhub_catalogue_behind_dsrs", "DSRs whose resources cannot be browsed and searched yet.", counts.uncatalogued
    )
    yield age("dsrhub_catalogue_behind_seconds", "How long the oldest of them waits; 0 if none does.", counts.since)
    yield gauge(
        "dsrhub_lines_to_drop_dsrs", "Deleted DSRs whose lines are still stored.", LeftoverLines.objects.count()
    )


def _rankings() -> Iterator[Metric]:
    counts = ranking_counts()
    cached = {(kind,): one.cached for kind, one in counts.items()}
    rows = {(kind,): one.rows for kind, one in counts.items()}
    queued = {(kind,): one.queued for kind, one in counts.items()}
    yield gauges("dsrhub_kept_rankings", "Cached rankings, by what they rank.", ("kind",), cached)
    yield gauges("dsrhub_kept_ranking_rows", "The rows of all cached rankings.", ("kind",), rows)
    yield gauges("dsrhub_rankings_waiting", "Rankings that requests wait for.", ("kind",), queued)


def _folders() -> Iterator[Metric]:
    folders = recent_folders()
    files, label = {}, ("folder",)
    for one in folders:
        files[one.address, "arriving"], files[one.address, "waiting"] = one.arriving_count, one.waiting_count
        files[one.address, "left"] = one.left_count
    yield gauges(
        "dsrhub_folder_looked_at_timestamp_seconds",
        "When a process looked at a drop folder last.",
        label,
        {(one.address,): one.looked_at.timestamp() for one in folders if one.looked_at},
    )
    yield gauges(
        "dsrhub_folder_failed",
        "Whether a drop folder was out of reach then.",
        label,
        {(one.address,): bool(one.error) for one in folders},
    )
    yield gauges(
        "dsrhub_folder_files",
        "Files in a drop folder that still arrive, that wait for others, or that are left as they are no reports.",
        ("folder", "state"),
        files,
    )
    yield gauges(
        "dsrhub_folder_failing_deliveries",
        "Deliveries that are tried again, as the database or the folder failed.",
        label,
        {(one.address,): one.failing_count for one in folders},
    )
