"""Queries over very many small reports: how fast they are, and how many relations each of them locks."""

from collections.abc import Callable
from typing import Any

# Before models: it sets Django up.
from tests.benchmarks.measuring import median_seconds, report_files, seconds_of  # isort: skip

import io

from django.core.management import call_command
from django.db import connection, transaction

from catalogue.dsrs.selectors import dsr_lines, dsr_list
from catalogue.models import DSR, UsageLine
from catalogue.reports.formats.interface import HEADER_LINE
from tests.benchmarks.report_questions import rankings_clear
from tests.catalogue.ranking.helpers import top_resources
from tests.printing import say

LINES = 1000


def measure_many_reports(dsrs: int) -> None:
    files = report_files(dsrs, LINES)
    seconds = seconds_of(lambda: call_command("import_dsr", *files, jobs=2, stdout=io.StringIO()))
    say(f"{dsrs:,} DSRs of {LINES:,} lines imported in {seconds:.0f} s, {seconds / dsrs * 1000:.0f} ms each")
    line = UsageLine.objects.filter(partition=0, line_number=HEADER_LINE + 1).first()
    dsr = DSR.objects.ingested().order_by("id").last()
    assert line is not None
    assert dsr is not None

    def top(**question: Any) -> Callable[[], Any]:
        def ask() -> None:
            rankings_clear()
            top_resources(percentile=10, **question)

        return ask

    for name, question in (
        ("top 10 % of a territory", top(territory="ES")),
        ("top 10 % of everything", top()),
        ("a dsp_id looked up in all DSRs", lambda: lines_of(line.dsp_id)),
        ("lines of a DSR", lambda: dsr_lines(dsr=dsr, after=500, limit=100)),
        ("the list of DSRs", dsr_list),
    ):
        say(f"  {name}: {median_seconds(question) * 1000:.1f} ms, {locked_relations(question)} relations locked")


def lines_of(dsp_id: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT line.* FROM catalogue_usageline AS line JOIN catalogue_dsr AS dsr ON dsr.id = line.dsr_id "
            "WHERE dsr.status = 'ingested' AND hashtextextended(dsp_id, 0) = hashtextextended(%s, 0) AND dsp_id = %s",
            [dsp_id, dsp_id],
        )
        return cursor.fetchall()


def locked_relations(question: Callable[[], Any]) -> int:
    """The number of relations on which a query holds locks at its end."""
    with transaction.atomic(), connection.cursor() as cursor:
        question()
        cursor.execute(
            "SELECT count(DISTINCT relation) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
        )
        count: int = cursor.fetchone()[0]
        transaction.set_rollback(True)
    return count
