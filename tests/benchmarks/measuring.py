"""Helpers of the benchmarks of reports: times, memory and report files."""

import argparse
import contextlib
import logging
import os
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

# Logging a line for each request would take time too.
logging.disable(logging.INFO)

import psutil
from django.db import connection

from catalogue.reports.samples.lines import CONCENTRATED, EVEN, Shape
from catalogue.reports.samples.reports import sample_list, samples_write
from tests.printing import say

MEBIBYTE = 1024 * 1024
TIMES = 5
SHAPES = {shape.name: shape for shape in (CONCENTRATED, EVEN)}


def report_files(dsrs: int, lines: int, shape: Shape = CONCENTRATED) -> list[Path]:
    """Reports with this number of lines each. They are generated once and kept in a temporary folder."""
    suffix = "" if shape is CONCENTRATED else f"-{shape.name}"
    folder = Path(tempfile.gettempdir()) / f"dsrhub-benchmark-{dsrs}x{lines}{suffix}"
    if not folder.exists():
        say(f"generating {dsrs} reports of {lines:,} lines in {folder} ...")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for _ in samples_write(unfinished, sample_list(dsrs), seed=1, lines=lines, shape=shape):
            pass
        unfinished.rename(folder)
    return sorted(folder.iterdir())


def parser_of(description: str | None, *, dsrs: int, lines: int) -> argparse.ArgumentParser:
    """The parser of a benchmark, with the size of its data."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsrs", type=int, default=dsrs)
    parser.add_argument("--lines", type=int, default=lines, help="in all DSRs together")
    return parser


def add_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default=CONCENTRATED.name, help="how the revenue is spread")


def seconds_of(step: Callable[[], Any]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def median_seconds(step: Callable[[], Any], times: int = TIMES) -> float:
    """The median of several runs, after a first run that fills caches."""
    step()
    return statistics.median(seconds_of(step) for _ in range(times))


def medians_in_turns(*steps: Callable[[], Any], times: int = TIMES) -> list[float]:
    """The median of each step. Steps run in turns, so that other load on the machine affects all of them."""
    rounds = [[seconds_of(step) for step in steps] for _ in range(times + 1)]
    return [statistics.median(seconds) for seconds in zip(*rounds[1:], strict=True)]


def peak_memory() -> float:
    """The peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def server_memory() -> Iterator[list[float]]:
    """The peak memory of the largest process of the server during the block, in MiB, without shared memory."""
    peak = [0.0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    ended = threading.Event()

    def watch() -> None:
        try:
            postmaster = psutil.Process(pid).parent()
            while not ended.wait(0.1):
                for process in postmaster.children() if postmaster else []:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        memory = process.memory_info()
                        peak[0] = max(peak[0], (memory.rss - memory.shared) / MEBIBYTE)
        except (psutil.Error, AttributeError):
            peak[0] = float("nan")  # the server runs on another machine

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def server_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"
