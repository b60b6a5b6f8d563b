"""Load: many clients of REST and GraphQL at once, during imports. There must be no error, and memory must not grow.

    python -m tests.faults.load [--seconds 60] [--clients 12] [--dsrs 8] [--lines 80000] [--keep]

The program starts the server as a container does, on a free port of this machine, and locust sends the requests.
Meanwhile `import_dsr`, in processes of its own, replaces two editions of one more report by each other, a program sends
records of usage, and a worker sends events to a webhook: what was acknowledged must be there in the end. The program
creates its own database, on the embedded server or on that of DATABASE_URL, and removes it at the end. With --keep, the
database stays, and the next run finds the reports in it.
"""

import argparse
import csv
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

# Before models: it sets Django up.
from tests.benchmarks.measuring import MEBIBYTE, report_files, say, server_version  # isort: skip

import psutil
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from catalogue.models import DSR, Resource
from catalogue.reports.samples.reports import sample_list, sample_write
from tests.faults.load_writers import Writers
from tests.processes import database_url
from tests.webhooks.receiver import Receiver

# When the memory of the server is measured, as a share of the time.
MOMENTS = {0: "at the beginning", 0.5: "in the middle", 0.95: "at the end"}
# The lines of the report with the largest cells.
WORST_LINES = 3000
# Seconds of requests after which every process has loaded its modules.
WARM_UP = 10
ASKED_RESOURCES = 1000
# Seconds that the last responses and an import may take after the end.
PATIENCE = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--dsrs", type=int, default=8)
    parser.add_argument("--lines", type=int, default=80_000, help="in all DSRs together")
    parser.add_argument("--keep", action="store_true", help="keep the database for the next run")
    options = parser.parse_args()
    files = report_files(options.dsrs, options.lines // options.dsrs)
    connection.settings_dict["TEST"]["NAME"] = f"dsrhub_load_{options.dsrs}x{options.lines // options.dsrs}"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, keepdb=options.keep)
    try:
        with tempfile.TemporaryDirectory() as folder:
            run(files, Path(folder), options)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0, keepdb=options.keep)


def run(files: list[Path], folder: Path, options: argparse.Namespace) -> None:
    with Path(os.devnull).open("w") as nowhere:
        call_command("import_dsr", *files, jobs=3, stdout=nowhere)
    say(f"{server_version()}, {options.dsrs} DSRs, {options.lines:,} lines, {options.clients} clients")
    editions = two_editions(folder, options.dsrs, options.lines // options.dsrs)
    worst = worst_report(folder, options.dsrs)
    with Path(os.devnull).open("w") as nowhere:
        call_command("import_dsr", worst, stdout=nowhere)
    targets = targets_among(files) | {"worst": DSR.objects.ingested().get(path=worst.name).pk}
    os.environ |= {
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "dsrhub.settings",
        "DSRHUB_LOG_JSON": "true",
        "LOAD_TARGETS": json.dumps(targets),
    }
    receiver = Receiver()
    writers = Writers(receiver)
    connection.close()
    log = folder / "log"
    with (
        receiver.listening(),
        serving(log) as (process, url),
        writers.writing(url),
        importing(editions) as imports,
    ):
        locust(url, folder, options.clients, WARM_UP).communicate()
        asking = locust(url, folder, options.clients, options.seconds)
        started = time.monotonic()
        for share, moment in MOMENTS.items():
            time.sleep(max(started + share * options.seconds - time.monotonic(), 0))
            memory_print(moment, process)
        output, _ = asking.communicate(timeout=options.seconds + PATIENCE)
    requests_print(folder)
    say(f"imports meanwhile: {len(imports)}, of {options.lines // options.dsrs:,} lines, {max(imports):.1f} s at most")
    say(str(writers))
    if faults := writers.faults():
        sys.exit(f"Records or events were lost: {faults[:5]}")
    if asking.returncode or '"level": "ERROR"' in log.read_text():
        sys.exit(f"There were errors.\n{output}\n{log.read_text()[-5000:]}")


def two_editions(folder: Path, dsrs: int, lines: int) -> list[Path]:
    """Two editions of a report that no client asks for."""
    sample = sample_list(dsrs + 1)[-1]
    folders = [folder / "first", folder / "second"]
    for edition in folders:
        edition.mkdir()
    return [sample_write(one, sample, seed=seed, lines=lines, recordings=3 * lines) for seed, one in enumerate(folders)]


def worst_report(folder: Path, dsrs: int) -> Path:
    """A report of the largest cells that can be loaded. One page of 10,000 lines of it would be 120 MB."""
    path = folder / sample_list(dsrs + 2)[-1].name
    random = Random(1)  # noqa: S311 - cells that do not compress
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("dsp_id\ttitle\tartists\tisrc\tusages\trevenue\n")
        for number in range(WORST_LINES):
            dsp_id, title, artists = (random.randbytes(2048).hex() for _ in range(3))
            file.write(f"{dsp_id}\t{title}\t{artists}\t\t{number}\t{number}.5\n")
    return path


def targets_among(files: list[Path]) -> dict[str, Any]:
    dsrs = DSR.objects.ingested().filter(path__in=[path.name for path in files])
    resources = list(Resource.objects.order_by("pk")[:ASKED_RESOURCES])
    return {
        "dsrs": [
            {
                "id": dsr.pk,
                "territory": dsr.territory_id,
                "period_start": str(dsr.period_start),
                "period_end": str(dsr.period_end),
                "lines": dsr.line_count,
            }
            for dsr in dsrs
        ],
        "dsp_ids": [resource.dsp_id for resource in resources],
        "words": sorted({resource.title for resource in resources if resource.title}),
    }


# --- Server, imports and clients -------------------------------------------------------------------------------


@contextmanager
def serving(log: Path) -> Iterator[tuple[psutil.Process, str]]:
    """The process that a container runs, and its address."""
    with log.open("wb") as stderr:
        process = psutil.Popen(
            [sys.executable, "-m", "dsrhub.entrypoint", "serve"],
            cwd=settings.BASE_DIR,
            env=os.environ | {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0"},
            stderr=stderr,
        )
    try:
        while not (found := re.search(r"Listening at: (http://127.0.0.1:\d+)", log.read_text())):
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.1)
        yield process, found[1]
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def importing(editions: list[Path]) -> Iterator[list[float]]:
    """Import the editions in turn until the block ends. Yields the list of the seconds of each import."""
    ended, took = threading.Event(), []

    def import_again_and_again() -> None:
        for path in cycle(editions):
            started = time.monotonic()
            command = [sys.executable, "manage.py", "import_dsr", "--replace", str(path)]
            subprocess.run(command, cwd=settings.BASE_DIR, check=True, stdout=subprocess.DEVNULL)
            took.append(time.monotonic() - started)
            if ended.is_set():
                return

    with ThreadPoolExecutor() as pool:
        importer = pool.submit(import_again_and_again)
        try:
            yield took
        finally:
            ended.set()
        importer.result()


def locust(url: str, folder: Path, clients: int, seconds: int) -> subprocess.Popen[str]:
    client = Path(__file__).with_name("load_client.py")
    command = [sys.executable, "-m", "locust", "-f", str(client), "--headless", "--only-summary", "--host", url]
    command += ["--users", str(clients), "--spawn-rate", str(clients)]
    command += ["--run-time", f"{seconds}s", "--stop-timeout", "60", "--csv", str(folder / "asked")]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


# --- Output ----------------------------------------------------------------------------------------------------


def memory_print(moment: str, process: psutil.Process) -> None:
    """Print the memory of all processes of the server. PSS counts shared memory once."""
    memory = [one.memory_full_info() for one in (process, *process.children(recursive=True))]
    resident, proportional = (sum(getattr(one, name) for one in memory) / MEBIBYTE for name in ("rss", "pss"))
    say(f"memory of the server's {len(memory)} processes {moment}: RSS {resident:.0f}, PSS {proportional:.0f} MiB")


def requests_print(folder: Path) -> None:
    say(f"{'':<30}{'requests':>10}{'errors':>8}{'per s':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    with (folder / "asked_stats.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            say(
                f"{row['Name']:<30}{row['Request Count']:>10}{row['Failure Count']:>8}"
                f"{float(row['Requests/s']):>8.1f}{row['50%']:>9}{row['95%']:>9}{row['99%']:>9}"
            )


if __name__ == "__main__":
    main()
