"""The speed of imports, beside a bare COPY of the same lines."""

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

# Before models: it sets Django up.
from tests.benchmarks.measuring import MEBIBYTE, seconds_of, server_memory  # isort: skip

from django.db import connection

from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.versions.superseding import versions_drop
from catalogue.exceptions import ReportRefused
from catalogue.imports import services
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, SupersededDSR
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.tsv.reader import ReportReader
from catalogue.reports.problems import ProblemLog
from catalogue.resources.services import catalogue_refresh
from tests.printing import say

# How many files the command imports at the same time.
JOBS = 3
WRONG_LINES = 10_000


class Imported(NamedTuple):
    seconds: float
    phases: dict[str, float]
    mebibytes_at_start: float
    mebibytes: float


def measure_imports(files: list[Path]) -> None:
    bare, lines = bare_copy(files)
    say(f"bare COPY of the unpacked files into a plain table: {lines / bare:,.0f} lines/s")
    for name, jobs, with_resources in (
        ("DSRs only", JOBS, False),
        ("DSRs only, one file at a time", 1, False),
        ("with the catalogue of resources", JOBS, True),
    ):
        everything_delete()
        with server_memory() as peak:
            imported = in_own_process(files, jobs, with_resources)
        say(
            f"import, {name}: {lines / imported.seconds:,.0f} lines/s, ratio {bare / imported.seconds:.2f}; "
            f"peak memory of the client {imported.mebibytes:,.0f} MiB "
            f"({imported.mebibytes_at_start:,.0f} before the first file), of a server process {peak[0]:,.0f} MiB"
        )
        parts = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in imported.phases.items())
        say(f"  {imported.seconds:.1f} s; the steps of all threads together: {parts}")
    reading, rewritten = reading_alone(files)
    say(
        f"unpacking and checking only: {lines / reading:,.0f} lines/s; "
        f"{1 - rewritten / lines:.2%} of the lines took the fast path"
    )


def measure_dirt(file: Path) -> None:
    """A file with 1 % of its lines to be rewritten, and a file with very many wrong lines."""
    with gzip.open(file) as packed:
        lines = list(packed)
    step = max(len(lines) // WRONG_LINES, 1)
    with tempfile.TemporaryDirectory() as folder:

        def seconds_to_import(content: Iterator[bytes]) -> float:
            path = Path(folder) / file.name
            path.write_bytes(gzip.compress(b"".join(content), 1))
            everything_delete()
            return seconds_of(lambda: refused_or_imported(path))

        clean = seconds_to_import(iter(lines))
        rewritten = seconds_to_import(
            with_hyphens(line) if number % 100 == 1 else line for number, line in enumerate(lines)
        )
        wrong = seconds_to_import(
            line.replace(b"\t", b"", 1) if number and number % step == 0 else line for number, line in enumerate(lines)
        )
    failed = DSR.objects.failed().get()
    say(
        f"time of an import relative to a clean file: {rewritten / clean:.2f} with 1 % of the lines rewritten, "
        f"{wrong / clean:.2f} with {failed.error_count:,} wrong lines"
    )


def with_hyphens(line: bytes) -> bytes:
    """The line with hyphens in its ISRC."""
    cells = line.split(b"\t")
    isrc = cells[3]
    cells[3] = b"-".join((isrc[:2], isrc[2:5], isrc[5:7], isrc[7:])) if isrc else isrc
    return b"\t".join(cells)


def refused_or_imported(path: Path) -> None:
    with patch.object(services, "catalogue_refresh"):
        try:
            dsr_import(path=path, name=path.name)
        except ReportRefused:
            return


def bare_copy(files: list[Path]) -> tuple[float, int]:
    """The seconds and the lines of a bare COPY of the unpacked files into a plain logged table without index."""
    seconds, lines = 0.0, 0
    with connection.cursor() as cursor, tempfile.TemporaryDirectory() as folder:
        cursor.execute(
            "CREATE TABLE bare (dsp_id text, title text, artists text, isrc text, usages bigint, revenue numeric)"
        )
        unpacked = Path(folder) / "report.tsv"
        for path in files:
            # A plain COPY refuses usages that are written as 5.0, unlike dsrhub.
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


def in_own_process(files: list[Path], jobs: int, with_resources: bool) -> Imported:
    """Run the command in a process of its own, as in production."""
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-m", "tests.benchmarks.import_process", name, str(jobs), str(with_resources), *files]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Imported(**json.loads(done.stdout))


def reading_alone(files: list[Path]) -> tuple[float, int]:
    """The seconds to unpack and check, and the number of rewritten lines."""
    started, rewritten = time.perf_counter(), 0
    for path in files:
        reader = ReportReader(Delivery(path, path.name).chunks(), ProblemLog(1))
        for _ in reader:
            pass
        rewritten += reader.rewritten_count
    return time.perf_counter() - started, rewritten


def everything_delete() -> None:
    for dsr_number in DSR.objects.values_list("pk", flat=True):
        dsr_delete(dsr_number=dsr_number)
    versions_drop(SupersededDSR.objects.values_list("pk", flat=True), reason="deleted")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE catalogue_resource")
    catalogue_refresh()
