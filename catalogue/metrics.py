"""The numbers of imports, rankings, the catalogue of resources and drop folders, for Prometheus."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone
from prometheus_client import Metric

from catalogue.imports.loading.outcome import IMPORT_SECONDS, IMPORTED_LINES, IMPORTS
from catalogue.imports.queue.selectors import queue_state
from catalogue.models import DSR, DropFolder, KeptArtists, KeptRanking, LeftoverLines, WantedArtists, WantedRanking
from catalogue.ranking.cached.kept import RANKINGS
from dsrhub.metrics.collectors import gauge, gauges

STORED = (IMPORTS, IMPORTED_LINES, IMPORT_SECONDS, RANKINGS)

# A folder is no longer shown when its last look is longer ago than FOLDERS_FOR. At most MOST_FOLDERS are shown.
FOLDERS_FOR, MOST_FOLDERS = timedelta(days=7), 100
# The cached rankings of each kind, and those that are queued.
KINDS: dict[str, tuple[Any, Any]] = {
    "resources": (KeptRanking, WantedRanking),
    "artists": (KeptArtists, WantedArtists),
}


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
    behind = Q(status=DSR.Status.INGESTED, is_catalogued=False)
    counts = DSR.objects.aggregate(
        behind=Count("pk", filter=behind),
        since=Min("imported_at", filter=behind),
        **{status.value: Count("pk", filter=Q(status=status)) for status in DSR.Status},
    )
    of_status = {(status.value,): counts[status.value] for status in DSR.Status}
    yield gauges("dsrhub_dsrs", "DSRs by status.", ("status",), of_status)
    yield gauge(
        "dsrhub_catalogue_behind_dsrs", "DSRs whose resources cannot be browsed and searched yet.", counts["behind"]
    )
    since = counts["since"]
    yield gauge(
        "dsrhub_catalogue_behind_seconds",
        "How long the oldest of them waits; 0 if none does.",
        max((timezone.now() - since).total_seconds(), 0) if since else 0,
    )
    yield gauge(
        "dsrhub_lines_to_drop_dsrs", "Deleted DSRs whose lines are still stored.", LeftoverLines.objects.count()
    )


def _rankings() -> Iterator[Metric]:
    kept, rows, waiting = {}, {}, {}
    for kind, (cached, wanted) in KINDS.items():
        found = cached.objects.aggregate(count=Count("pk"), rows=Sum("row_count", default=0))
        kept[kind,], rows[kind,] = found["count"], found["rows"]
        waiting[kind,] = wanted.objects.count()
    yield gauges("dsrhub_kept_rankings", "Cached rankings, by what they rank.", ("kind",), kept)
    yield gauges("dsrhub_kept_ranking_rows", "The rows of all cached rankings.", ("kind",), rows)
    yield gauges("dsrhub_rankings_waiting", "Rankings that requests wait for.", ("kind",), waiting)


def _folders() -> Iterator[Metric]:
    folders = list(
        DropFolder.objects.filter(looked_at__gt=timezone.now() - FOLDERS_FOR).order_by("address")[:MOST_FOLDERS]
    )
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
