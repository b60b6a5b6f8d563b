"""How fast DSRs go in and questions are answered, each figure beside a reference of the same run.

    python -m tests.benchmarks.reports [--dsrs 40] [--lines 1000000]

works in a database of its own, on the embedded server or on that of DATABASE_URL, and removes it. Reports are made
once for each pair of numbers and kept in a temporary folder. A machine is never quiet: read the ratios.
"""

import argparse
import gzip
import os
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import psutil
from django.db import connection

from catalogue.delivery import Delivery
from catalogue.line_storage import LineLoad
from catalogue.models import DSR
from catalogue.parsing import ProblemLog, ReportReader
from catalogue.samples import sample_list, samples_write
from catalogue.selectors import dsr_lines, resource_top_percentile
from catalogue.services import dsr_delete, dsr_import

MEBIBYTE = 1024 * 1024
TIMES = 5
ALL_UP = """
SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.exchange_rate) AS revenue
FROM catalogue_usageline AS line JOIN catalogue_dsr AS dsr ON dsr.id = line.dsr_id
WHERE {} GROUP BY dsr.dsp, line.dsp_id ORDER BY revenue DESC NULLS LAST LIMIT 1
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsrs", type=int, default=40)
    parser.add_argument("--lines", type=int, default=400_000, help="in all DSRs together")
    options = parser.parse_args()
    files = report_files(options.dsrs, options.lines // options.dsrs)
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        say(
            f"{server_version()}, {options.dsrs} DSRs, {options.lines:,} lines, "
            f"{sum(path.stat().st_size for path in files) / MEBIBYTE:,.0f} MiB packed"
        )
        measure_import(files)
        measure_ranking()
        measure_pages()
        measure_delete()
        say(f"peak memory of this process: {peak_memory():,.0f} MiB")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def report_files(dsrs: int, lines: int) -> list[Path]:
    folder = Path(tempfile.gettempdir()) / f"dsrhub-benchmark-{dsrs}x{lines}"
    if not folder.exists():
        say(f"making {dsrs} reports of {lines:,} lines in {folder} ...")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for _ in samples_write(unfinished, sample_list(dsrs), seed=1, lines=lines):
            pass
        unfinished.rename(folder)
    return sorted(folder.iterdir())


# --- Import ----------------------------------------------------------------------------------------------------


def measure_import(files: list[Path]) -> None:
    bare, lines = bare_copy(files)
    phases: dict[str, float] = defaultdict(float)
    with timed_phases(phases), server_memory() as most:
        started = time.perf_counter()
        for path in files:
            dsr_import(path=path, name=path.name)
        ours = time.perf_counter() - started
    checking, rewritten = checking_alone(files)
    say(
        f"import       {lines / ours:>10,.0f} lines/s   bare COPY {lines / bare:>10,.0f} lines/s   "
        f"ratio {bare / ours:.2f}"
    )
    rest = ours - sum(phases.values())
    parts = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in [*phases.items(), ("rest", rest)])
    say(
        f"  of {ours:.1f} s: {parts}; unpacking and checking alone {checking:.1f} s, "
        f"{rewritten:,} of {lines:,} lines rewritten"
    )
    say(f"  most memory of a server process {most[0]:,.0f} MiB, of this one {peak_memory():,.0f} MiB")


def bare_copy(files: list[Path]) -> tuple[float, int]:
    """Seconds and lines of COPY alone: the unpacked files into a plain logged table without index."""
    seconds, lines = 0.0, 0
    with connection.cursor() as cursor, tempfile.TemporaryDirectory() as folder:
        cursor.execute(
            "CREATE TABLE bare (dsp_id text, title text, artists text, isrc text, usages bigint, revenue numeric)"
        )
        unpacked = Path(folder) / "report.tsv"
        for path in files:
            # What only dsrhub reads, a plain COPY refuses: the usages written as 5.0.
            with gzip.open(path, "rt", newline="") as packed, unpacked.open("w", newline="") as plain:
                plain.writelines(line.replace(".0\t", "\t") for line in packed)
            with unpacked.open("rb") as plain:
                started = time.perf_counter()
                cursor.copy_expert(
                    r"COPY bare FROM STDIN (FORMAT csv, HEADER, DELIMITER E'\t', QUOTE E'\x01', NULL '')",
                    plain,
                    MEBIBYTE,
                )
                seconds += time.perf_counter() - started
            lines += cursor.rowcount
        cursor.execute("DROP TABLE bare")
    return seconds, lines


@contextmanager
def timed_phases(phases: dict[str, float]) -> Iterator[None]:
    """Add up what the steps of a load take."""

    def timed(phase: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return step(*args, **kwargs)
            finally:
                phases[phase] += time.perf_counter() - started

        return run

    names = {"copy": "copy (and check)", "totals": "totals", "repeats": "repeats", "store": "index and attach"}
    with patch.multiple(LineLoad, **{name: timed(phase, getattr(LineLoad, name)) for name, phase in names.items()}):
        yield


def checking_alone(files: list[Path]) -> tuple[float, int]:
    started, rewritten = time.perf_counter(), 0
    for path in files:
        reader = ReportReader(Delivery(path, path.name).chunks(), ProblemLog(1))
        for _ in reader:
            pass
        rewritten += reader.rewritten_count
    return time.perf_counter() - started, rewritten


# --- Questions -------------------------------------------------------------------------------------------------


def measure_ranking() -> None:
    first = DSR.objects.order_by("period_start").first()
    assert first is not None
    period = {"period_start": first.period_start, "period_end": first.period_end}
    questions: list[tuple[str, dict[str, str | date], str]] = [
        ("one territory", {"territory": "ES"}, "dsr.territory_id = 'ES'"),
        ("one period", period, f"dsr.period_start = '{first.period_start}'"),
        ("everything", {}, "true"),
    ]
    for name, question, where in questions:
        with connection.cursor() as cursor:
            reference = median_seconds(lambda: cursor.execute(ALL_UP.format(where)), times=2)  # noqa: B023
        for percentile in (10, 25, 50, 90):
            found: list[Any] = []
            seconds = median_seconds(
                lambda: found.append(resource_top_percentile(percentile=percentile, **question)),  # noqa: B023
                times=2 if percentile > 50 else TIMES,
            )
            say(
                f"top {percentile:>2} % of {name:<13} {seconds * 1000:>9,.1f} ms   {len(found[0]):>7,} resources   "
                f"full GROUP BY {reference * 1000:>9,.1f} ms   ratio {reference / seconds:,.1f}"
            )


def measure_pages() -> None:
    dsr = DSR.objects.order_by("-line_count").first()
    assert dsr is not None
    start = median_seconds(lambda: dsr_lines(dsr=dsr, after=0, limit=1000))
    deep = median_seconds(lambda: dsr_lines(dsr=dsr, after=dsr.line_count - 1000, limit=1000))
    say(f"1,000 lines of a DSR: the first {start * 1000:.1f} ms, the last {deep * 1000:.1f} ms")


def measure_delete() -> None:
    for dsr in list(DSR.objects.order_by("-line_count")[:3]):
        started = time.perf_counter()
        dsr_delete(dsr_number=dsr.pk)
        say(f"a DSR of {dsr.line_count:,} lines deleted in {(time.perf_counter() - started) * 1000:.1f} ms")


# --- Measuring -------------------------------------------------------------------------------------------------


def median_seconds(step: Callable[[], Any], times: int = TIMES) -> float:
    """The median of some runs after a first one, which fills caches."""
    step()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


@contextmanager
def server_memory() -> Iterator[list[float]]:
    """The most memory, in MiB and without what is shared, that the server's process of this connection has."""
    most = [0.0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    ended = threading.Event()

    def watch() -> None:
        try:
            process = psutil.Process(pid)
            while not ended.wait(0.05):
                memory = process.memory_info()
                most[0] = max(most[0], (memory.rss - memory.shared) / MEBIBYTE)
        except (psutil.Error, AttributeError):
            most[0] = float("nan")  # a server elsewhere

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def peak_memory() -> float:
    """In MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def server_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
