"""Imports of uploads at once, without a check and a confirmation: those of programs, over REST."""

import logging
from contextlib import ExitStack
from pathlib import Path

from django.conf import settings
from django.db import transaction

from catalogue.exceptions import FileRepeated, ImportJobChanged
from catalogue.imports.grouping import file_part
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import ImportReport, Outcome
from catalogue.imports.queue.jobs import job_file_remove, job_held, job_path, new_job, upload_begin
from catalogue.imports.queue.problems import by_urgency, problems_json
from catalogue.imports.queue.waiting import missing_numbers, require_room, set_locked, set_note, set_touch, waiting_set
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import ImportJob
from catalogue.reports.contexts import MessagePart
from dsrhub.exceptions import ConflictError, DsrhubError, InvalidArgument
from dsrhub.files.disk import file_sha256
from dsrhub.files.uploads import upload_store
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

logger = logging.getLogger(__name__)

State = ImportJob.State
ENDED = {
    Outcome.LOADED: _("Loaded."),
    Outcome.REPLACED: _("Replaced."),
    Outcome.REVERTED: _("Reverted."),
    Outcome.UNCHANGED: _("Unchanged."),
}


def upload_import(*, path: Path, name: str, choices: Choices) -> ImportReport | ImportJob:
    """Import the file at `path`, which was uploaded as `name`. Its temporary file may go afterwards.

    A file of a message of several files is stored, and its job returned, until all files of the message are there; the
    upload that completes them imports them, with its choices. The same file again tries this again: files whose import
    ended with a conflict, or was interrupted, stay. Those of a message that is refused are removed.

    Raises FileRepeated, WaitingFilesTooLarge, and all that `delivery_import` raises.
    """
    part = file_part(path, name, None) if choices.template is None else None
    if part is None:
        return _imported([DeliveredFile(path, name)], choices)
    job = _job_of_part(path, name, part, choices)
    files = waiting_set(job)
    if missing_numbers(job, files):
        return job
    with ExitStack() as held:
        is_held = all(held.enter_context(job_held(file.pk)) for file in files)
        # Another request may be importing the message, or may have ended meanwhile.
        files = waiting_set(job)
        if not is_held or missing_numbers(job, files):
            job.refresh_from_db()
            return job
        return _set_imported(files, choices)


def _imported(files: list[DeliveredFile], choices: Choices) -> ImportReport:
    limit = settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES
    return delivery_import(files=files, choices=choices, unpacked_limit=limit)


def _job_of_part(path: Path, name: str, part: MessagePart, choices: Choices) -> ImportJob:
    """The waiting job of a file of a message: a new one, or that of the same file, if it waits already."""
    user = choices.user
    with set_locked(user.pk if user else None):
        stored = upload_store(path)
        try:
            job = new_job(upload=upload_begin(), path=stored, name=name, user=user, part=part)
            same = next((file for file in waiting_set(job) if file.part_number == part.number), None)
            if same is None:
                require_room(job)
                job.save()
                logger.info("import job %s: added", job.pk)
        except BaseException:
            stored.unlink()
            raise
        if same is not None:
            is_same = _are_same(stored, job_path(same))
            stored.unlink()
            if not is_same:
                raise FileRepeated(
                    _(
                        "%(name)s: file %(number)s of %(count)s of message %(message_id)s waits for the others "
                        "already, with other content (import %(same)s). Discard it to upload another one."
                    )
                    % {
                        "name": name,
                        "number": part.number,
                        "count": part.count,
                        "message_id": part.message_id,
                        "same": same.pk,
                    },
                    job=same.pk,
                )
            job = same
        set_touch(job)
        set_note(job)
    job.refresh_from_db()
    return job


def _are_same(stored: Path, waiting: Path) -> bool:
    folder = settings.DSRHUB_UPLOAD_DIR
    try:
        return file_sha256(stored, folder) == file_sha256(waiting, folder)
    except FileNotFoundError:  # Somebody removed the file of the waiting job.
        return False


def _set_imported(files: list[ImportJob], choices: Choices) -> ImportReport:
    """Import the files of a complete set."""
    folder = settings.DSRHUB_UPLOAD_DIR
    try:
        report = _imported([DeliveredFile(job_path(file), file.name, folder) for file in files], choices)
    except (ConflictError, InvalidArgument):
        raise  # Nothing is wrong with the files: the client may upload one of them again with other choices.
    except FileNotFoundError as error:
        _end(files, State.REFUSED, _("The uploaded files cannot be read."))
        raise ImportJobChanged(
            _("%(name)s: the uploaded files are gone. Upload all of them again.") % {"name": files[0].name}
        ) from error
    except DsrhubError as error:
        files[0].preview = {
            "error_count": error.extra.get("error_count", 0),
            "warning_count": error.extra.get("warning_count", 0),
            "problems": problems_json(by_urgency(error.extra.get("problems", []))),
        }
        _end(files, State.REFUSED, error.text)
        raise
    files[0].dsr_numbers = [one.dsr.pk for one in report.imported]
    files[0].dsr_number = files[0].dsr_numbers[0]
    _end(files, State.DONE, ENDED[report.outcome])
    return report


def _end(files: list[ImportJob], state: str, text: Text) -> None:
    """End the jobs of a set: the first one leads the others, and the files go."""
    lead, *others = files
    with transaction.atomic():
        lead.state = state
        lead.say(text)
        lead.save()
        for file in others:
            file.lead, file.message = lead, ""
            file.save()
    job_file_remove(lead)
    logger.info("import job %s: %s", lead.pk, lead.state_text)
