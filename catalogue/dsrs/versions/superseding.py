"""Earlier versions of DSRs: those that were replaced or deleted are superseded, and kept for a while.

A superseded DSR moves to a table of its own under the same id. So no answer has it, and no question needs to leave it
out. What belongs to it, such as its problems, moves with it. Its lines and its file stay where they are, until it
returns or is dropped.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from catalogue.dsrs.kept_files import dsr_file_bytes, dsr_file_forget, message_files_bytes, message_files_forget
from catalogue.exceptions import VersionNotFound
from catalogue.lines.storage import lines_bytes
from catalogue.models import (
    DSR,
    AbstractDSR,
    DSRDifference,
    LeftoverLines,
    ReportMessage,
    SupersededDSR,
    SupersededMessage,
)
from dsrhub.actors import current_actor
from dsrhub.database.statements import execute, rows_of
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed

DSR_COLUMNS = ", ".join(f"{field.column}" for field in DSR._meta.concrete_fields)
OTHER_COLUMNS = DSR_COLUMNS.replace(" is_catalogued,", "")
MESSAGE_COLUMNS = ", ".join(f"{field.column}" for field in ReportMessage._meta.concrete_fields)
# The tables whose rows belong to a DSR or to a message, and the column that tells to which one.
OF_DSRS = ("catalogue_reportproblem", "catalogue_ratechange", "catalogue_usetypetotal")
OF_MESSAGES = ("catalogue_reportproblem",)


def _belongings(tables: Iterable[str], column: str) -> str:
    """The rows of these tables that belong to the row `owner`, as JSON, which keeps all digits of numbers."""
    rows = (
        f"'{table}', (SELECT coalesce(jsonb_agg(to_jsonb(part) ORDER BY id), '[]') FROM {table} AS part "  # noqa: S608
        f"WHERE {column} = owner.id)"
        for table in tables
    )
    return f"jsonb_build_object({', '.join(rows)})"


# Of a DSR that has returned and is not registered yet, the catalogue may still have resources: it forgets all.
SUPERSEDE = f"""
INSERT INTO catalogue_supersededdsr
    ({OTHER_COLUMNS}, is_catalogued, successor, superseded_at, superseded_by_id, byte_count, belongings)
SELECT {OTHER_COLUMNS}, true, successor, %(at)s, %(user)s, byte_count + pg_column_size(belongings), belongings
FROM catalogue_dsr AS owner
JOIN unnest(%(ids)s::integer[], %(successors)s::integer[], %(byte_counts)s::bigint[])
    AS gone (id, successor, byte_count) USING (id)
CROSS JOIN LATERAL (SELECT {_belongings(OF_DSRS, "dsr_id")} AS belongings) AS theirs
"""  # noqa: S608 - no value is in it, here and below
SUPERSEDE_MESSAGE = f"""
INSERT INTO catalogue_supersededmessage ({MESSAGE_COLUMNS}, byte_count, belongings)
SELECT {MESSAGE_COLUMNS}, %(byte_count)s, {_belongings(OF_MESSAGES, "message_id")}
FROM catalogue_reportmessage AS owner WHERE id = %(id)s
"""  # noqa: S608
RESTORE = f"""
INSERT INTO catalogue_dsr ({DSR_COLUMNS}) SELECT {DSR_COLUMNS} FROM catalogue_supersededdsr WHERE id = ANY(%(ids)s)
"""  # noqa: S608
RESTORE_MESSAGE = f"""
INSERT INTO catalogue_reportmessage ({MESSAGE_COLUMNS})
SELECT {MESSAGE_COLUMNS} FROM catalogue_supersededmessage WHERE id = ANY(%(ids)s)
"""  # noqa: S608
# A user who changed a rate may be deleted by now.
RESTORE_BELONGINGS = """
INSERT INTO {table}
SELECT returned.*
FROM {superseded} AS owner CROSS JOIN LATERAL jsonb_array_elements(belongings -> '{table}') AS part
CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, part || jsonb_build_object(
    'changed_by_id', (SELECT id FROM auth_user WHERE id = (part ->> 'changed_by_id')::integer)
)) AS returned
WHERE owner.id = ANY(%(ids)s)
"""

# The versions that are too old, and the oldest ones beyond the bytes that all may take.
SURPLUS = """
SELECT id, superseded_at < %(until)s
FROM (
    SELECT id, superseded_at, sum(byte_count) OVER (ORDER BY superseded_at DESC, id DESC) AS running
    FROM catalogue_supersededdsr
) AS version
WHERE superseded_at < %(until)s OR running > %(most)s ORDER BY id
"""


# --- Superseding -------------------------------------------------------------------------------------------------


def are_kept() -> bool:
    """Whether replaced and deleted DSRs are kept."""
    return bool(settings.DSRHUB_SUPERSEDED_DAYS)


def dsrs_supersede(dsrs: Sequence[DSR], *, successors: Mapping[int, int], user: User | None) -> None:
    """Copy ingested DSRs to the table of superseded ones. The caller deletes their rows, in the same transaction.

    `successors` has the ids of the DSRs that replace them.
    """
    user = user or current_actor().user
    line_bytes = lines_bytes(dsrs)
    execute(
        SUPERSEDE,
        ids=[dsr.pk for dsr in dsrs],
        successors=[successors.get(dsr.pk) for dsr in dsrs],
        byte_counts=[line_bytes[dsr.pk] + dsr_file_bytes(dsr) for dsr in dsrs],
        at=timezone.now(),
        user=user and user.pk,
    )


def message_supersede(message: ReportMessage) -> None:
    """The same for a message that has no DSR any more. No superseded DSR of it: its files go."""
    if SupersededDSR.objects.filter(message_id=message.pk).exists():
        execute(SUPERSEDE_MESSAGE, id=message.pk, byte_count=message_files_bytes(message))
    else:
        message_files_forget(message)


def dsrs_forget(dsrs: Iterable[AbstractDSR]) -> None:
    """Note where the lines of DSRs are, to be dropped after the commit, and remove their files then."""
    dsrs = list(dsrs)
    LeftoverLines.objects.bulk_create(
        LeftoverLines(dsr_number=dsr.pk, partition=dsr.partition, dsp=dsr.dsp, is_catalogued=dsr.is_catalogued)
        for dsr in dsrs
    )
    for dsr in dsrs:
        dsr_file_forget(dsr)


# --- Returning ---------------------------------------------------------------------------------------------------


def versions_restore(versions: Collection[SupersededDSR]) -> None:
    """Move superseded DSRs back, with their message where that is superseded, to be registered anew.

    Runs in the transaction of the caller, who has seen to it that their keys are free.
    """
    ids = [version.pk for version in versions]
    message_ids = list({version.message_id for version in versions if version.message_id is not None})
    execute(RESTORE_MESSAGE, ids=message_ids)
    for table in OF_MESSAGES:
        _restore_belongings(table, "catalogue_supersededmessage", message_ids)
    SupersededMessage.objects.filter(pk__in=message_ids).delete()
    SupersededDSR.objects.filter(pk__in=ids).update(is_catalogued=False)
    execute(RESTORE, ids=ids)
    for table in OF_DSRS:
        _restore_belongings(table, "catalogue_supersededdsr", ids)
    SupersededDSR.objects.filter(pk__in=ids).delete()


def _restore_belongings(table: str, superseded: str, ids: list[int]) -> None:
    execute(RESTORE_BELONGINGS.format(table=table, superseded=superseded), ids=ids)


# --- Dropping ----------------------------------------------------------------------------------------------------


def versions_drop_surplus() -> int:
    """Drop the versions that are kept for too long, and the oldest ones beyond the bytes that all may take.

    Return their number. It does no harm if two workers do it at once.
    """
    until = timezone.now() - timedelta(days=settings.DSRHUB_SUPERSEDED_DAYS)
    surplus = rows_of(SURPLUS, until=until, most=settings.DSRHUB_SUPERSEDED_BYTES)
    return sum(
        versions_drop([number for number, is_old in surplus if is_old == too_old], reason=reason)
        for too_old, reason in ((True, "too old"), (False, "too large"))
    )


def version_delete(*, version_number: int, user: User | None = None) -> None:
    """Drop an earlier version for good. Raises VersionNotFound."""
    if not versions_drop([version_number], reason="deleted", user=user):
        raise VersionNotFound(_("There is no earlier version %(id)s.") % {"id": version_number}, id=version_number)


def versions_drop(ids: Collection[int], *, reason: str, user: User | None = None) -> int:
    """Drop superseded DSRs for good, and return how many there were. The next `catalogue_refresh` frees the disk."""
    if not ids:
        return 0
    with transaction.atomic():
        versions = list(SupersededDSR.objects.select_for_update(skip_locked=True).filter(pk__in=ids).order_by("pk"))
        if versions:
            dsrs_forget(versions)
            SupersededDSR.objects.filter(pk__in=[version.pk for version in versions]).delete()
            _messages_forget({version.message_id for version in versions if version.message_id is not None})
            _differences_forget([version.pk for version in versions])
            facts = {"reason": reason, "dsrs": [version.pk for version in versions]}
            audit(Action.VERSIONS_DROPPED, SupersededDSR, name=_named(versions), user=user, details=facts)
    return len(versions)


def _named(versions: Sequence[SupersededDSR]) -> str:
    return listed([f"DSR {version.pk}" for version in versions])


def _messages_forget(message_ids: Collection[int]) -> None:
    """Remove superseded messages of which no superseded DSR is left."""
    named = SupersededDSR.objects.filter(message_id__in=message_ids).values("message_id")
    for message in SupersededMessage.objects.filter(pk__in=message_ids).exclude(pk__in=named):
        message_files_forget(message)
        message.delete()


def _differences_forget(ids: Sequence[int]) -> None:
    DSRDifference.objects.filter(before__in=ids).delete()
    DSRDifference.objects.filter(after__in=ids).delete()


def versions_rename(role: str, old: str, new: str) -> None:
    """Let the superseded DSRs of a DSP or society follow its new name, under which they would return."""
    names: dict[str, Any] = {role: old}
    SupersededDSR.objects.filter(**names).update(**{role: new})
