"""The upgrade of a hub of the first release that is in use.

    python -m tests.faults.upgrade [--lines 1000000] [--records 300000] [--release REVISION]

The program takes the code of the first release out of the repository, starts its own PostgreSQL, and fills it with that
code: DSRs, import jobs in every state with their files, tokens, subscriptions and usage. Then it runs `migrate` of this
version while a server and a worker of the first release go on, and programs ask that server. After it, servers and
workers of both releases run side by side and import. At the end, only this version runs, and the database is dumped
and restored as `docs/operation.md` says.

All answers must be as before, in each of these states; no question may fail. The first failed check ends the run. The
program prints seconds and peak memory.
"""

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.faults.server import Server, binaries
from tests.printing import say

PROJECT = Path(__file__).resolve().parent.parent.parent
FIRST_RELEASE = "0b1a100d4c95af830f47f400cc6aca4d9afca527"
PATIENCE = 600
DISK_BYTES = 8 * 1024**3
SMALL, LARGE = 20, 10
PASSWORD = "a password for tests only"

# What the first release answers, and this one answers equally; it may add fields.
QUESTIONS = (
    "/dsrs/?limit=100",
    *(f"/resources/percentile/{number}" for number in (1, 10, 50, 90)),
    "/resources/percentile/100?territory=ES",
    "/resources/percentile/50?period_start=2019-01-01&period_end=2021-12-31",
    "/dsrs/1/lines?limit=1000",
    "/subscriptions/usage/?from=2026-01-01&to=2026-03-31",
    "/subscriptions/over-limit/?price_limit=10&limit=1000",
)
GRAPHQL = """{
  dsrs(first: 100) { edges { node { id path sha256 lineCount totalUsages totalRevenue totalRevenueEur exchangeRate } } }
  resources(first: 100) { edges { node { dsp dspId title artists isrc usages revenueEur } } }
  statistics(groupBy: TERRITORY) { edges { node { territory { code2 } dsrCount lineCount usages revenueEur } } }
  subscriptions(first: 100) { edges { node { id carrier status } } }
}"""
# One job in each state, as people and workers of the first release leave them.
JOBS = """
from pathlib import Path
from django.conf import settings
from django.contrib.auth.models import User
from catalogue.import_jobs import *
from catalogue.models import ImportJob
from rest_framework.authtoken.models import Token

user = User.objects.create_superuser("ada", password={password!r})
Token.objects.create(user=user, key="a" * 40)
HEADER = "dsp_id\\ttitle\\tartists\\tisrc\\tusages\\trevenue\\n"

def add(state, day, lines):
    name = f"Spotify_Jobs_ES_EUR_202001{{day:02}}-202001{{day:02}}.tsv"
    path = Path(settings.DSRHUB_UPLOAD_DIR, state)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + lines)
    return import_job_add(upload=upload_begin(), path=path, name=name, user=user)

good = "x\\tTitle\\tAda\\t\\t2\\t0.5\\n"
done, abandoned, refused, checked, to_load = (
    add("done", 1, good), add("abandoned", 2, good), add("refused", 3, "x\\tTitle\\tAda\\t\\ttwo\\t0.5\\n"),
    add("checked", 4, good), add("to_load", 5, good),
)
import_jobs_work()
for job in (done, to_load):
    job.refresh_from_db()
    import_job_confirm(job=job, replace=False, user=user)
    if job is done:
        import_jobs_work()
abandoned.refresh_from_db()
import_job_abandon(job=abandoned)
add("to_check", 6, good)
"""
REMOVE = """
from catalogue.dsrs.services import dsr_delete
from catalogue.models import DSR
for dsr in DSR.objects.filter(pk__gt={newest}):
    dsr_delete(dsr_number=dsr.pk)
"""
STATES = "SELECT state FROM catalogue_importjob ORDER BY id"
AS_LEFT = ["done", "abandoned", "refused", "checked", "to_load", "to_check"]
AS_WORKED = ["done", "abandoned", "refused", "checked", "done", "checked"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of all DSRs together")
    parser.add_argument("--records", type=int, default=300_000, help="of usage")
    parser.add_argument("--release", default=FIRST_RELEASE, help="the revision to upgrade from")
    options = parser.parse_args()
    server = Server(DISK_BYTES)
    try:
        with tempfile.TemporaryDirectory() as folder:
            server.start()
            old = Release(extracted(options.release, Path(folder, "old")), server.url, Path(folder))
            upgrade(old, Release(PROJECT, server.url, Path(folder)), options)
    finally:
        server.remove()


def extracted(revision: str, folder: Path) -> Path:
    """The code of a revision, in a folder of its own."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", revision], cwd=PROJECT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive, check=True)
    return folder


def check(condition: object, what: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {what}")


class Release:
    """The code of a release, and the processes that run it on one database."""

    def __init__(self, code: Path, database: str, folder: Path) -> None:
        self.code, self.folder, self.database = code, folder, database
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "dsrhub.settings",
            "DSRHUB_SECRET_KEY": "a key for tests only, which protects nothing, of 60 characters",
            "DSRHUB_ALLOWED_HOSTS": "127.0.0.1",
            "DSRHUB_HTTPS": "false",
            "DSRHUB_DATA_DIR": str(folder),
            "DSRHUB_UPLOAD_DIR": str(folder / "uploads"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def manage(self, *arguments: str) -> str:
        """Run a command, which must succeed. Return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.code,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        check(done.returncode == 0, f"{' '.join(arguments)[:100]}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
        return done.stdout

    @contextmanager
    def running(self, *program: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """A process with the log in a file. It must still run at the end, and ends in order."""
        with tempfile.TemporaryFile("w+", dir=self.folder) as log:
            process = subprocess.Popen(
                [sys.executable, *program],
                cwd=self.code,
                env={**self.environment, **variables},
                stdout=log,
                stderr=log,
                text=True,
            )
            process.log = log  # type: ignore[attr-defined]
            try:
                yield process
                check(process.poll() is None, f"{program} has ended")
            except BaseException:
                say(printed(process)[-5000:])
                raise
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of a server."""
        options = {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0 --workers 1"}
        with self.running("-m", "dsrhub.entrypoint", "serve", **options) as process:
            deadline = time.monotonic() + PATIENCE
            while not (found := re.search(r"Listening at: (http://[\d.:]+)", printed(process))):
                check(process.poll() is None and time.monotonic() < deadline, f"no server: {printed(process)}")
                time.sleep(0.1)
            yield found[1]

    def working(self) -> Any:
        return self.running("manage.py", "worker")


def printed(process: Any) -> str:
    process.log.seek(0)
    return str(process.log.read())


# --- Questions -------------------------------------------------------------------------------------------------


def ask(url: str, body: bytes | None = None) -> Any:
    headers = {"Authorization": f"Token {'a' * 40}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - an address of this machine
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: {error.code}: {error.read().decode()[:1000]}") from error


def answers(address: str) -> dict[str, Any]:
    found = {question: ask(address + question) for question in QUESTIONS}
    found["graphql"] = ask(f"{address}/graphql/", json.dumps({"query": GRAPHQL}).encode())
    check("errors" not in found["graphql"], f"GraphQL: {found['graphql']}")
    return found


def missing(before: Any, now: Any, where: str = "") -> list[str]:
    """What is no more as it was. Fields may have come."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [one for key in before for one in missing(before[key], now.get(key), f"{where}.{key}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [one for number, pair in enumerate(zip(before, now, strict=True))
                for one in missing(*pair, f"{where}[{number}]")]  # fmt: skip
    return [] if before == now else [f"{where}: {str(before)[:200]} is now {str(now)[:200]}"]


def compare(before: dict[str, Any], now: dict[str, Any], when: str) -> None:
    different = missing(before, now)
    check(not different, f"{when}: {len(different)} differences, such as {different[:5]}")
    say(f"  {when}: {len(before)} answers as before")


class Asking(threading.Thread):
    """A program that asks again and again. Any failure ends the run when it is stopped."""

    def __init__(self, address: str, question: str) -> None:
        super().__init__(daemon=True)
        self.address, self.question = address, question
        self.stopping, self.failures, self.slowest, self.count = threading.Event(), [], 0.0, 0

    def run(self) -> None:
        while not self.stopping.is_set():
            started = time.monotonic()
            try:
                ask(self.address + self.question)
            except (OSError, ValueError) as error:
                self.failures.append(f"{self.question}: {error}")
            self.slowest, self.count = max(self.slowest, time.monotonic() - started), self.count + 1


@contextmanager
def asked(address: str, when: str) -> Iterator[None]:
    programs = [Asking(address, question) for question in (QUESTIONS[0], QUESTIONS[2], QUESTIONS[8])]
    for program in programs:
        program.start()
    yield
    for program in programs:
        program.stopping.set()
        program.join(PATIENCE)
    failures = [one for program in programs for one in program.failures]
    check(not failures, f"{when}: {len(failures)} questions failed, such as {failures[:3]}")
    count, slowest = sum(one.count for one in programs), max(one.slowest for one in programs)
    say(f"  {when}: {count:,} questions beside it, all answered; the slowest took {slowest:.1f} s")


# --- The upgrade -----------------------------------------------------------------------------------------------


def upgrade(old: Release, new: Release, options: argparse.Namespace) -> None:
    fill(old, options)
    check(states(old) == AS_LEFT, f"the jobs are {states(old)}")
    with ExitStack() as old_running:
        address = old_running.enter_context(old.serving())
        before = answers(address)
        with asked(address, "during migrate"), timed("migrate"):
            new.manage("migrate", "--verbosity", "0")
        compare(before, answers(address), "a server of the first release, after migrate")
        beside(old, new, address, before)
    only_new(new, before)
    restored(new, before)
    say("Everything is as before.")


def fill(old: Release, options: argparse.Namespace) -> None:
    reports, usage = old.folder / "reports", old.folder / "usage"
    share = options.lines // (LARGE + 1)
    with timed("filling with the first release"):
        old.manage("migrate", "--verbosity", "0")
        old.manage("generate_dsrs", str(reports / "large"), "--dsrs", str(LARGE), "--lines", str(share))
        old.manage("generate_dsrs", str(reports / "small"), "--dsrs", str(LARGE + SMALL), "--lines", "500")
        for path in (reports / "large").iterdir():
            (reports / "small" / path.name).unlink(missing_ok=True)
        old.manage("import_dsr", str(reports / "large"), str(reports / "small"))
        old.manage("refresh_catalogue")
        old.manage("generate_usage", str(usage), "--records", str(options.records), "--subscriptions", "2000")
        for path in sorted(usage.iterdir()):
            old.manage("import_usage", str(path))
        old.manage("refresh_usage")
        old.manage("shell", "-c", JOBS.format(password=PASSWORD))


def beside(old: Release, new: Release, address: str, before: dict[str, Any]) -> None:
    """Servers and workers of both releases at once: each imports, and both answer as before and alike."""
    with new.serving() as new_address:
        compare(before, answers(new_address), "a server of this version beside it")
        with new.working(), old.working():
            wait_for_jobs(new)
            for release, day in ((old, "20190101"), (new, "20190102")):
                release.manage("import_dsr", str(report_of(day, new.folder)))
            new.manage("import_dsr", str(next((PROJECT / "data").glob("DSR_*"))))
        days = "period_start=2019-01-01&period_end=2019-01-02"
        both = [ask(f"{one}/resources/percentile/100?{days}") for one in (address, new_address)]
        check([[one["dsp_id"] for one in answer] for answer in both] == [["new"], ["new"]], f"both answer {both}")
        check(not missing(*both), f"a server of the first release and one of this version: {missing(*both)}")
        say("  beside each other: both releases import, and both answer alike")
    # All answers are as before when what came since is removed.
    newest = max(dsr["id"] for dsr in before[QUESTIONS[0]])
    new.manage("shell", "-c", REMOVE.format(newest=newest))


def report_of(day: str, folder: Path) -> Path:
    path = folder / f"Beside_Duo_NO_EUR_{day}-{day}.tsv"
    path.write_text("dsp_id\ttitle\tartists\tisrc\tusages\trevenue\nnew\tTitle\tAda\t\t2\t0.5\n")
    return path


def only_new(new: Release, before: dict[str, Any]) -> None:
    with timed("refresh_catalogue"):
        new.manage("refresh_catalogue")
    new.manage("forget_old_tokens")
    new.manage("refresh_usage", "--check")
    with new.serving() as address, new.working():
        compare(before, answers(address), "this version alone")


def restored(new: Release, before: dict[str, Any]) -> None:
    """Dump and restore as the documentation says, into a second database of the same server."""
    dump = new.folder / "dsrhub.dump"
    other = new.database.rpartition("/")[0] + "/restored"
    with timed("pg_dump"):
        postgres("pg_dump", "--format=custom", "--no-owner", "--no-unlogged-table-data", f"--file={dump}", new.database)
    with timed("restore"):
        postgres("createdb", f"--maintenance-db={new.database}", "restored")
        postgres(
            "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", f"--dbname={other}", str(dump)
        )  # fmt: skip
        postgres("vacuumdb", "--quiet", "--analyze-only", other)
    again = Release(PROJECT, other, new.folder)
    again.manage("migrate", "--check")
    again.manage("refresh_catalogue")
    with again.serving() as address:
        compare(before, answers(address), "the restored database")


def postgres(program: str, *arguments: str) -> None:
    done = subprocess.run([str(binaries() / program), *arguments], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{program}: {done.stderr[-2000:]}")


def states(release: Release) -> list[str]:
    with psycopg2.connect(release.database) as connection, connection.cursor() as cursor:
        cursor.execute(STATES)
        return [state for (state,) in cursor.fetchall()]


def wait_for_jobs(release: Release) -> None:
    deadline = time.monotonic() + PATIENCE
    while states(release) != AS_WORKED:
        check(time.monotonic() < deadline, f"the jobs stay {states(release)}")
        time.sleep(0.2)
    say("  the workers have done what waited")


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(f"{what}: {time.monotonic() - started:.1f} s; the largest process so far had {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
