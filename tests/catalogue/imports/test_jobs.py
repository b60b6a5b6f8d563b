"""The import queue: each job is done once, with any number of workers, also if a worker is killed."""

import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as product
from django.contrib.admin.models import LogEntry
from django.db import connection

from catalogue.exceptions import ImportJobChanged
from catalogue.imports.queue import progress as progress_module
from catalogue.imports.queue import worker
from catalogue.imports.queue.jobs import import_job_add, import_job_confirm, import_job_discard
from catalogue.imports.queue.progress import Deadline, StepProgress, WorkerProgress
from catalogue.imports.queue.selectors import WORKER, JobProgress, job_progress, jobs_in_work
from catalogue.imports.queue.worker import MOST_TRIES, job_step_run, queue_drain, worker_lives
from catalogue.models import DSR, ImportJob, UsageLine
from catalogue.reports.formats.tsv.name import parse_report_name
from dsrhub.database import locks
from tests.catalogue.helpers import NO_JANUARY, line, line_storage, other_transaction, write_report
from tests.processes import environment
from tests.waiting import PATIENCE, wait_for_lock_waiter, wait_until, wait_until_alone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    settings.DSRHUB_UPLOAD_DIR.mkdir()
    return settings.DSRHUB_UPLOAD_DIR


@pytest.fixture
def job(uploads, admin_user):
    """A job whose report is to be checked."""
    return add_job(uploads, admin_user, NO_JANUARY, line("a", revenue="1"))


def add_job(uploads, user, name, *lines):
    path = write_report(uploads, name, *lines)
    return import_job_add(upload="u", path=path, name=name, user=user)


class Stops(StepProgress):
    """Stops the step at the nth chunk of the file."""

    def __init__(self, at):
        self.left = at

    def is_over(self):
        return self.left <= 0

    def __call__(self, byte_count):
        self.left -= 1
        super().__call__(byte_count)


def lock_key(cursor, name):
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [locks.DSR_KEY.key(**asdict(parse_report_name(name)))]
    )


def test_a_job_of_a_look_alike_is_refused_at_its_check_or_at_its_load(job, uploads, admin_user):
    other = add_job(uploads, admin_user, NO_JANUARY.replace("Duo", "DUO"), line("a", revenue="2"))
    queue_drain()
    for one in (job, other):
        one.refresh_from_db()
        import_job_confirm(job=one, replace=False, user=admin_user)
    queue_drain()
    later = add_job(uploads, admin_user, NO_JANUARY.replace("Duo", "duo"), line("a", revenue="3"))
    queue_drain()
    for refused, name in ((other, "SpotifyDUO"), (later, "Spotifyduo")):
        refused.refresh_from_db()
        assert refused.state == ImportJob.State.REFUSED
        assert refused.message.startswith(f"The offer '{name}' looks like 'SpotifyDuo'")
    assert DSR.objects.get().offer == "SpotifyDuo"


# --- Interrupted steps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 3])  # before the first line is sent to the database, and while lines are sent
@pytest.mark.parametrize("step", ["check", "load"])
def test_an_interrupted_step_changes_nothing_and_stays_queued(at, step, uploads, admin_user, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    job = add_job(uploads, admin_user, NO_JANUARY, *(line(f"id{number}", title="t" * 1000) for number in range(5000)))
    if step == "load":
        queue_drain()
        job.refresh_from_db()
        import_job_confirm(job=job, replace=False, user=admin_user)
    before = line_storage()
    assert job_step_run(job=job, progress=Stops(at))
    job.refresh_from_db()
    assert (job.state, job.tries) == ("to_check" if step == "check" else "to_load", 0)
    assert not DSR.objects.exists()
    assert line_storage() == before
    assert queue_drain() == 1
    job.refresh_from_db()
    assert job.state == ("checked" if step == "check" else "done")


def test_a_request_does_not_wait_for_another_import_of_the_same_report(job):
    with other_transaction() as cursor:
        lock_key(cursor, NO_JANUARY)
        assert job_step_run(job=job, progress=Deadline(0.1))
        job.refresh_from_db()
        assert (job.state, job.tries) == ("to_check", 0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_worker_that_is_asked_to_stop_starts_no_job(job):
    assert queue_drain(is_alive=lambda: False) == 0
    job.refresh_from_db()
    assert (job.state, job.tries) == ("to_check", 0)


# --- One at a time ---------------------------------------------------------------------------------------------


def test_a_locked_job_is_skipped_until_its_session_ends(job):
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s), pg_backend_pid()", [locks.IMPORT_JOBS.space, job.pk])
        ((_, session),) = cursor.fetchall()
    assert jobs_in_work() == {job.pk}
    assert queue_drain() == 0
    assert not job_step_run(job=job, progress=Deadline(PATIENCE))
    with pytest.raises(ImportJobChanged, match="is being worked on"):
        import_job_discard(job=job)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [session])  # Waits until the session has ended.
        assert cursor.fetchone() == (True,)
    other.close()
    assert queue_drain() == 1
    assert jobs_in_work() == set()


def test_several_workers_do_each_job_once(uploads, admin_user, in_thread):
    names = [f"Spotify_Offer{number}_ES_EUR_20200101-20200131.tsv" for number in range(8)]
    for name in names:
        add_job(uploads, admin_user, name, line("a", revenue="1"))
    queue_drain()
    for job in ImportJob.objects.all():
        import_job_confirm(job=job, replace=False, user=admin_user)
    workers = [in_thread(queue_drain) for _ in range(3)]
    assert sum(worker.result(PATIENCE) for worker in workers) == 8
    assert set(ImportJob.objects.values_list("state", "tries")) == {("done", 1)}
    assert sorted(DSR.objects.values_list("path", flat=True)) == names
    assert LogEntry.objects.count() == UsageLine.objects.count() == 8


def test_a_job_is_confirmed_once(job, admin_user):
    queue_drain()
    job.refresh_from_db()
    import_job_confirm(job=job, replace=False, user=admin_user)
    with pytest.raises(ImportJobChanged, match="Its state is now “to be loaded”"):
        import_job_confirm(job=job, replace=False, user=admin_user)


# --- Workers that stop, fail or are killed ---------------------------------------------------------------------


@contextmanager
def worker_process(*options):
    """A worker as a process of its own, on the test database. It is killed at the end of the block."""
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker", *options],
        cwd=product.BASE_DIR,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        try:
            yield worker
        finally:
            worker.kill()


def test_the_job_of_a_killed_worker_is_retried_and_done_once(job, admin_user):
    queue_drain()
    job.refresh_from_db()
    import_job_confirm(job=job, replace=False, user=admin_user)
    with other_transaction() as cursor:
        lock_key(cursor, NO_JANUARY)  # The worker waits for this lock in the middle of its job.
        with worker_process():
            wait_for_lock_waiter("advisory")
        job.refresh_from_db()
        assert (job.state, job.tries) == ("to_load", 1)
        assert queue_drain() == 0  # The server has not noticed yet that the client is gone.
    wait_until_alone()
    assert queue_drain() == 1
    job.refresh_from_db()
    assert (job.state, job.tries) == ("done", 2)
    assert DSR.objects.count() == UsageLine.objects.count() == LogEntry.objects.count() == 1


def test_a_worker_works_until_it_is_asked_to_stop(job):
    with worker_process() as worker:
        wait_until(lambda: ImportJob.objects.get().state != "to_check", "the end of the check")
        assert ImportJob.objects.get().state == "checked"
        assert WORKER in jobs_in_work()
        worker.send_signal(signal.SIGTERM)
        assert worker.communicate(timeout=PATIENCE) == ("Waiting for work.\n", None)
        assert worker.returncode == 0


def test_a_worker_ends_with_its_parent():
    with worker_process("--parent", "1") as worker:  # Process 1 is not the parent.
        assert worker.wait(PATIENCE) == 0


def test_a_worker_with_once_ends_after_the_waiting_jobs(job):
    with worker_process("--once") as worker:
        assert worker.wait(PATIENCE) == 0
    job.refresh_from_db()
    assert job.state == "checked"


def test_a_job_is_given_up_after_too_many_tries(job):
    ImportJob.objects.update(tries=MOST_TRIES)
    assert queue_drain() == 1
    job.refresh_from_db()
    assert (job.state, job.message) == ("refused", "Given up after 5 tries, none of which came to an end.")


def test_an_internal_error_stops_one_job_and_not_the_worker(job, uploads, admin_user, monkeypatch, caplog):
    other = add_job(uploads, admin_user, "Spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a"))
    real = worker.delivery_import

    def fails(*, files, **kwargs):
        if files[0].name == NO_JANUARY:
            raise RuntimeError("a bug")
        return real(files=files, **kwargs)

    monkeypatch.setattr(worker, "delivery_import", fails)
    assert queue_drain() == 2
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.state, job.message) == ("refused", "An internal error. The log has the details.")
    assert other.state == "checked"
    assert "a bug" in caplog.text


# --- Progress --------------------------------------------------------------------------------------------------


def test_progress_is_saved_while_the_import_is_in_its_transaction(job, monkeypatch):
    monkeypatch.setattr(progress_module, "NOTE_PAUSE", 0)
    saved = []

    class Seen(WorkerProgress):
        def __call__(self, byte_count):
            super().__call__(byte_count)
            with other_transaction() as cursor:
                cursor.execute("SELECT bytes_done FROM catalogue_importjob")
                saved.append(cursor.fetchone()[0])

    progress = Seen(job, lambda: True)
    job_step_run(job=job, progress=progress)
    progress.close()
    assert saved[-1] == job.size


def test_progress_has_a_rate_and_the_time_left():
    begun = datetime(2020, 1, 1, tzinfo=UTC)
    job = ImportJob(size=1000, bytes_done=250, started_at=begun, state="to_check")
    assert job_progress(job, is_worked_on=True, now=begun + timedelta(seconds=5)) == JobProgress(
        is_worked_on=True, share=0.25, bytes_per_second=50.0, seconds_left=15.0
    )


def test_progress_has_lines_after_the_check_has_counted_them():
    begun = datetime(2020, 1, 1, tzinfo=UTC)
    preview = {"totals": {"line_count": 40}}
    job = ImportJob(size=1000, bytes_done=250, started_at=begun, state="to_load", preview=preview)
    progress = job_progress(job, is_worked_on=True, now=begun + timedelta(seconds=5))
    assert (progress.lines_done, progress.line_count) == (10, 40)


def test_a_worker_is_visible_while_it_lives():
    assert WORKER not in jobs_in_work()
    with worker_lives():
        assert WORKER in jobs_in_work()
    assert WORKER not in jobs_in_work()
