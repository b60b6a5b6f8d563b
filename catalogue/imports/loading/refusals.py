"""The refusal of a delivery: its exception, with all problems, and its sentence for people."""

from catalogue.exceptions import ReportRefused
from catalogue.imports.loading.values import value_recognised
from catalogue.reports.formats.registry import explanation
from catalogue.reports.problems import Problem, ProblemLog
from dsrhub.texts.marked import Text, joined, ngettext_lazy, quoted
from dsrhub.texts.marked import gettext_lazy as _


def refusal_of_errors(name: str, problems: ProblemLog) -> ReportRefused:
    """The exception for a delivery with errors. Its message explains the first one."""
    first, count = problems.errors[0], problems.error_count
    text = ngettext_lazy(
        "%(name)s: %(count)s error, nothing is loaded. The first: %(first)s",
        "%(name)s: %(count)s errors, nothing is loaded. The first: %(first)s",
        count,
    )
    return report_refused(text % {"name": name, "count": count, "first": _located(first)}, problems)


def _located(problem: Problem) -> str | Text:
    """What a problem means, and where it is. Its code is for programs: the problems of the exception have it."""
    sentence = explanation(problem.code).sentence
    parts = (
        (_("file %(value)s"), problem.file),
        (_("line %(value)s"), problem.line),
        (_("column %(value)s"), problem.column),
        (_("value %(value)s"), problem.value and value_recognised(problem.code, problem.value)),
    )
    location = [text % {"value": quoted(value)} for text, value in parts if value is not None]
    if not location:
        return sentence
    return _("%(sentence)s (%(location)s)") % {"sentence": sentence, "location": joined(location)}


def report_refused(text: Text, problems: ProblemLog) -> ReportRefused:
    return ReportRefused(
        text,
        error_count=problems.error_count,
        warning_count=problems.warning_count,
        problems=problems.kept,
    )
