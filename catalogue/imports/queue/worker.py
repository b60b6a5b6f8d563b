"""The work on import jobs: a file is checked, and once it is confirmed, loaded. In a request or in a worker."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from stat import S_ISDIR

import psycopg2
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from catalogue.exceptions import DSRExists, DSRSuperseded, ImportJobChanged, MessageIdReused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import ImportReport, Outcome
from catalogue.imports.queue.jobs import declared_totals, import_job_discard, job_file_remove, job_files, job_held
from catalogue.imports.queue.preview import earlier_follow, findings_keep
from catalogue.imports.queue.progress import Deadline, Interrupted, StepProgress, WorkerProgress
from catalogue.imports.queue.selectors import WORKER, loads_before
from catalogue.imports.queue.shown import earlier_shown, missing_shown
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import ImportJob
from catalogue.ranking.services import wanted_rankings_wait
from catalogue.report_templates.selectors import template_version
from dsrhub.database import locks
from dsrhub.database.sessions import lost_machine_notice
from dsrhub.database.statements import execute
from dsrhub.exceptions import ConfirmationOutdated, DsrhubError
from dsrhub.files.disk import NotARegularFile, file_sha256, joined_sha256
from dsrhub.logs.server import on_behalf_of
from dsrhub.texts.marked import Text, joined, ngettext_lazy
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed

logger = logging.getLogger(__name__)

# A step that was begun so often did not end: perhaps the file is what kills its workers.
MOST_TRIES = 5

State = ImportJob.State
UNREADABLE = _("The uploaded file cannot be read: %(why)s")
ENDED = {
    Outcome.LOADED: _("Loaded as %(dsrs)s."),
    Outcome.REPLACED: _("Replaced as %(dsrs)s."),
    Outcome.REVERTED: _("Reverted as %(dsrs)s."),
    Outcome.UNCHANGED: _("Unchanged as %(dsrs)s."),
}


# --- The queue -------------------------------------------------------------------------------------------------


def queue_drain(*, is_alive: Callable[[], bool] = lambda: True) -> int:
    """Do the steps that wait, as a worker, until none waits or `is_alive` ends it; return how many were done."""
    done = 0
    waiting = ImportJob.objects.filter(state__in=ImportJob.WORK).order_by("id")
    while is_alive() and any(_run_one(job, is_alive) for job in waiting.all()):
        done += 1
    return done


def nothing_waits() -> bool:
    """Whether no job and no ranking waits for a worker."""
    return not ImportJob.objects.filter(state__in=ImportJob.WORK).exists() and not wanted_rankings_wait()


def _run_one(job: ImportJob, is_alive: Callable[[], bool]) -> bool:
    progress = WorkerProgress(job, is_alive)
    try:
        with on_behalf_of(job.request_id, user=job.confirmed_by, address=job.address):
            return job_step_run(job=job, progress=progress)
    finally:
        progress.close()


@contextmanager
def worker_lives() -> Iterator[None]:
    """Let others see that a worker is running, until the end of the block."""
    lost_machine_notice()
    locks.IMPORT_JOBS.take_shared(WORKER)
    try:
        yield
    finally:
        locks.IMPORT_JOBS.give_back(WORKER, shared=True)


def uploads_clear() -> None:
    """Discard uploads that nobody has touched for days, and remove files that belong to no job."""
    now = timezone.now()
    untouched = ImportJob.objects.filter(
        state__in=[State.CHECKED, State.REFUSED, State.WAITING],
        changed_at__lt=now - timedelta(days=settings.DSRHUB_UPLOAD_DAYS),
    ).exclude(stored_name="")
    for job in untouched:
        try:
            import_job_discard(job=job)
        except ImportJobChanged as change:
            logger.info("%s", change)
    # A worker of an earlier release discards the lead of a message, and does not know of its other files.
    left = ImportJob.objects.filter(state=State.PART, lead__state__in=[State.DONE, State.ABANDONED])
    for lead in ImportJob.objects.filter(pk__in=left.values("lead")):
        job_file_remove(lead)
    needed = set(ImportJob.objects.exclude(stored_name="").values_list("stored_name", flat=True))
    yesterday = (now - timedelta(days=1)).timestamp()
    if settings.DSRHUB_UPLOAD_DIR.is_dir():
        for path in settings.DSRHUB_UPLOAD_DIR.iterdir():
            with suppress(FileNotFoundError):  # Another worker may remove it first.
                found = path.lstat()
                # A younger file may belong to a job that is just being added. A folder is not ours.
                if path.name not in needed and found.st_mtime < yesterday and not S_ISDIR(found.st_mode):
                    path.unlink()


# --- A step ----------------------------------------------------------------------------------------------------


def job_step_run(*, job: ImportJob, progress: StepProgress) -> bool:
    """Check or load the file of a job; False if there is nothing to do, or another job or worker is to end first."""
    with job_held(job.pk) as is_held:
        job.refresh_from_db()
        if not is_held or not _is_ready(job):
            return False
        if job.tries >= MOST_TRIES:
            text = _("Given up after %(tries)s tries, none of which came to an end.")
            _refuse(job, text % {"tries": job.tries})
            return True
        job.tries, job.started_at, job.bytes_done = job.tries + 1, timezone.now(), 0
        job.save()
        step = _check if job.state == State.TO_CHECK else _load
        try:
            with _lock_timeout(progress):
                step(job, progress)
        except Exception as error:
            if not connection.is_usable():
                raise  # The lock is lost with the connection: another worker takes the job.
            _failed(job, progress, error)
        logger.info("import job %s: %s", job.pk, job.state_text)
        return True


def _is_ready(job: ImportJob) -> bool:
    """Whether a job waits for a worker, and for no other job."""
    if job.state != State.TO_LOAD:
        return job.state in ImportJob.WORK
    if loads_before(job).exists():
        return False
    job.refresh_from_db()  # The jobs that it waited for may have changed its preview.
    return True


def _failed(job: ImportJob, progress: StepProgress, error: Exception) -> None:
    # COPY reports an exception in its source by an error of the driver, which Django does not translate.
    if progress.is_over() and isinstance(error, (Interrupted, DatabaseError, psycopg2.Error)):
        job.tries, job.started_at = job.tries - 1, None
        job.save()
    elif isinstance(error, OSError):
        _refuse(job, UNREADABLE % {"why": error.strerror or error})
    elif isinstance(error, NotARegularFile):
        _refuse(job, UNREADABLE % {"why": error.text})
    else:
        # One file must not keep its worker from the others.
        logger.error("import job %s failed", job.pk, exc_info=error)
        _refuse(job, _("An internal error. The log has the details."))


@contextmanager
def _lock_timeout(progress: StepProgress) -> Iterator[None]:
    """In a request, wait for other importers of the same report no longer than for anything else."""
    if not isinstance(progress, Deadline):
        yield
        return
    execute("SELECT set_config('lock_timeout', %(limit)s, false)", limit=f"{progress.seconds}s")
    try:
        yield
    finally:
        if connection.is_usable():
            execute("RESET lock_timeout")


def _check(job: ImportJob, progress: StepProgress) -> None:
    files = job_files(job)
    job.file_sha256 = _files_sha256(files)
    job.template_version = None if job.template is None else template_version(job.template)
    try:
        # As a replacement, so that a file with an earlier delivery is checked as thoroughly as any other.
        report = delivery_import(
            files=files,
            choices=Choices(replace=True, dry_run=True, template=job.template_version),
            progress=progress,
            unpacked_limit=settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES,
        )
    except DsrhubError as error:
        findings_keep(job, files, error=error)
        _refuse(job, error.text)
        return
    if report.message_facts is not None:
        job.template_version_id = report.message_facts.template_version
    findings_keep(job, files, report=report)
    if report.outcome == Outcome.UNCHANGED:
        _end(job, _("Already imported as %(dsrs)s."), report)
        job_file_remove(job)
        return
    job.state, job.message = State.CHECKED, ""
    job.save()


def _load(job: ImportJob, progress: StepProgress) -> None:
    files = job_files(job)
    if _files_sha256(files) != job.file_sha256:
        _refuse(job, _("The stored file is not the file that was checked. Nothing was loaded."))
        return
    try:
        # Workers refresh the catalogue of resources later, when nobody waits for it.
        report = delivery_import(
            files=files,
            choices=Choices(
                replace=job.replace,
                replace_only=earlier_shown(job) if job.replace else None,
                drop_missing=job.drop_missing,
                drop_only=missing_shown(job),
                user=job.confirmed_by,
                declared=declared_totals(job),
                template=job.template_version,
            ),
            progress=progress,
            and_catalogue=False,
            unpacked_limit=settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES,
        )
    except (DSRExists, DSRSuperseded, MessageIdReused) as error:
        _refuse(job, joined([error.text, _("Check the file again.")], " "))
        return
    except ConfirmationOutdated as error:
        _refuse(job, error.text)
        return
    except DsrhubError as error:
        job.dsr_number = error.extra.get("dsr")
        findings_keep(job, files, error=error)
        _refuse(job, error.text)
        return
    with transaction.atomic():
        _end(job, ENDED[report.outcome], report)
        earlier_follow(job, report)
    job_file_remove(job)


def _files_sha256(files: Sequence[DeliveredFile]) -> str:
    """The hash of the packed files of a job."""
    return joined_sha256([file_sha256(file.path, file.folder) for file in files])


def _dsr_names(report: ImportReport) -> Text:
    numbers = [str(one.dsr.pk) for one in report.imported]
    return ngettext_lazy("DSR %(numbers)s", "DSRs %(numbers)s", len(numbers)) % {"numbers": listed(numbers)}


def _refuse(job: ImportJob, text: Text) -> None:
    """The file stays for another check: a rate may be missing, or an earlier delivery come in."""
    job.state = State.REFUSED
    job.say(text)
    job.save()


def _end(job: ImportJob, text: Text, report: ImportReport) -> None:
    job.state = State.DONE
    job.say(text % {"dsrs": _dsr_names(report)})
    job.dsr_numbers = [one.dsr.pk for one in report.imported]
    job.dsr_number = job.dsr_numbers[0]
    with transaction.atomic():
        job.save()
        if job.confirmed_by_id is not None:
            _log(report, job.confirmed_by_id)


def _log(report: ImportReport, user_id: int) -> None:
    for outcome, flag in ((Outcome.LOADED, ADDITION), (Outcome.REPLACED, CHANGE), (Outcome.REVERTED, CHANGE)):
        dsrs = [one.dsr for one in report.imported if one.outcome == outcome]
        LogEntry.objects.log_actions(user_id, dsrs, flag, f"Imported: {outcome}.")
