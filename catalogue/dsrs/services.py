"""Deleting DSRs, and keeping their problems."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from catalogue.dsrs.kept_files import file_forget
from catalogue.exceptions import DSRNotFound
from catalogue.models import DSR, LeftoverLines, ReportProblem
from catalogue.reports.problems import Problem
from dsrhub.audit import audit
from dsrhub.database.statements import execute
from dsrhub.models import Action


def dsr_delete(*, dsr_number: int, user: User | None = None) -> None:
    """Delete a DSR with its lines and problems. Its lines leave all answers at once; the next `catalogue_refresh`
    frees the disk and removes the resources that only this DSR reported.

    Raises DSRNotFound.
    """
    with transaction.atomic():
        dsr = dsr_remove(dsr_number)
        if dsr is None:
            raise DSRNotFound(f"There is no DSR {dsr_number}.", id=dsr_number)
        audit(Action.DSR_DELETED, dsr, number=dsr_number, user=user, details={"old": dsr_facts(dsr)})


def dsr_facts(dsr: DSR) -> dict[str, Any]:
    """What the audit log tells of a DSR that is deleted or replaced: its key, its delivery and its totals."""
    names = (
        *("status", "path", "sha256", "dsp", "offer", "society", "territory_id", "currency_id"),
        *("period_start", "period_end", "line_count", "total_usages", "total_revenue"),
    )
    return {name: getattr(dsr, name) for name in names}


def dsr_remove(dsr_number: int) -> DSR | None:
    """Delete the row of a DSR and return it, and note where its lines are, to be dropped after the commit.

    Returns None if it is gone already. Runs in the caller's transaction.
    """
    # Two sessions that remove one DSR must meet at its row, before either holds anything that the other needs.
    dsr = DSR.objects.select_for_update().filter(pk=dsr_number).first()
    if dsr is None:
        return None
    if dsr.status == DSR.Status.INGESTED:
        LeftoverLines.objects.create(
            dsr_number=dsr.pk, partition=dsr.partition, dsp=dsr.dsp, is_catalogued=dsr.is_catalogued
        )
        file_forget(dsr)
    dsr.delete()
    return dsr


# Thousands of model instances would take longer than the import of a file of as many lines.
PROBLEMS_KEEP = """
INSERT INTO catalogue_reportproblem (dsr_id, level, code, line, "column", value)
SELECT %(dsr)s, level, code, line, "column", value
FROM unnest(%(levels)s::text[], %(codes)s::text[], %(lines)s::bigint[], %(columns)s::text[], %(values)s::text[])
    WITH ORDINALITY AS problem (level, code, line, "column", value, place)
ORDER BY place
"""


def problems_keep(dsr: DSR, problems: list[Problem]) -> None:
    """Keep the problems of a DSR, in their order."""
    levels = {True: ReportProblem.Level.ERROR, False: ReportProblem.Level.WARNING}
    execute(
        PROBLEMS_KEEP,
        dsr=dsr.pk,
        levels=[levels[problem.is_error].value for problem in problems],
        codes=[problem.code.value for problem in problems],
        lines=[problem.line for problem in problems],
        columns=[problem.column for problem in problems],
        values=[problem.value for problem in problems],
    )
