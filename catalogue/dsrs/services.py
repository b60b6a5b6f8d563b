"""Deleting DSRs, and keeping their problems."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from catalogue.dsrs.events import dsrs_tell
from catalogue.dsrs.versions.superseding import are_kept, dsrs_forget, dsrs_supersede, message_supersede
from catalogue.exceptions import DSRNotFound, MessageNotFound
from catalogue.models import DSR, RejectedDelivery, ReportMessage, ReportProblem
from catalogue.reports.problems import Problem
from dsrhub.database.statements import execute
from dsrhub.logs.audit import audit_entry, audit_write
from dsrhub.models import Action, AuditEntry
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.webhooks.models import EventType


def dsr_delete(*, dsr_number: int, user: User | None = None) -> None:
    """Delete a DSR with its lines and problems. Its lines leave all answers at once; the next `catalogue_refresh`
    removes the resources that only this DSR reported. An ingested DSR becomes an earlier version: see `versions`.

    Raises DSRNotFound.
    """
    with transaction.atomic():
        dsr = dsrs_remove([dsr_number], user=user).get(dsr_number)
        if dsr is None:
            raise DSRNotFound(_("There is no DSR %(id)s.") % {"id": dsr_number}, id=dsr_number)
        audit_write([deletion_entry(dsr_number, dsr, user)])
        dsrs_tell(EventType.DSR_DELETED, [dsr])


def dsr_facts(dsr: DSR) -> dict[str, Any]:
    """What the audit log tells of a DSR that is deleted or replaced: its key, its delivery and its totals."""
    names = (
        *("status", "path", "sha256", "dsp", "offer", "society", "territory_id", "currency_id"),
        *("period_start", "period_end", "commercial_model", "use_type", "subscriber_type"),
        *("line_count", "total_usages", "total_revenue"),
    )
    return {name: getattr(dsr, name) for name in names}


def deletion_entry(dsr_number: int, dsr: DSR, user: User | None) -> AuditEntry:
    """The entry of the audit log for a deleted DSR."""
    return audit_entry(Action.DSR_DELETED, dsr, number=dsr_number, user=user, details={"old": dsr_facts(dsr)})


def message_delete(*, message_number: int, user: User | None = None) -> None:
    """Delete a message with all of its DSRs. Raises MessageNotFound."""
    with transaction.atomic():
        numbers = list(DSR.objects.filter(message=message_number).values_list("pk", flat=True))
        removed = dsrs_remove(numbers, user=user)
        if not removed:
            raise MessageNotFound(_("There is no message %(id)s.") % {"id": message_number}, id=message_number)
        audit_write(deletion_entry(number, dsr, user) for number, dsr in removed.items())
        dsrs_tell(EventType.DSR_DELETED, list(removed.values()))


def dsr_remove(dsr_number: int) -> DSR | None:
    """Remove a DSR and return it. Returns None if it is gone already. See `dsrs_remove`."""
    return dsrs_remove([dsr_number]).get(dsr_number)


def dsrs_remove(
    dsr_numbers: Collection[int], *, successors: Mapping[int, int] | None = None, user: User | None = None
) -> dict[int, DSR]:
    """Delete the rows of DSRs. Those that were ingested become earlier versions; unless versions are kept, their lines
    are dropped after the commit.

    `successors` has the ids of the DSRs that replace them. Returns those that are not gone already, by id. A message
    whose last DSR is removed goes with it. Runs in the caller's transaction.
    """
    if not dsr_numbers:
        return {}
    # Two sessions that remove one DSR must meet at its row, before either holds anything that the other needs.
    locked = DSR.objects.select_for_update().filter(pk__in=dsr_numbers).order_by("pk")
    removed = {dsr.pk: dsr for dsr in locked}
    ingested = [dsr for dsr in removed.values() if dsr.status == DSR.Status.INGESTED]
    if are_kept():
        dsrs_supersede(ingested, successors=successors or {}, user=user)
    else:
        dsrs_forget(ingested)
    DSR.objects.filter(pk__in=removed).delete()
    empty_messages_remove(pk__in={dsr.message_id for dsr in ingested if dsr.message_id is not None})
    return removed


def empty_messages_remove(**conditions: Any) -> None:
    """Remove those of the messages under these conditions that have no DSR any more."""
    for message in ReportMessage.objects.filter(dsrs__isnull=True, **conditions):
        message_supersede(message)
        message.delete()


# Thousands of model instances would take longer than the import of a file of as many lines.
PROBLEMS_KEEP = """
INSERT INTO catalogue_reportproblem
    (dsr_id, message_id, rejection_id, level, code, file, line, "column", value, excerpt)
SELECT dsr, %(message)s, %(rejection)s, level, code, file, line, "column", value, excerpt
FROM unnest(
    %(dsrs)s::integer[], %(levels)s::text[], %(codes)s::text[], %(files)s::text[], %(lines)s::bigint[],
    %(columns)s::text[], %(values)s::text[], %(excerpts)s::jsonb[]
) WITH ORDINALITY AS problem (dsr, level, code, file, line, "column", value, excerpt, place)
ORDER BY place
"""


def problems_keep(
    problems: Sequence[Problem],
    *,
    dsr: DSR | None = None,
    message: ReportMessage | None = None,
    rejection: RejectedDelivery | None = None,
) -> None:
    """Keep the problems of a DSR, of a message as a whole, or of a rejected delivery, in their order."""
    number = None if dsr is None else dsr.pk
    _problems_keep([(number, problem) for problem in problems], message, rejection)


def problems_of_dsrs_keep(by_dsr: Mapping[int, Sequence[Problem]]) -> None:
    """Keep the problems of many DSRs, which are named by their ids, in their order."""
    _problems_keep([(number, problem) for number, problems in by_dsr.items() for problem in problems])


def _problems_keep(
    owned: Sequence[tuple[int | None, Problem]],
    message: ReportMessage | None = None,
    rejection: RejectedDelivery | None = None,
) -> None:
    if not owned:
        return
    problems = [problem for _, problem in owned]
    levels = {True: ReportProblem.Level.ERROR, False: ReportProblem.Level.WARNING}
    execute(
        PROBLEMS_KEEP,
        dsrs=[number for number, _ in owned],
        message=message and message.pk,
        rejection=rejection and rejection.pk,
        levels=[levels[problem.is_error].value for problem in problems],
        codes=[problem.code.value for problem in problems],
        files=[problem.file for problem in problems],
        lines=[problem.line for problem in problems],
        columns=[problem.column for problem in problems],
        values=[problem.value for problem in problems],
        excerpts=[problem.excerpt and json.dumps(problem.excerpt) for problem in problems],
    )
