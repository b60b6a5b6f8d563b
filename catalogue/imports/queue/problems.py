"""The problems of a checked file, as a job stores them: all of them as rows, and the first ones in its preview."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from catalogue.reports.problems import Problem

# How many of them a preview has.
PREVIEW_PROBLEMS = 100
# The parts of a problem.
PROBLEM_PARTS = ("level", "code", "line", "column", "value", "file", "excerpt")


def by_urgency(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in the order in which people see them: what keeps the file out first, and warnings of lines last."""
    return sorted(problems, key=_urgency)


def _urgency(problem: Problem) -> int:
    return 0 if problem.is_error else 1 if problem.line is None else 2


def problem_rows(problems: Iterable[Problem]) -> list[list[Any]]:
    """The PROBLEM_PARTS of each problem."""
    return [
        [
            *("error" if problem.is_error else "warning", problem.code),
            *(problem.line, problem.column, problem.value, problem.file, problem.excerpt),
        ]
        for problem in problems
    ]


def problems_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """The first problems, by the names of their parts. Those of a delivery of one file do not name it."""
    parts = [dict(zip(PROBLEM_PARTS, row, strict=True)) for row in problem_rows(problems[:PREVIEW_PROBLEMS])]
    return [{name: part for name, part in one.items() if name != "file" or part is not None} for one in parts]


def code_counts(problems: Iterable[Problem]) -> dict[str, int]:
    """How many of the kept problems have each code."""
    return Counter(problem.code.value for problem in problems)
