"""Counts of kept problems by their codes."""

from typing import NamedTuple

from django.db.models import Count, Min, QuerySet

from catalogue.models import ReportProblem


class CodeCount(NamedTuple):
    """How many problems have one code, and the first line that has one."""

    level: str
    code: str
    problem_count: int
    first_line: int | None


def problem_counts_by_code(problems: QuerySet[ReportProblem]) -> list[CodeCount]:
    """The codes of problems: errors before warnings, then the most frequent first."""
    counts = problems.order_by().values_list("level", "code").annotate(count=Count("id"), first=Min("line"))
    return [CodeCount._make(row) for row in counts.order_by("level", "-count", "code")]
