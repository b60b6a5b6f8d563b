"""What became of a delivery, as lines of text: for commands, and beside the files of drop folders. In English."""

from pathlib import Path
from typing import cast

import psycopg2
from django.db import Error

from catalogue.exceptions import ReportRefused
from catalogue.imports.loading.outcome import ImportedDSR, ImportReport, Outcome
from catalogue.imports.many import FileResult
from catalogue.reports.contexts import MessageFacts
from catalogue.reports.problems import Problem

# A file with very many problems must not hide the results of the others. The API and the admin show all stored ones.
SHOWN_PROBLEMS = 20
# A message may have thousands of DSRs.
SHOWN_DSRS = 20


def result_text(result: FileResult, file_count: int) -> str:
    """The result of a delivery of `file_count` files, with its first problems, one line each."""
    if result.report is None:
        return _refusal(result.path, result.error)
    report, name = result.report, result.path.name
    if report.message_facts is None:
        lines = _first([f"{name}: {_summary(one, report.seconds)}" for one in report.imported[:SHOWN_DSRS]], report)
    else:
        files = f" and {counted(file_count - 1, 'more file')}" if file_count > 1 else ""
        lines = [f"{name}{files}: {_message_summary(report)}"]
        if report.outcome != Outcome.UNCHANGED:
            lines += _first([_context_line(one) for one in report.imported[:SHOWN_DSRS]], report)
    warnings = _problem_lines(report.problems.warnings, report.problems.warning_count)
    return "\n".join([*lines, *_missing_lines(report), *warnings])


def _first(lines: list[str], report: ImportReport) -> list[str]:
    """Lines of the first DSRs of a delivery, and the number of the further ones."""
    left = len(report.imported) - len(lines)
    return [*lines, f"  and {counted(left, 'more DSR')}"] if left else lines


def _message_summary(report: ImportReport) -> str:
    facts, dsrs = cast(MessageFacts, report.message_facts), [one.dsr for one in report.imported]
    message = f"message {facts.message_id} of {facts.sender.name}"
    if report.outcome == Outcome.UNCHANGED:
        return f"unchanged, already imported as {message}: {counted(len(dsrs), 'DSR')}"
    verdict = "checked, would be loaded" if report.outcome == Outcome.CHECKED else report.outcome
    line_count = sum(dsr.line_count for dsr in dsrs)
    rate = line_count / report.seconds if report.seconds else 0
    return (
        f"{verdict} as {message}: {counted(len(dsrs), 'DSR')}, {counted(line_count, 'line')}, "
        f"{counted(report.problems.warning_count, 'warning')}, {report.seconds:.2f} s, {rate:,.0f} lines/s"
    )


def _context_line(imported: ImportedDSR) -> str:
    dsr = imported.dsr
    verdict = {Outcome.CHECKED: "DSR"}.get(imported.outcome, f"{imported.outcome} as DSR {dsr.pk}")
    return f"  {verdict}: {dsr.context}: {counted(dsr.line_count, 'line')}"


def _missing_lines(report: ImportReport) -> list[str]:
    """The DSRs of replaced messages whose contexts the delivery lacks."""
    deleted = "would be deleted" if report.outcome == Outcome.CHECKED else "deleted"
    fate = deleted if report.dropped else "stays; --drop-missing deletes it"
    lines = [f"  missing: DSR {dsr.pk} ({dsr.path}; {dsr.context}): {fate}" for dsr in report.missing[:SHOWN_DSRS]]
    left = len(report.missing) - len(lines)
    return [*lines, f"  and {left:,} more missing"] if left else lines


def _summary(imported: ImportedDSR, seconds: float) -> str:
    dsr, outcome = imported.dsr, imported.outcome
    if outcome == Outcome.UNCHANGED:
        return f"unchanged, already imported as DSR {dsr.pk}"
    verdict = "checked, would be loaded" if outcome == Outcome.CHECKED else f"{outcome} as DSR {dsr.pk}"
    rate = dsr.line_count / seconds if seconds else 0
    return (
        f"{verdict}: {counted(dsr.line_count, 'line')}, {counted(dsr.blank_count, 'blank cell')}, "
        f"{counted(dsr.warning_count, 'warning')}, {seconds:.2f} s, {rate:,.0f} lines/s"
    )


def counted(count: int, word: str) -> str:
    """A number with its noun."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _refusal(path: Path, error: Exception | None) -> str:
    if isinstance(error, ReportRefused):
        problems: list[Problem] = [problem for problem in error.extra["problems"] if problem.is_error]
        return "\n".join([f"refused: {error}", *_problem_lines(problems, error.extra["error_count"])])
    if isinstance(error, OSError):
        return f"refused: {path}: {error.strerror or error}"
    if isinstance(error, (Error, psycopg2.Error)):
        # The database is unreachable, full or timed out. The next run finds out whether the file was imported.
        return f"failed: {path}: {first_line(error)}"
    return f"refused: {error}"


def first_line(error: Exception) -> str:
    """Return the message of the database without the position in the statement."""
    return str(error).partition("\n")[0]


def _problem_lines(problems: list[Problem], count: int) -> list[str]:
    """Return the first problems, one line each, and the number of further ones."""
    lines = [f"  {_problem_text(problem)}" for problem in problems[:SHOWN_PROBLEMS]]
    return lines if count <= len(lines) else [*lines, f"  and {count - len(lines):,} more"]


def _problem_text(problem: Problem) -> str:
    line = f"line {problem.line}" if problem.line is not None else "file"
    if problem.file is not None:
        line = f"{problem.file}: {line}"
    column = f", column {problem.column}" if problem.column is not None else ""
    value = f": {problem.value!r}" if problem.value is not None else ""
    return f"{line}{column}: {problem.code}{value}"
