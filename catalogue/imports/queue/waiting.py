"""Uploaded files of messages of several files: each waits until all files of its message are there.

The files of a message that a user uploads are a set of that user. When a set is complete, the job of file 1 leads the
others: in the admin, it is checked, confirmed and loaded like the job of a single file; over REST, all are imported by
the request that completes the set.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from catalogue.exceptions import WaitingFilesTooLarge
from catalogue.models import ImportJob
from catalogue.models.jobs import message_fields
from catalogue.reports.contexts import MessagePart
from dsrhub.database import locks
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.marked import joined, ngettext_lazy

State = ImportJob.State


def part_fields(part: MessagePart) -> dict[str, Any]:
    """The fields of the job of a file of a message."""
    return {
        "part_sender": part.sender,
        "part_message_id": part.message_id,
        "part_number": part.number,
        "part_count": part.count,
        "state": State.WAITING,
    }


@contextmanager
def set_locked(user_id: int | None) -> Iterator[None]:
    """A transaction in which no other one changes the sets of this user."""
    with transaction.atomic():
        locks.WAITING_FILES.take(user=user_id)
        yield


def waiting_set(job: ImportJob) -> list[ImportJob]:
    """The waiting jobs of the same message and user, by the numbers of their files."""
    same = {name: getattr(job, name) for name in ("uploaded_by_id", "part_sender", "part_message_id")}
    return list(ImportJob.objects.filter(state=State.WAITING, **same).order_by("part_number", "id"))


def waiting_for(job: ImportJob) -> list[int]:
    """The numbers of the files for which a job waits."""
    if job.state != State.WAITING:
        return []
    return missing_numbers(job, waiting_set(job))


def missing_numbers(job: ImportJob, files: Sequence[ImportJob]) -> list[int]:
    return sorted({*range(1, (job.part_count or 0) + 1)} - {file.part_number for file in files})


def require_room(job: ImportJob) -> None:
    """Raises WaitingFilesTooLarge if the waiting files of a user had more bytes with a new one than an upload may."""
    waiting = ImportJob.objects.filter(state=State.WAITING, uploaded_by=job.uploaded_by_id)
    size = waiting.aggregate(size=Sum("size", default=0))["size"] + job.size
    if size > settings.DSRHUB_UPLOAD_LIMIT_BYTES:
        raise WaitingFilesTooLarge(
            _(
                "%(name)s: your files that wait for other files of their messages may have %(limit)s "
                "bytes. Upload the missing files of one message first, or discard waiting files."
            )
            % {"name": job.name, "limit": settings.DSRHUB_UPLOAD_LIMIT_BYTES},
        )


def set_gather(job: ImportJob) -> None:
    """Let a waiting job join its set. The last one completes the set, which is then to be checked.

    Runs under `set_locked`.
    """
    files = waiting_set(job)
    if [file.part_number for file in files].count(job.part_number) > 1:
        job.state = State.REFUSED
        text = _(
            "File %(number)s of %(count)s of message %(message_id)s is there already. Discard one of the two files."
        )
        job.say(text % {"number": job.part_number, "count": job.part_count, "message_id": job.part_message_id})
        job.save()
    elif missing_numbers(job, files):
        set_touch(job)
        set_note(job)
    else:
        lead_number, *others = [file.pk for file in files]
        ImportJob.objects.filter(pk__in=others).update(state=State.PART, lead=lead_number, message="")
        ImportJob.objects.filter(pk=lead_number).update(
            state=State.TO_CHECK, message="", changed_at=timezone.now(), request_id=job.request_id, address=job.address
        )
    job.refresh_from_db()


def set_touch(job: ImportJob) -> None:
    """Note that somebody works on the set of a job: its files expire together."""
    numbers = [file.pk for file in waiting_set(job)]
    ImportJob.objects.filter(pk__in=numbers).update(changed_at=timezone.now())


def set_note(job: ImportJob) -> None:
    """Tell in each job of the set of a job for which files it waits."""
    files = waiting_set(job)
    missing = missing_numbers(job, files)
    if missing:
        text = ngettext_lazy(
            "Waiting for file %(numbers)s of %(count)s of message %(message_id)s.",
            "Waiting for files %(numbers)s of %(count)s of message %(message_id)s.",
            len(missing),
        )
    else:
        text = _("All files of message %(message_id)s are there. Upload one of them again to import them.")
    note = text % {"numbers": joined(missing), "count": job.part_count, "message_id": job.part_message_id}
    ImportJob.objects.filter(pk__in=[file.pk for file in files]).update(**message_fields(note))
