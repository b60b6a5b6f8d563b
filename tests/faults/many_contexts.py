"""Messages of thousands of contexts, on a server with its default settings.

    python -m tests.faults.many_contexts [--contexts 5000] [--lines 10]

The program starts its own PostgreSQL in a temporary folder. It imports a message, whose contexts all have an offer of
their own, and three further ones at once, in processes of their own. Then it replaces one by another, and deletes one.
It prints the seconds of each step and the most locks that the server held, and checks that every context is there,
that its money adds up, and that nothing is left of what is gone. The first failed check ends the run.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import psycopg2
from django.core.management import call_command
from django.db import connection

from catalogue.reports.samples.messages import SampleMessage, message_list
from catalogue.reports.samples.writing import message_write
from tests.faults.server import PAUSE, Server
from tests.printing import say

PROJECT = Path(__file__).resolve().parent.parent.parent
AT_ONCE = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", type=int, default=5000, help="in each message")
    parser.add_argument("--lines", type=int, default=10, help="in each context, on average")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "dsrhub.settings",
                "DATABASE_URL": server.url,
                "DSRHUB_SECRET_KEY": "a key for tests only, which protects nothing",
                "DSRHUB_ALLOWED_HOSTS": "localhost",
                "DSRHUB_HTTPS": "false",
                "DSRHUB_DATA_DIR": folder,
            }
            server.start()
            django.setup()
            call_command("migrate", verbosity=0)
            run(server.url, Path(folder), options.contexts, options.lines)
    finally:
        server.remove()
    say("All checks passed.")


def run(url: str, folder: Path, contexts: int, lines: int) -> None:
    # Django must be set up before models are imported.
    message_delete = import_module("catalogue.dsrs.services").message_delete
    catalogue_refresh = import_module("catalogue.resources.services").catalogue_refresh

    def written(message: SampleMessage, seed: int = 1) -> Path:
        (path,) = message_write(folder, message, seed=seed, lines=contexts * lines)
        return path

    messages = [with_offers(message) for message in message_list(1 + AT_ONCE, dsrs=contexts)]
    first, *others = map(written, messages)
    step(url, "import", lambda: imported(first))
    check(contexts, messages=1)
    step(url, f"{AT_ONCE} imports at once", lambda: imported(*others))
    check(contexts, messages=1 + AT_ONCE)
    again = written(replace(messages[0], number=9), seed=2)
    step(url, "import of a replacement", lambda: imported(again, options=("--replace",)))
    check(contexts, messages=1 + AT_ONCE)
    number = value_of("SELECT min(id) FROM catalogue_reportmessage")
    step(url, "deletion", lambda: message_delete(message_number=number))
    step(url, "refresh after the deletion", catalogue_refresh)
    check(contexts, messages=AT_ONCE)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_dsr SET is_catalogued = false")
    step(url, "registering all resources again", catalogue_refresh)
    check(contexts, messages=AT_ONCE)


def with_offers(message: SampleMessage) -> SampleMessage:
    """The message with an offer of its own for each context."""
    contexts = [
        replace(context, sales=replace(context.sales, offer=f"Partner{context.summary_id}"))
        for context in message.contexts
    ]
    return replace(message, contexts=contexts)


def imported(*paths: Path, options: Sequence[str] = ()) -> None:
    """Import each file in a process of its own, all at once."""
    command = [sys.executable, "manage.py", "import_dsr", *options]
    running = [
        subprocess.Popen(
            [*command, str(path)], cwd=PROJECT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for path in paths
    ]
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors


def step(url: str, name: str, work: Callable[[], Any]) -> None:
    with most_locks(url) as most:
        started = time.monotonic()
        work()
        seconds = time.monotonic() - started
    say(f"{name}: {seconds:,.1f} s, at most {most[0]:,} locks")


@contextmanager
def most_locks(url: str) -> Iterator[list[int]]:
    """The most locks in the shared memory of the server during the block, counted many times a second."""
    most, ended = [0], threading.Event()

    def watch() -> None:
        with closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
            database.autocommit = True
            while not ended.wait(PAUSE):
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT fastpath")
                most[0] = max(most[0], cursor.fetchone()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def check(contexts: int, messages: int) -> None:
    """Every context of the messages is there and adds up, and nothing else is."""
    rows = {
        "messages": "SELECT count(*) FROM catalogue_reportmessage",
        "contexts": "SELECT count(*) FROM catalogue_dsr WHERE status = 'ingested'",
        "lines": "SELECT sum(line_count) - (SELECT count(*) FROM catalogue_usageline) FROM catalogue_dsr",
        "not adding up": """
            SELECT count(*) FROM catalogue_dsr AS dsr LEFT JOIN (
                SELECT dsr_id, sum(revenue) AS revenue FROM catalogue_usageline GROUP BY dsr_id
            ) AS line ON dsr.id = dsr_id
            WHERE coalesce(revenue, 0) + unallocated_revenue <> declared_revenue
        """,
        "resources not registered": """
            SELECT count(DISTINCT (dsp, dsp_id)) - (SELECT count(*) FROM catalogue_resource)
            FROM catalogue_usageline JOIN catalogue_dsr AS dsr ON dsr.id = dsr_id
        """,
        "left over": "SELECT count(*) FROM catalogue_leftoverlines",
    }
    found = {name: value_of(statement) for name, statement in rows.items()}
    assert found == dict.fromkeys(rows, 0) | {"messages": messages, "contexts": contexts * messages}, found


def value_of(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


if __name__ == "__main__":
    main()
