"""The steps of import jobs that are done in the request of a user: those of small files."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest

from catalogue.imports.queue.jobs import import_job_check_again
from catalogue.imports.queue.progress import Deadline
from catalogue.imports.queue.worker import job_step_run
from catalogue.models import ImportJob, Template
from dsrhub.exceptions import DsrhubError

# A step that takes longer is left to a worker: reading is two thirds of a check, and a page may take 5 seconds.
AT_ONCE_SECONDS = 3


def request_deadline() -> Deadline:
    """The time that is left for steps from now on, in this request."""
    return Deadline(AT_ONCE_SECONDS)


def run_at_once(job: ImportJob, progress: Deadline) -> None:
    """Do the next step of a job in this request if its files are small and time is left.

    The last file of a message brings the lead of all of its files to its next step.
    """
    lead = job.lead or job
    if lead.total_size <= settings.DSRHUB_IMPORT_AT_ONCE_BYTES and not progress.is_over():
        job_step_run(job=lead, progress=progress)


def check_again(request: HttpRequest, jobs: Iterable[tuple[ImportJob, Template | None]]) -> None:
    """Check the files of jobs again, outside of a transaction, each with the template that was chosen for it.

    Of a job that somebody else changed meanwhile, a message says so.
    """
    progress = request_deadline()
    for job, template in jobs:
        try:
            import_job_check_again(job=job, template=template)
        except DsrhubError as error:
            messages.warning(request, error.message)
        else:
            run_at_once(job, progress)
