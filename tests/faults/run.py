"""Faults during imports: after each fault, every DSR is complete or absent, and the next import works.

    python -m tests.faults.run [--times 30] [--seed N] [--only killed ...]

The program starts its own PostgreSQL in a temporary folder, with the programs of the embedded server. There are two
editions of each report. Every fault hits an import that replaces one edition by the other. The first failed check ends
the run.
"""

import http.client
import io
import json
import logging
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import django
import psycopg2
from django.core.management import call_command
from django.db import connections

from catalogue.reports.samples.reports import sample_list, sample_write
from tests.faults.program import Fault, parser_of, trial_of, try_each
from tests.faults.server import PATIENCE, PAUSE, Server
from tests.faults.state import assert_catalogued, ingested, used
from tests.printing import say

PROJECT = Path(__file__).resolve().parent.parent.parent
# Two reports share a table, and the others have their own tables. That of the first report is larger than 1.5 MiB.
LINE_COUNTS = (14_000, 1_000, 6_000, 5_000, 1_000, 5_000)
SHARED_PARTITION_BYTES = 200_000
CSRF_TOKEN = "a" * 32
MEBIBYTE = 1024 * 1024


# Lines that are left to a later run are expected, so they need no log.
logging.disable(logging.WARNING)


def main() -> None:
    meaning = "how often an import is killed; others in proportion"
    options = parser_of(__doc__, FAULTS, times=30, meaning=meaning).parse_args()
    with trial_of(Trial, Server(), options.seed) as trial:
        try_each(trial, FAULTS, options.only, lambda fault: max(1, options.times * SHARES.get(fault.__name__, 5) // 30))
    if not options.only:
        # Django cannot change its database: what else is tried has a process of its own.
        more = [sys.executable, "-m", "tests.faults.mixed", f"--times={max(1, options.times // 3)}"]
        subprocess.run([*more, f"--seed={options.seed}"], check=True)
    say("All checks passed.")


class Trial:
    """A server and two editions of the reports, one of which is imported."""

    def __init__(self, server: Server, folder: Path, random: Random) -> None:
        self.server, self.random = server, random
        self.editions = [folder / "first", folder / "second"]
        for edition in self.editions:
            edition.mkdir()
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "dsrhub.settings",
            "DATABASE_URL": server.url,
            "DSRHUB_SECRET_KEY": "a key for tests only, which protects nothing",
            "DSRHUB_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "DSRHUB_HTTPS": "false",
            "DSRHUB_SHARED_PARTITION_BYTES": str(SHARED_PARTITION_BYTES),
            # What is replaced is dropped: then every line belongs to a DSR, or is to be dropped.
            "DSRHUB_SUPERSEDED_DAYS": "0",
            "DSRHUB_DATA_DIR": str(folder / "data"),
        }
        os.environ |= self.environment
        server.start()
        django.setup()
        self.write_editions()
        self.names = sorted(path.name for path in self.editions[0].iterdir())
        self.prepare()
        self.import_all(self.editions[0])
        # The duration of an import that replaces another, from its first statement to its end.
        with self.importing() as process:
            started = time.monotonic()
            process.communicate()
            self.seconds = time.monotonic() - started
        self.count: Counter[str] = Counter()

    def write_editions(self) -> None:
        for seed, edition in enumerate(self.editions):
            for sample, lines in zip(sample_list(len(LINE_COUNTS)), LINE_COUNTS, strict=True):
                sample_write(edition, sample, seed=seed, lines=lines, recordings=2 * lines)

    def run(self, fault: Fault, times: int) -> None:
        started = time.monotonic()
        self.count.clear()
        for _ in range(times):
            # The new edition is the one that is not imported.
            self.editions.reverse()
            fault(self)
            self.assert_whole()
        what = ", ".join(f"{name} {count}" for name, count in sorted(self.count.items()))
        say(f"{fault.__doc__} Run {times} times in {time.monotonic() - started:,.0f} s: {what}")

    def assert_whole(self) -> None:
        """Every DSR is complete, a refresh brings the catalogue up to date, and the next import works."""
        assert_idle(self.server.url)
        found = ingested(self.server.url, self.editions)
        news = sum(edition == self.new for edition in found.values())
        self.count[f"{news} of {len(self.names)} replaced"] += 1
        self.manage("refresh_catalogue")
        assert ingested(self.server.url, self.editions) == found
        assert_catalogued(self.server.url, found)
        self.import_all(self.new)
        self.count["DSRs compared with their files"] += 2 * len(found) + len(self.names)

    def prepare(self) -> None:
        """Make the tables."""
        self.manage("migrate", "--verbosity=0")

    @property
    def new(self) -> Path:
        return self.editions[1]

    def manage(self, *arguments: str) -> None:
        """A command in this process, which is faster than a new process."""
        call_command(*arguments, stdout=io.StringIO())
        connections.close_all()

    def import_all(self, edition: Path) -> None:
        self.manage("import_dsr", "--replace", str(edition))
        # Drop the lines that an import could not drop because another one was reading.
        self.manage("refresh_catalogue")
        found = ingested(self.server.url, self.editions)
        assert found == dict.fromkeys(self.names, edition)
        assert_catalogued(self.server.url, found)

    @contextmanager
    def importing(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """An import of the new edition, by `import_dsr` or another command, which has connected to the database."""
        with watching(self.server.url) as cursor:
            before = backends(cursor)
            process = self.popen(*(command or ("import_dsr", "--replace", str(self.new))), **environment)
            while backends(cursor) == before and process.poll() is None:
                time.sleep(PAUSE / 5)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait(self, part: float = 1) -> None:
        """Wait until a random moment of an import, or of its first part."""
        time.sleep(self.random.uniform(0, part * self.seconds))

    def ended(self, process: subprocess.Popen[str]) -> None:
        """Wait for the end of an import, which may have failed, but with no traceback."""
        _, errors = process.communicate(timeout=PATIENCE)
        self.count["imports that reported an error" if process.returncode else "imports that succeeded"] += 1
        assert "Traceback" not in errors, errors

    @contextmanager
    def serving(self) -> Iterator[int]:
        """A server as in a container. Yields its port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config=python:dsrhub.gunicorn",
                f"--bind=127.0.0.1:{port}",
                "--workers=1",
                "dsrhub.wsgi",
            ],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    assert get(port, "/healthz") == (200, b"ok\n")
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the server does not start"
                    time.sleep(PAUSE)
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def sign_in(self) -> dict[str, str]:
        """The token and the session of a superuser."""
        code = (
            "from django.contrib.auth.models import User; from django.test import Client;"
            "from dsrhub.access.tokens import token_create;"
            "user = User.objects.filter(username='a').first() or User.objects.create_superuser('a', password='a');"
            "client = Client(); client.force_login(user);"
            "token = token_create(user=user, name='faults', created_by=user);"
            "print(token.key, client.cookies['sessionid'].value)"
        )
        out = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        token, session = out.split()
        return {"token": token, "session": session}


# --- The faults ------------------------------------------------------------------------------------------------


def killed(trial: Trial) -> None:
    """An import killed at a random moment."""
    with trial.importing() as process:
        trial.wait()
        process.kill()


def stopped(trial: Trial) -> None:
    """PostgreSQL stopped (fast shutdown) and started during an import."""
    _stop_and_start(trial, signal.SIGINT)


def crashed(trial: Trial) -> None:
    """PostgreSQL stopped (immediate shutdown, like a crash) and started during an import."""
    _stop_and_start(trial, signal.SIGQUIT)


def _stop_and_start(trial: Trial, how: signal.Signals) -> None:
    with trial.importing() as process:
        trial.wait()
        trial.server.stop(how)
        trial.server.start()
        trial.ended(process)


def disk_full(trial: Trial) -> None:
    """Files of the database limited in size, like a full disk."""
    with watching(trial.server.url) as cursor:
        # The system's own tables grow with every import. They must stay below the limit.
        cursor.execute("VACUUM FULL")
    trial.server.stop()
    # COPY of the first report always fails, and that of the others rarely.
    trial.server.start(largest_file=trial.random.randrange(MEBIBYTE, 3 * MEBIBYTE // 2))
    _import_without_room(trial)
    # The server cannot write all its buffers to the disk, but the write-ahead log has the changes.
    trial.server.stop(signal.SIGQUIT)
    trial.server.start()


def disk_filled(trial: Trial) -> None:
    """Little space left on the disk, also for the write-ahead log."""
    if not trial.server.user:
        trial.count["skipped, as it needs root"] += 1
        return
    with trial.server.disk_filled(but_for=trial.random.randrange(10 * MEBIBYTE)):
        _import_without_room(trial)
    trial.server.stop(signal.SIGQUIT)
    trial.server.start()


def _import_without_room(trial: Trial) -> None:
    log_before = len(trial.server.log())
    trial.ended(trial.popen("import_dsr", "--replace", str(trial.new)))
    log = trial.server.log()[log_before:]
    for word, meaning in (("COPY ", "a COPY failed"), ("PANIC", "the write-ahead log failed")):
        trial.count[meaning] += any(word in line for line in log.splitlines())


def timed_out(trial: Trial) -> None:
    """An import with a statement timeout."""
    milliseconds = int(1.5 ** trial.random.uniform(0, 18))
    with trial.importing(PGOPTIONS=f"-c statement_timeout={milliseconds}") as process:
        trial.ended(process)


def worker_ended(trial: Trial) -> None:
    """A worker stopped or killed at a random moment, and another one that continues its jobs."""
    # Imported late, as models need a Django that is set up.
    queue = import_module("tests.faults.queue").Queue(sorted(trial.new.iterdir()))
    how = trial.random.choice([signal.SIGTERM, signal.SIGKILL])
    worker = trial.popen("worker")
    try:
        queue.wait_for_worker()
        trial.wait(part=0.5)
        worker.send_signal(how)
        _, errors = worker.communicate(timeout=PATIENCE)
    finally:
        worker.kill()
    assert worker.returncode == (0 if how == signal.SIGTERM else -how)
    assert "Traceback" not in errors, errors
    trial.count[f"{how.name} with {queue.done()} jobs done"] += 1
    queue.finish()


def sender_killed(trial: Trial) -> None:
    """A worker killed while it sends events beside another one, and a third that continues."""
    webhooks = import_module("tests.faults.webhooks")
    with webhooks.Receiver().listening() as receiver:
        outbox = webhooks.Outbox(receiver, trial.random)
        workers = [trial.popen("worker", **webhooks.ENVIRONMENT) for _ in range(2)]
        try:
            outbox.wait_for(trial.random.randrange(1, len(outbox.events)))
            workers[0].kill()
            outbox.wait_for(trial.random.randrange(1, len(outbox.events)))
            workers[1].kill()
            workers.append(trial.popen("worker", **webhooks.ENVIRONMENT))
            trial.count["events that came twice"] += outbox.finish()
            trial.count["events that came"] += len(outbox.events)
            workers[2].terminate()
            _, errors = workers[2].communicate(timeout=PATIENCE)
            assert "Traceback" not in errors, errors
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()


def watcher_killed(trial: Trial) -> None:
    """A watcher of a drop folder killed at a random moment, and another one that continues."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(shutil.copytree(trial.new, Path(parent, "incoming")))
        command = "watch", str(folder), "--replace", "--rest-seconds=0", "--once"
        with trial.importing(*command) as process:
            trial.wait()
            process.kill()
        trial.count["deliveries moved before"] += len(list(folder.glob("done/*/result.json")))
        trial.count["deliveries in work"] += len(list(folder.glob("importing/*")))
        assert_idle(trial.server.url)
        trial.ended(trial.popen(*command))
        # Each file was moved once, and none is left anywhere else.
        results = {"result.json", "result.txt"}
        found = {path for path in folder.rglob("*") if path.is_file() and path.name not in results}
        assert sorted(path.name for path in found) == trial.names
        assert {path.relative_to(folder).parts[0] for path in found} == {"done"}
    assert ingested(trial.server.url, trial.editions) == dict.fromkeys(trial.names, trial.new)


def cut(trial: Trial) -> None:
    """Connections cut off during responses and uploads."""
    url = trial.server.url
    with watching(url) as cursor:
        cursor.execute("SELECT id FROM catalogue_dsr ORDER BY line_count DESC LIMIT 1")
        number = cursor.fetchone()[0]
    with trial.serving() as port:
        keys = trial.sign_in()
        lines = f"/dsrs/{number}/lines?limit=10000"
        whole = get(port, lines)
        form = f"resource=1&format=1&percentile=100&csrfmiddlewaretoken={CSRF_TOKEN}".encode()
        cookies = f"Cookie: sessionid={keys['session']}; csrftoken={CSRF_TOKEN}"
        upload = multipart(trial.new / trial.names[0])
        token = f"Authorization: Token {keys['token']}"
        requests = [
            request("GET", lines),
            request("GET", "/resources/percentile/100"),
            request(
                "POST",
                f"/admin/catalogue/dsr/export/?id={number}",
                form,
                cookies,
                "Content-Type: application/x-www-form-urlencoded",
            ),
            request("POST", "/dsrs/", upload, token, f"Content-Type: {FORM}"),
        ]
        for sent in requests:
            is_upload = sent is requests[-1]
            for _ in range(5):
                _cut_off(trial, port, sent, is_upload)
                trial.count["uploads cut" if is_upload else "responses cut"] += 1
        assert get(port, lines) == whole
        assert_idle(url)


def _cut_off(trial: Trial, port: int, sent: bytes, is_upload: bool) -> None:
    """Send a request and cut the connection during the upload or the response."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(sent[: trial.random.randrange(300, len(sent))] if is_upload else sent)
        if not is_upload:
            assert client.recv(20).startswith(b"HTTP/1.1 200")
            client.recv(trial.random.randrange(1, 100_000))
        # Reset the connection instead of closing it.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def crowd(trial: Trial) -> None:
    """Two servers, uploads to both and three importers of both editions at once."""
    ended, faults = threading.Event(), []

    def repeat(step: Callable[..., str | None], *arguments: Any) -> None:
        while not ended.is_set():
            faults.append(step(trial, *arguments))

    with trial.serving() as one, trial.serving() as other:
        key = trial.sign_in()["token"]
        threads = [threading.Thread(target=repeat, args=[_ask, port]) for port in (one, other)]
        threads += [threading.Thread(target=repeat, args=[_upload, port, key]) for port in (one, other)]
        for thread in threads:
            thread.start()
        editions = [trial.new, trial.editions[0], trial.new]
        importers = [trial.popen("import_dsr", "--replace", str(edition)) for edition in editions]
        try:
            for importer in importers:
                _, errors = importer.communicate(timeout=5 * PATIENCE)
                assert importer.returncode == 0, errors
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    assert not any(faults), [fault for fault in faults if fault]


def _ask(trial: Trial, port: int) -> str | None:
    """The error in the ranking of a territory with one report, if any. It must be that of either edition."""
    territories = [name.split("_")[-3] for name in trial.names]
    name, territory = next(
        pair for pair in zip(trial.names, territories, strict=True) if territories.count(pair[1]) == 1
    )
    status, body = get(port, f"/resources/percentile/100?territory={territory}")
    trial.count["rankings compared"] += 1
    if status != HTTPStatus.OK:
        return f"a ranking with status {status}"
    found = frozenset((one["dsp_id"], one.get("usages", 0)) for one in json.loads(body))
    return None if found in [used(edition / name) for edition in trial.editions] else "a ranking of neither edition"


def _upload(trial: Trial, port: int, key: str) -> str | None:
    """The error in the response to an upload of either edition of a report, if any."""
    status = post(port, multipart(trial.random.choice(trial.editions) / trial.names[0]), key)
    trial.count["uploads"] += 1
    return None if status in (HTTPStatus.OK, HTTPStatus.CREATED) else f"an upload with status {status}"


FAULTS: list[Fault] = [killed, stopped, crashed, disk_full, disk_filled, timed_out]
FAULTS += [worker_ended, watcher_killed, sender_killed, cut, crowd]
# How often each fault happens while an import is killed 30 times.
SHARES = {
    "killed": 30,
    "timed_out": 10,
    "disk_full": 8,
    "disk_filled": 10,
    "worker_ended": 10,
    "sender_killed": 10,
    "watcher_killed": 10,
    "crowd": 2,
    "cut": 2,
}


# --- Helpers ---------------------------------------------------------------------------------------------------

FORM = "multipart/form-data; boundary=a-line-that-no-file-has"


def assert_idle(url: str) -> None:
    """Wait until the database does no more work for clients that are gone."""
    with watching(url) as cursor:
        deadline = time.monotonic() + PATIENCE
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                "AND state <> 'idle' AND pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0,):
                break
            assert time.monotonic() < deadline, "the database still works for clients that are gone"
            time.sleep(PAUSE)


@contextmanager
def watching(url: str) -> Iterator[Any]:
    """A cursor in autocommit mode. In a transaction, the server's statistics of connections would stay the same."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def backends(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    return int(cursor.fetchone()[0])


def get(port: int, path: str) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    client.request("GET", path)
    response = client.getresponse()
    answer = response.status, response.read()
    client.close()
    return answer


def post(port: int, body: bytes, token: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    client.request("POST", "/dsrs/", body, {"Authorization": f"Token {token}", "Content-Type": FORM})
    status = client.getresponse().status
    client.close()
    return status


def multipart(path: Path) -> bytes:
    line = b"--" + FORM.partition("=")[2].encode()
    head = b'Content-Disposition: form-data; name="%s"'
    return b"\r\n".join(
        [
            line,
            head % b"replace",
            b"",
            b"true",
            line,
            head % b"file" + b'; filename="%s"' % path.name.encode(),
            b"",
            path.read_bytes(),
            line + b"--",
            b"",
        ]
    )


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


if __name__ == "__main__":
    main()
