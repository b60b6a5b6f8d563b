"""Counts of the kept problems: of a DSR by their codes, and of a list by their levels."""

from typing import NamedTuple

from django.db.models import Count, Min, QuerySet

from catalogue.models import DSR, ReportProblem


class CodeCount(NamedTuple):
    """The kept problems of a DSR that have one code, and the first line of the file that has one."""

    level: str
    code: str
    problem_count: int
    first_line: int | None


def problem_counts_by_code(dsr: DSR) -> list[CodeCount]:
    """The codes of the kept problems of a DSR: errors before warnings, then the most frequent first."""
    counts = dsr.problems.order_by().values_list("level", "code").annotate(count=Count("id"), first=Min("line"))
    return [CodeCount._make(row) for row in counts.order_by("level", "-count", "code")]


def problem_counts_by_level(problems: QuerySet[ReportProblem]) -> dict[str, int]:
    """The numbers of problems by level, without the levels that none has."""
    return dict(problems.order_by("level").values_list("level").annotate(count=Count("id")))
