"""Questions about import jobs: which are in work, how far each is, and what was found."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from catalogue.exceptions import ImportJobNotFound
from catalogue.imports.queue.problems import PROBLEM_PARTS
from catalogue.models import ImportJob
from dsrhub.database import locks
from dsrhub.texts.marked import gettext_lazy as _

State = ImportJob.State
NO_EXCERPT = (None, None, None)
# The number of the lock that says that a worker is running: no job has this id.
WORKER = 0


@dataclass(frozen=True)
class JobProgress:
    """How far a job is. What is not known is None."""

    is_worked_on: bool
    share: float
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    lines_done: int | None = None
    line_count: int | None = None


def jobs_in_work() -> set[int]:
    """The ids of the jobs that are in work at this moment, and WORKER if a worker is running."""
    return locks.IMPORT_JOBS.held_numbers()


def queue_state() -> dict[str, Any]:
    """How many jobs wait for workers, for how long, and whether a worker is running: for `/readyz`."""
    waiting = ImportJob.objects.filter(state__in=ImportJob.WORK).aggregate(count=Count("id"), since=Min("changed_at"))
    waits_since = waiting["since"]
    in_work = jobs_in_work()
    return {
        "jobs_waiting": waiting["count"] - len(in_work - {WORKER}),
        "jobs_in_work": len(in_work - {WORKER}),
        "oldest_seconds": int((timezone.now() - waits_since).total_seconds()) if waits_since else 0,
        "worker": WORKER in in_work,
    }


def loads_before(job: ImportJob) -> QuerySet[ImportJob]:
    """The jobs that are to be loaded before a job: they were uploaded earlier, and have one of its keys."""
    earlier = ImportJob.objects.filter(state=State.TO_LOAD, pk__lt=job.pk, keys__overlap=job.keys)
    return earlier.exclude(stored_name="")


def jobs_of_same_key(jobs: Sequence[ImportJob]) -> dict[int, list[ImportJob]]:
    """For each of the jobs, by its id, the others of them that have one of its keys and are not loaded yet."""
    by_key: dict[str, list[ImportJob]] = defaultdict(list)
    for job in jobs:
        if job.state in (State.CHECKED, State.TO_LOAD):
            for key in job.keys:
                by_key[key].append(job)
    same = {job.pk: {other.pk: other for key in job.keys for other in by_key[key]} for job in jobs}
    return {pk: [others[other] for other in sorted(others) if other != pk] for pk, others in same.items()}


def job_progress(job: ImportJob, *, is_worked_on: bool, now: datetime) -> JobProgress:
    size = job.total_size
    share = min(job.bytes_done / size, 1) if size else 1.0
    if not is_worked_on or job.started_at is None or not job.bytes_done:
        return JobProgress(is_worked_on, share)
    seconds = max((now - job.started_at).total_seconds(), 0.001)
    rate = job.bytes_done / seconds
    totals = job.preview and job.preview["totals"]
    # The check has counted the lines.
    line_count = totals["line_count"] if totals and job.state == State.TO_LOAD else None
    return JobProgress(
        is_worked_on,
        share,
        bytes_per_second=rate,
        seconds_left=(size - job.bytes_done) / rate,
        lines_done=None if line_count is None else int(line_count * share),
        line_count=line_count,
    )


def import_job_problems(*, upload: str, job_number: int) -> list[tuple[Any, ...]] | None:
    """All kept problems of a job, errors first; None if there are none.

    Each has the name of its file, its level, code, line, column and value, and the three parts of its excerpt.
    """
    jobs = ImportJob.objects.filter(upload=upload, pk=job_number, problems__isnull=False)
    found: Any = jobs.values_list("name", "problems").first()
    if found is None:
        return None
    name, problems = found
    return [_problem_row(name, problem) for problem in problems]


def _problem_row(name: str, problem: Sequence[Any]) -> tuple[Any, ...]:
    # Workers of earlier releases store no excerpt, and those before them no file.
    *parts, file, excerpt = [*problem, None, None][: len(PROBLEM_PARTS)]
    return (file or name, *parts, *(excerpt or NO_EXCERPT))


def jobs_of_upload(upload: str) -> list[ImportJob]:
    """The jobs of an upload. Those of a complete message are one, also if its files came in several uploads."""
    own = ImportJob.objects.filter(upload=upload)
    leads = own.filter(lead__isnull=False).values("lead")
    jobs = ImportJob.objects.filter(Q(pk__in=own.filter(lead=None).values("pk")) | Q(pk__in=leads))
    read_with = jobs.select_related("template_version__template").defer("template_version__definition")
    return list(read_with.order_by("id").prefetch_related("parts"))


def import_job_get(*, job_number: int, user: User) -> ImportJob:
    """A job of the user, or of anybody for users who import in the admin. Raises ImportJobNotFound."""
    jobs = ImportJob.objects.all()
    if not user.has_perm("catalogue.import_dsr"):
        jobs = jobs.filter(uploaded_by=user)
    job = jobs.select_related("lead").filter(pk=job_number).first()
    if job is None:
        raise ImportJobNotFound(_("There is no import %(id)s.") % {"id": job_number}, id=job_number)
    return job
