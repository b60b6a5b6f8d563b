"""What a template makes of a sample, as its page shows it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from catalogue.admin.report_templates.columns import CHOOSABLE, MOST_VALUES, shown_columns
from catalogue.admin.report_templates.labels import FIELD_LABELS, path_anchor, path_label
from catalogue.admin.report_templates.samples import Sample
from catalogue.imports.queue.progress import Deadline, Interrupted
from catalogue.models import DSR
from catalogue.reports.delivery import DamagedDelivery
from catalogue.reports.formats.registry import explanation
from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.checking import Check, UnmappedValue, check
from catalogue.reports.formats.templates.definition import Definition
from catalogue.reports.formats.templates.files.preview import first_rows
from catalogue.reports.formats.templates.reading import Fault, definition_read
from catalogue.reports.formats.templates.validation import definition_faults
from catalogue.reports.problems import CommonError, Problem, shown
from dsrhub.values.cells import grouped, money, plain
from dsrhub.values.numbers import WIDE

# The time limit of a check of the whole file, in seconds. After it, only the first rows are checked, and users may ask
# for more.
SECONDS, MORE_SECONDS = 3, 30
FIRST_ROWS = 5000
SHOWN_ROWS, SHOWN_CONTEXTS, SHOWN_PROBLEMS = 10, 50, 20
LONGEST_CELL = 60
# The parts of a definition by which the rows are found, whatever is wrong with the others.
PARTS_OF_ROWS = ("file", "numbers.decimal", "recognition.headings")


def sample_shown(sample: Sample, data: dict[str, Any], *, more_time: bool = False) -> dict[str, Any]:
    """What the page shows of a sample that is read by a definition, as values of JSON."""
    definition, wrong = definition_read(data)
    faults = wrong or definition_faults(definition)
    shown_parts: dict[str, Any] = {"sample": sample, "faults": [_fault_row(fault) for fault in faults]}
    try:
        shown_parts |= _rows_shown(sample, definition, data, faults)
        if not faults:
            shown_parts |= {"check": _check_shown(_checked(sample, definition, more_time=more_time), definition)}
    except (DamagedDelivery, FileNotFoundError) as error:
        shown_parts |= {"problems": [_problem_row(_problem_of(error))]}
    return shown_parts


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, DamagedDelivery):
        return error.problem
    return Problem(CommonError.WRONG_FILE_KIND, value=_("The sample is gone. Upload it again."))


def _rows_shown(
    sample: Sample, definition: Definition, data: dict[str, Any], faults: Sequence[Fault]
) -> dict[str, Any]:
    """The first rows under their columns, as soon as it is clear how the file is read."""
    if any(fault.path.startswith(PARTS_OF_ROWS) and fault.code != "required" for fault in faults):
        return {}
    headings, rows = first_rows(sample.delivery(), definition, row_limit=SHOWN_ROWS)
    cells = [[shown(cell, LONGEST_CELL) for cell in row] for row in rows]
    columns = shown_columns([shown(" ".join(one.split()), 255) for one in headings], cells, data["fields"])
    choices = [("", "–"), *((name, capfirst(FIELD_LABELS[name])) for name in CHOOSABLE)]
    lines = [[column["cells"][number] for column in columns] for number in range(len(cells))]
    hidden = grouped(len(headings) - len(columns)) if len(headings) > len(columns) else ""
    return {"columns": columns, "rows": lines, "choices": choices, "hidden_columns": hidden}


def _checked(sample: Sample, definition: Definition, *, more_time: bool) -> Check:
    """The check of the whole file; of its first rows where it takes too long."""
    try:
        return check(sample.delivery(), definition, progress=Deadline(MORE_SECONDS if more_time else SECONDS))
    except Interrupted:
        return check(sample.delivery(), definition, line_limit=FIRST_ROWS)


def _fault_row(fault: Fault) -> dict[str, str]:
    return {"label": path_label(fault.path), "message": fault.message, "name": path_anchor(fault.path)}


# --- The check -------------------------------------------------------------------------------------------------


def _check_shown(found: Check, definition: Definition) -> dict[str, Any]:
    errors, warnings = found.problems.error_count, found.problems.warning_count
    return {
        "is_whole": found.is_whole,
        "is_fine": not errors and found.is_whole,
        "line_count": grouped(found.line_count),
        "skipped_count": grouped(found.skipped_count) if found.skipped_count else "",
        "currencies": [
            {
                "currency": one.currency,
                "contexts": grouped(one.context_count),
                "lines": grouped(one.line_count),
                "usages": plain(one.usages),
                "revenue": money(one.revenue, one.currency),
            }
            for one in found.currencies
        ],
        "contexts": [_context_row(one) for one in found.contexts[:SHOWN_CONTEXTS]],
        "context_count": grouped(found.context_count),
        "has_more_contexts": found.context_count > SHOWN_CONTEXTS,
        "unmapped": [_unmapped_row(number, one) for number, one in enumerate(found.unmapped[:MOST_VALUES])],
        "unmapped_count": grouped(len(found.unmapped)),
        "has_more_unmapped": len(found.unmapped) > MOST_VALUES,
        "new_stores": _new_stores(found, definition, min(len(found.unmapped), MOST_VALUES)),
        "error_count": grouped(errors) if errors else "",
        "warning_count": grouped(warnings) if warnings else "",
        "problems": [_problem_row(one) for one in _other_problems(found)[:SHOWN_PROBLEMS]],
    }


def _other_problems(found: Check) -> list[Problem]:
    """The problems without those of the values that no map knows, which are listed already: errors first, by line."""
    listed = {folded(one.value) for one in found.unmapped}
    problems = sorted(found.problems.kept, key=lambda one: (not one.is_error, one.line or 0))
    return [one for one in problems if one.column is None or folded(one.value or "") not in listed]


def _context_row(one: Any) -> dict[str, Any]:
    context = one.context
    return {
        "dsp": context.dsp,
        "offer": context.offer,
        "society": context.society or "",
        "territory": context.territory,
        "period": f"{context.period_start} – {context.period_end}",
        "lines": grouped(one.line_count),
        "usages": plain(one.usages),
        "revenue": money(one.revenue, context.currency),
    }


def _unmapped_row(number: int, one: UnmappedValue) -> dict[str, Any]:
    return {
        "number": number,
        "field": one.field,
        "label": FIELD_LABELS[one.field],
        "value": shown(one.value, 255),
        "line": grouped(one.line),
        "rows": grouped(one.row_count),
        "revenue": [_revenue(amount, currency) for currency, amount in sorted(one.revenue.items())],
    }


def _revenue(amount: Decimal, currency: str) -> str:
    return money(amount, shown(currency, LONGEST_CELL))


def _new_stores(found: Check, definition: Definition, first_number: int) -> list[dict[str, Any]]:
    """The stores in a column of which there is no DSR yet: a name that is only written otherwise should be mapped."""
    source = definition.fields.get("dsp")
    if source is None or not source.columns:
        return []
    names = list(dict.fromkeys(one.context.dsp for one in found.contexts))
    known = {*DSR.objects.filter(dsp__in=names).values_list("dsp", flat=True).distinct(), *source.values.values()}
    new = [name for name in names if name not in known][: MOST_VALUES - first_number]
    return [_store_row(number, name, found) for number, name in enumerate(new, start=first_number)]


def _store_row(number: int, name: str, found: Check) -> dict[str, Any]:
    revenue: dict[str, Decimal] = {}
    for one in found.contexts:
        if one.context.dsp == name:
            currency = one.context.currency
            revenue[currency] = WIDE.add(revenue.get(currency, Decimal(0)), one.revenue)
    amounts = [_revenue(amount, currency) for currency, amount in sorted(revenue.items())]
    return {"number": number, "field": "dsp", "label": FIELD_LABELS["dsp"], "value": name, "revenue": amounts}


def _problem_row(problem: Problem) -> dict[str, Any]:
    means = explanation(problem.code).translated()
    return {
        "is_error": problem.is_error,
        "line": "" if problem.line is None else grouped(problem.line),
        "column": problem.column or "",
        "value": problem.value or "",
        "sentence": means.sentence,
        "remedy": means.remedy,
    }
