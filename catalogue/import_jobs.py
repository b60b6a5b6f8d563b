"""Imports in the steps that people take: uploaded, checked, confirmed, loaded. A step is done at once or by a worker.

Who works on a job holds its lock: an advisory lock of the database session that does the import. It ends with that
session. So a job is in one pair of hands at a time, and a killed worker's job is free again without anybody having to
guess by the clock whether the worker lives. See docs/decisions/import-queue.md.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Min
from django.utils import timezone

from catalogue.delivery import DamagedDelivery, Delivery
from catalogue.exceptions import DSRExists, ImportJobChanged, InvalidReportName, ReplacementNotChosen
from catalogue.models import DSR, ImportJob
from catalogue.parsing import BOM, Problem, line_blocks, parse_report_name, shown
from catalogue.services import ImportReport, Outcome, dsr_import
from dsrhub.database import locks
from dsrhub.database.statements import execute
from dsrhub.exceptions import DsrhubError
from dsrhub.files import file_sha256
from dsrhub.logs import on_behalf_of, request_id

logger = logging.getLogger(__name__)

# The number of the lock that says that a worker is running: no job has this id.
WORKER = 0
# Who began a step so often did not come to its end: perhaps the file is what kills its workers.
MOST_TRIES = 5
PREVIEW_LINES, PREVIEW_PROBLEMS = 20, 100
# What is told of a problem.
PROBLEM_PARTS = ("level", "code", "line", "column", "value")
# Seconds between two notes of how far a job is.
NOTE_PAUSE = 0.5

State = ImportJob.State


class Interrupted(Exception):
    """A step is left to another: nothing of it has happened."""


class StepProgress:
    """The progress of a step, which also says when whoever does it has to stop."""

    def is_over(self) -> bool:
        raise NotImplementedError

    def __call__(self, byte_count: int) -> None:
        if self.is_over():
            raise Interrupted


class Deadline(StepProgress):
    """Of a step in a request, which must not take longer than some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def is_over(self) -> bool:
        return time.monotonic() >= self._end


class WorkerProgress(StepProgress):
    """Of a step in a worker, which goes on while `is_alive` says so.

    How far the job is, is noted on a connection of its own: what the import writes is not seen before its end.
    """

    def __init__(self, job: ImportJob, is_alive: Callable[[], bool]) -> None:
        self._job, self._is_alive = job, is_alive
        self._connection = connection.copy()
        self._byte_count = 0
        self._noted_at = time.monotonic()

    def is_over(self) -> bool:
        return not self._is_alive()

    def __call__(self, byte_count: int) -> None:
        super().__call__(byte_count)
        self._byte_count += byte_count
        if time.monotonic() - self._noted_at < NOTE_PAUSE:
            return
        self._noted_at = time.monotonic()
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE catalogue_importjob SET bytes_done = %s WHERE id = %s", [self._byte_count, self._job.pk]
            )

    def close(self) -> None:
        self._connection.close()


# --- What people do --------------------------------------------------------------------------------------------


def upload_begin() -> str:
    """A name for files that are uploaded together."""
    return uuid4().hex


def import_job_add(*, upload: str, path: Path, name: str, user: User) -> ImportJob:
    """A job for the file at `path` in the upload folder, which was uploaded as `name`."""
    job = ImportJob.objects.create(
        upload=upload,
        name=shown(name, 255),
        stored_name=path.name,
        size=path.stat().st_size,
        uploaded_by=user,
        request_id=request_id(),
    )
    logger.info("import job %s: added", job.pk)
    return job


def import_job_confirm(*, job: ImportJob, replace: bool, user: User) -> None:
    """Have a checked file loaded.

    Raises ImportJobChanged, and ReplacementNotChosen where there is an earlier delivery that would have to go.
    """
    if job.preview and job.preview["earlier"] and not replace:
        raise ReplacementNotChosen(f"{job.name}: there is an earlier delivery, and its replacement was not chosen.")
    _advance(job, State.TO_LOAD, seen=[State.CHECKED], replace=replace, confirmed_by=user)


def import_job_check_again(*, job: ImportJob) -> None:
    """Have a file checked once more: rates and earlier deliveries may be others now. Raises ImportJobChanged."""
    _advance(job, State.TO_CHECK, seen=[State.CHECKED, State.REFUSED])


def import_job_abandon(*, job: ImportJob) -> None:
    """Give up a file that nobody is working on, and remove it. Raises ImportJobChanged."""
    with _held(job.pk) as is_held:
        if not is_held:
            raise ImportJobChanged(f"{job.name} is being worked on.", state=job.state)
        _advance(job, State.ABANDONED, seen=ImportJob.OPEN)
        _file_remove(job)


def _advance(job: ImportJob, state: str, *, seen: Any, **fields: Any) -> None:
    """Put a job into a state, if it still is in one of those that it was seen in."""
    # A statement of its own condition: of two who press a button at once, one is too late.
    jobs = ImportJob.objects.filter(pk=job.pk, state__in=seen)
    fresh = {
        "tries": 0,
        "started_at": None,
        "bytes_done": 0,
        "changed_at": timezone.now(),
        "request_id": request_id(),
    }
    is_changed = jobs.exclude(stored_name="").update(state=state, **fresh, **fields)
    job.refresh_from_db()
    if not is_changed:
        raise ImportJobChanged(f"{job.name}: it is {job.get_state_display()} meanwhile.", state=job.state)
    logger.info("import job %s: %s", job.pk, job.get_state_display())


# --- What is asked ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobProgress:
    """How far a job is. What is not known, or makes no sense, is None."""

    is_worked_on: bool
    share: float
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    lines_done: int | None = None
    line_count: int | None = None


def jobs_in_work() -> set[int]:
    """The ids of the jobs that somebody works on at this moment; WORKER is among them if a worker lives."""
    return locks.IMPORT_JOBS.held_numbers()


def queue_state() -> dict[str, Any]:
    """What waits for workers, how long already, and whether there is any: for `/readyz`."""
    waiting = ImportJob.objects.filter(state__in=ImportJob.WORK).aggregate(count=Count("id"), since=Min("changed_at"))
    waits_since = waiting["since"]
    in_work = jobs_in_work()
    return {
        "jobs_waiting": waiting["count"] - len(in_work - {WORKER}),
        "jobs_in_work": len(in_work - {WORKER}),
        "oldest_seconds": int((timezone.now() - waits_since).total_seconds()) if waits_since else 0,
        "worker": WORKER in in_work,
    }


def job_progress(job: ImportJob, *, is_worked_on: bool, now: datetime) -> JobProgress:
    share = min(job.bytes_done / job.size, 1) if job.size else 1.0
    if not is_worked_on or job.started_at is None or not job.bytes_done:
        return JobProgress(is_worked_on, share)
    seconds = max((now - job.started_at).total_seconds(), 0.001)
    rate = job.bytes_done / seconds
    totals = job.preview and job.preview["totals"]
    # How many lines there are is known once they were checked.
    line_count = totals["line_count"] if totals and job.state == State.TO_LOAD else None
    return JobProgress(
        is_worked_on,
        share,
        bytes_per_second=rate,
        seconds_left=(job.size - job.bytes_done) / rate,
        lines_done=None if line_count is None else int(line_count * share),
        line_count=line_count,
    )


def import_job_problems(*, upload: str, job_number: int) -> tuple[str, list[list[Any]]] | None:
    """The name of a job's file and all problems that are kept of it, errors first; None if there are none."""
    jobs = ImportJob.objects.filter(upload=upload, pk=job_number, problems__isnull=False)
    found: Any = jobs.values_list("name", "problems").first()
    return found  # type: ignore[no-any-return]


# --- What is done ----------------------------------------------------------------------------------------------


def import_job_run(*, job: ImportJob, progress: StepProgress) -> bool:
    """Check or load the file of a job; False if there is nothing to do, or somebody else does it at this moment."""
    with _held(job.pk) as is_held:
        job.refresh_from_db()
        if not is_held or job.state not in ImportJob.WORK:
            return False
        if job.tries >= MOST_TRIES:
            _refuse(job, f"Given up after {job.tries} tries, none of which came to an end.")
            return True
        job.tries, job.started_at, job.bytes_done = job.tries + 1, timezone.now(), 0
        job.save()
        step = _check if job.state == State.TO_CHECK else _load
        try:
            with _patience(progress):
                step(job, progress)
        except Exception as error:
            if not connection.is_usable():
                raise  # And with the connection the lock is gone: the job is somebody else's.
            _failed(job, progress, error)
        logger.info("import job %s: %s", job.pk, job.get_state_display())
        return True


def _failed(job: ImportJob, progress: StepProgress, error: Exception) -> None:
    # COPY tells of an exception in its source by an error of its own, which Django does not translate.
    if progress.is_over() and isinstance(error, (Interrupted, DatabaseError, psycopg2.Error)):
        job.tries, job.started_at = job.tries - 1, None
        job.save()
    elif isinstance(error, OSError):
        _refuse(job, f"The uploaded file cannot be read: {error.strerror or error}")
    else:
        # One file must not keep its worker from the others.
        logger.error("import job %s failed", job.pk, exc_info=error)
        _refuse(job, "An inner error, which the log describes.")


@contextmanager
def _patience(progress: StepProgress) -> Iterator[None]:
    """A request waits for others who import the same report no longer than for anything else."""
    if not isinstance(progress, Deadline):
        yield
        return
    execute("SELECT set_config('lock_timeout', %(limit)s, false)", limit=f"{progress.seconds}s")
    try:
        yield
    finally:
        if connection.is_usable():
            execute("RESET lock_timeout")


def import_jobs_work(*, is_alive: Callable[[], bool] = lambda: True) -> int:
    """Do what waits, as a worker, until nothing does or `is_alive` says so; return how many steps were done."""
    done = 0
    waiting = ImportJob.objects.filter(state__in=ImportJob.WORK).order_by("id")
    while is_alive() and any(_work(job, is_alive) for job in waiting.all()):
        done += 1
    return done


def _work(job: ImportJob, is_alive: Callable[[], bool]) -> bool:
    progress = WorkerProgress(job, is_alive)
    try:
        with on_behalf_of(job.request_id):
            return import_job_run(job=job, progress=progress)
    finally:
        progress.close()


@contextmanager
def worker_lives() -> Iterator[None]:
    """While this lasts, others see that there is a worker."""
    # That a worker's machine is gone, the server notices in a minute rather than after hours.
    execute("SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3")
    locks.IMPORT_JOBS.take_shared(WORKER)
    try:
        yield
    finally:
        locks.IMPORT_JOBS.give_back(WORKER, shared=True)


def import_jobs_clear() -> None:
    """Give up uploads that nobody has touched for days, and remove files that belong to no job."""
    now = timezone.now()
    untouched = ImportJob.objects.filter(
        state__in=[State.CHECKED, State.REFUSED], changed_at__lt=now - timedelta(days=settings.DSRHUB_UPLOAD_DAYS)
    ).exclude(stored_name="")
    for job in untouched:
        try:
            import_job_abandon(job=job)
        except ImportJobChanged as change:
            logger.info("%s", change)
    needed = set(ImportJob.objects.exclude(stored_name="").values_list("stored_name", flat=True))
    yesterday = (now - timedelta(days=1)).timestamp()
    if settings.DSRHUB_UPLOAD_DIR.is_dir():
        for path in settings.DSRHUB_UPLOAD_DIR.iterdir():
            with suppress(FileNotFoundError):  # Another worker clears up as well.
                # A younger one may belong to a job that is just being made.
                if path.name not in needed and path.stat().st_mtime < yesterday:
                    path.unlink()


@contextmanager
def _held(job_number: int) -> Iterator[bool]:
    """Whether the job is this session's alone until the end of the block."""
    is_held = locks.IMPORT_JOBS.try_take(job_number)
    try:
        yield is_held
    finally:
        if is_held:
            locks.IMPORT_JOBS.give_back(job_number)


# --- The steps -------------------------------------------------------------------------------------------------


def _check(job: ImportJob, progress: StepProgress) -> None:
    path = _path(job)
    job.file_sha256 = file_sha256(path)
    try:
        # As a replacement, so that a file with an earlier delivery is checked as thoroughly as any.
        report = dsr_import(
            path=path,
            name=job.name,
            replace=True,
            dry_run=True,
            progress=progress,
            unpacked_limit=settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES,
        )
    except DsrhubError as error:
        _findings_keep(job, error=error)
        _refuse(job, error.message)
        return
    _findings_keep(job, report=report)
    if report.outcome == Outcome.UNCHANGED:
        _end(job, f"Nothing to do: its content is DSR {report.dsr.pk} already.", report.dsr)
        return
    job.state, job.message = State.CHECKED, ""
    job.save()


def _load(job: ImportJob, progress: StepProgress) -> None:
    path = _path(job)
    if file_sha256(path) != job.file_sha256:
        _refuse(job, "The stored file is not the one that was checked. Nothing was loaded.")
        return
    if job.replace and not _is_as_shown(job):
        _refuse(job, "The earlier delivery is not the one that was shown. Check the file again.")
        return
    try:
        # Workers register resources when nobody waits for them.
        report = dsr_import(
            path=path,
            name=job.name,
            replace=job.replace,
            user=job.confirmed_by,
            progress=progress,
            and_catalogue=False,
            unpacked_limit=settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES,
        )
    except DSRExists as error:
        _refuse(job, f"{error.message} Check the file again.")
        return
    except DsrhubError as error:
        job.dsr_number = error.extra.get("dsr")
        _findings_keep(job, error=error)
        _refuse(job, error.message)
        return
    _end(job, f"{report.outcome.capitalize()} as DSR {report.dsr.pk}.", report.dsr, report.outcome)


def _is_as_shown(job: ImportJob) -> bool:
    """Whether the earlier delivery is the one that people saw when they chose to replace it."""
    earlier = _earlier(job.name)
    was_shown = (job.preview or {}).get("earlier")
    return earlier is not None and was_shown is not None and earlier.pk == was_shown["id"]


def _refuse(job: ImportJob, message: str) -> None:
    """The file stays for another check: a rate may be missing, or an earlier delivery come in."""
    job.state, job.message = State.REFUSED, message[:1000]
    job.save()


def _end(job: ImportJob, message: str, dsr: DSR, outcome: Outcome | None = None) -> None:
    flags = {Outcome.LOADED: ADDITION, Outcome.REPLACED: CHANGE}
    job.state, job.message, job.dsr_number = State.DONE, message, dsr.pk
    with transaction.atomic():
        job.save()
        if outcome in flags and job.confirmed_by_id is not None:
            LogEntry.objects.log_actions(
                job.confirmed_by_id, [dsr], flags[outcome], f"Imported: {outcome}.", single_object=True
            )
    _file_remove(job)


def _path(job: ImportJob) -> Path:
    folder: Path = settings.DSRHUB_UPLOAD_DIR
    return folder / job.stored_name


def _file_remove(job: ImportJob) -> None:
    _path(job).unlink(missing_ok=True)
    job.stored_name, job.problems = "", None
    job.save(update_fields=["stored_name", "problems"])


# --- The preview -----------------------------------------------------------------------------------------------


def _findings_keep(job: ImportJob, *, report: ImportReport | None = None, error: DsrhubError | None = None) -> None:
    """What people see before they confirm: plain values, which a page shows and JSON can hold."""
    told = error.extra if error else {}
    kept: list[Problem] = report.problems.kept if report else told.get("problems", [])
    # What keeps the file out comes first.
    problems = sorted(kept, key=lambda problem: not problem.is_error)
    job.problems = [
        ["error" if problem.is_error else "warning", problem.code, problem.line, problem.column, problem.value]
        for problem in problems
    ]
    columns, lines = _first_lines(_path(job), job.name)
    job.preview = {
        "report": _described(job.name),
        "rate": report and {"value": str(report.dsr.exchange_rate), "source": report.dsr.rate_source},
        "earlier": _described_earlier(_earlier(job.name)),
        "columns": columns,
        "lines": lines,
        "totals": report and _totals(report.dsr),
        "error_count": told.get("error_count", 0),
        "warning_count": report.dsr.warning_count if report else told.get("warning_count", 0),
        "problems": [dict(zip(PROBLEM_PARTS, found, strict=True)) for found in job.problems[:PREVIEW_PROBLEMS]],
        "kept_count": len(problems),
    }


def _described(name: str) -> list[tuple[str, str | None]] | None:
    try:
        report_name = parse_report_name(name)
    except InvalidReportName:
        return None
    # Pairs, as the database orders the keys of an object in its own way.
    return [
        ("DSP", report_name.dsp),
        ("offer", report_name.offer),
        ("society", report_name.society),
        ("territory", report_name.territory),
        ("currency", report_name.currency),
        ("period", f"{report_name.period_start} – {report_name.period_end}"),
    ]


def _earlier(name: str) -> DSR | None:
    try:
        return DSR.objects.ingested().under_key(parse_report_name(name)).first()
    except InvalidReportName:
        return None


def _described_earlier(dsr: DSR | None) -> dict[str, Any] | None:
    return (
        {
            "id": dsr.pk,
            "path": dsr.path,
            "imported_at": dsr.imported_at.isoformat(),
            "line_count": dsr.line_count,
            "total_revenue": f"{dsr.total_revenue:f}",
        }
        if dsr
        else None
    )


def _totals(dsr: DSR) -> dict[str, Any]:
    return {
        "line_count": dsr.line_count,
        "currency": dsr.currency_id,
        "total_usages": f"{dsr.total_usages:f}",
        "total_revenue": f"{dsr.total_revenue:f}",
        "blank": {name: getattr(dsr, name) for name in DSR.BLANK_COUNTS},
    }


def _first_lines(path: Path, name: str) -> tuple[list[str], list[list[str]]]:
    """The header and the first lines as they were delivered, cell by cell, as far as they can be read."""
    try:
        block = next(line_blocks(Delivery(path, name).chunks()), b"")
    except DamagedDelivery:
        return [], []
    lines = block.removeprefix(BOM).split(b"\n")[:-1]
    cells = [
        [shown(cell) for cell in line.removesuffix(b"\r").decode(errors="backslashreplace").split("\t")]
        for line in islice(lines, PREVIEW_LINES + 1)
    ]
    return (cells[0], cells[1:]) if cells else ([], [])
