"""What people do with import jobs: upload, confirm, check again, discard.

The worker of a job holds its lock: an advisory lock of the database session that does the import, which ends with that
session. So one worker or request at a time works on a job, and the job of a killed worker is free at once, without
guessing by the clock whether the worker still runs. See docs/decisions/import-queue.md.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from catalogue.dsrs.declared import MEASURES, DeclaredTotals, differences_text, totals_compared
from catalogue.exceptions import ImportJobChanged, ReplacementNotChosen, TotalsDiffer
from catalogue.imports.grouping import file_part
from catalogue.imports.queue.shown import found_in
from catalogue.imports.queue.waiting import part_fields, require_room, set_gather, set_locked, set_note
from catalogue.imports.services import DeliveredFile
from catalogue.models import ImportJob, Template
from catalogue.reports.contexts import MessagePart
from catalogue.reports.problems import shown
from dsrhub.actors import current_actor
from dsrhub.database import locks
from dsrhub.logs.server import request_id
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.marked import joined

logger = logging.getLogger(__name__)

State = ImportJob.State


def upload_begin() -> str:
    """A name for files that are uploaded together."""
    return uuid4().hex


def import_job_add(*, upload: str, path: Path, name: str, user: User, template: Template | None = None) -> ImportJob:
    """Add a job for the file at `path` in the upload folder, which was uploaded as `name`.

    Without a `template`, the file is recognised. A file of a message of several files waits for the others, unless a
    template reads it. Raises WaitingFilesTooLarge.
    """
    part = file_part(path, name, path.parent) if template is None else None
    job = new_job(upload=upload, path=path, name=name, user=user, part=part)
    job.template = template
    if part is None:
        job.save()
    else:
        with set_locked(user.pk):
            require_room(job)
            job.save()
            set_gather(job)
    logger.info("import job %s: added", job.pk)
    return job


def new_job(*, upload: str, path: Path, name: str, user: User | None, part: MessagePart | None) -> ImportJob:
    """A job for a stored file, which is not saved yet."""
    return ImportJob(
        upload=upload,
        name=shown(name, 255),
        stored_name=path.name,
        size=path.lstat().st_size,
        uploaded_by=user,
        request_id=request_id(),
        address=current_actor().address,
        **(part_fields(part) if part else {}),
    )


def import_job_declare(*, job: ImportJob, declared: DeclaredTotals) -> None:
    """Keep the totals that a user declares of a checked file, before it is confirmed: its page shows them again."""
    totals = _declared_fields(declared)
    if ImportJob.objects.filter(pk=job.pk, state=State.CHECKED).update(**totals):
        for name, value in totals.items():
            setattr(job, name, value)


def _declared_fields(declared: DeclaredTotals) -> dict[str, Any]:
    return {f"declared_{name}": getattr(declared, name) for name in MEASURES}


def declared_totals(job: ImportJob) -> DeclaredTotals:
    """The totals that are declared of the file of a job."""
    return DeclaredTotals(
        lines=None if job.declared_lines is None else int(job.declared_lines),
        usages=None if job.declared_usages is None else int(job.declared_usages),
        revenue=job.declared_revenue,
    )


def _require_declared(job: ImportJob) -> DeclaredTotals:
    """The declared totals of a job. Raises TotalsDiffer where the check found others, and InvalidArgument."""
    declared, found = declared_totals(job), found_in(job.preview or {})
    if declared.is_empty:
        return declared
    if found is None:
        raise ImportJobChanged(
            _("%(name)s was checked by an earlier release, which kept no totals of it. Check it again.")
            % {"name": job.name},
            state=job.state,
        )
    if differing := differences_text(totals_compared(declared, found)):
        raise TotalsDiffer(
            _("%(name)s: %(differences)s. Nothing is imported.")
            % {"name": job.name, "differences": joined(differing, "; ")}
        )
    return declared


def import_job_confirm(
    *, job: ImportJob, replace: bool, user: User, seen: str | None = None, drop_missing: bool = False
) -> None:
    """Queue a checked file to be loaded. `seen` is the time of the job's last change, as the user's page sends it.

    Totals that are declared of the file must be those that its check found: see `import_job_declare`.

    Raises ImportJobChanged, TotalsDiffer, InvalidArgument for a declared revenue in several currencies, and
    ReplacementNotChosen where an earlier delivery exists and `replace` is not chosen.
    """
    declared = _require_declared(job)
    preview = job.preview or {}
    if (preview.get("earlier") or preview.get("missing") or preview.get("superseded")) and not replace:
        raise ReplacementNotChosen(
            _("%(name)s: an earlier delivery exists. Tick “Replace” to overwrite it.") % {"name": job.name}
        )
    if seen is not None and seen != job.changed_at.isoformat():
        raise _changed(job)
    # What was compared counts, whatever another user declares meanwhile.
    choices = {"replace": replace, "drop_missing": replace and drop_missing, **_declared_fields(declared)}
    _advance(job, State.TO_LOAD, seen=[State.CHECKED], confirmed_by=user, **choices)


def import_job_check_again(*, job: ImportJob, template: Template | None = None) -> None:
    """Queue a file to be checked again: rates and earlier deliveries may have changed. Raises ImportJobChanged.

    With a `template`, that one reads the file from now on. A file of a message that is not complete looks for the
    others again.
    """
    if job.part_count is None or job.parts.exists():
        chosen = {} if template is None else {"template": template}
        _advance(job, State.TO_CHECK, seen=[State.CHECKED, State.REFUSED], **chosen)
        return
    with set_locked(job.uploaded_by_id):
        _advance(job, State.WAITING, seen=[State.REFUSED, State.WAITING])
        set_gather(job)


def import_job_discard(*, job: ImportJob) -> None:
    """Discard and remove a file that nobody is working on, with all files of a complete message.

    Raises ImportJobChanged.
    """
    with job_held(job.pk) as is_held:
        if not is_held:
            raise ImportJobChanged(_("%(name)s is being worked on.") % {"name": job.name}, state=job.state)
        with set_locked(job.uploaded_by_id):
            _advance(job, State.ABANDONED, seen=ImportJob.OPEN)
            if job.part_count is not None:
                set_note(job)
        job_file_remove(job)


def _changed(job: ImportJob) -> ImportJobChanged:
    return ImportJobChanged(
        _("%(name)s has changed since you saw it. Its state is now “%(state)s”.")
        % {"name": job.name, "state": job.state_text},
        state=job.state,
    )


def _advance(job: ImportJob, state: str, *, seen: Any, **fields: Any) -> None:
    """Change the state of a job, if it still has one of the states that were `seen` and has not changed since."""
    # One conditional statement: of two people who press a button at once, one is too late.
    jobs = ImportJob.objects.filter(pk=job.pk, state__in=seen, changed_at=job.changed_at)
    fresh = {
        "tries": 0,
        "started_at": None,
        "bytes_done": 0,
        "changed_at": timezone.now(),
        "request_id": request_id(),
        "address": current_actor().address,
    }
    is_changed = jobs.exclude(stored_name="").update(state=state, **fresh, **fields)
    job.refresh_from_db()
    if not is_changed:
        raise _changed(job)
    logger.info("import job %s: %s", job.pk, job.state_text)


@contextmanager
def job_held(job_number: int) -> Iterator[bool]:
    """Whether this session alone holds the job until the end of the block."""
    is_held = locks.IMPORT_JOBS.try_take(job_number)
    try:
        yield is_held
    finally:
        if is_held:
            locks.IMPORT_JOBS.give_back(job_number)


# --- The uploaded file -----------------------------------------------------------------------------------------


def job_path(job: ImportJob) -> Path:
    folder: Path = settings.DSRHUB_UPLOAD_DIR
    return folder / job.stored_name


def job_files(job: ImportJob) -> list[DeliveredFile]:
    """The stored files of a job: one, or all files of a message."""
    return [DeliveredFile(job_path(file), file.name, settings.DSRHUB_UPLOAD_DIR) for file in job.files]


def job_file_remove(job: ImportJob) -> None:
    """Remove the files of a job that is done or discarded, and with them the problems that were kept of them."""
    for file in job.files:
        if file.stored_name:
            job_path(file).unlink(missing_ok=True)
        file.state, file.stored_name, file.problems = job.state, "", None
        file.save(update_fields=["state", "stored_name", "problems"])
    job.stored_name, job.problems = "", None
