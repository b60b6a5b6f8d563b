"""What people see of a checked file before they confirm: plain values, which a page shows and JSON can hold.

Servers and workers of earlier releases read the same values, so their names stay. They are stored in English, and the
page translates them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any, cast

from catalogue.dsrs.declared import found_totals
from catalogue.exceptions import InvalidReportName, TemplateAmbiguous
from catalogue.imports.loading.contexts import party_text, settled_contexts
from catalogue.imports.loading.earlier import find_earlier
from catalogue.imports.loading.outcome import ImportReport
from catalogue.imports.queue.problems import by_urgency, code_counts, problem_rows, problems_json
from catalogue.imports.queue.shown import shown_dsrs
from catalogue.imports.recognition import delivery_format
from catalogue.imports.services import DeliveredFile
from catalogue.models import DSR, ImportJob, TemplateVersion
from catalogue.reports.contexts import MessageFacts, SalesContext
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import Preview, ReportFormat
from catalogue.reports.formats.templates.format import TemplateFormat
from catalogue.reports.problems import CommonError, Problem, shown
from dsrhub.database import locks
from dsrhub.exceptions import DsrhubError
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import exact_sum

PREVIEW_LINES, PREVIEW_DSRS = 20, 100
RATE_ERRORS = (CommonError.EXCHANGE_RATE_MISSING, CommonError.EXCHANGE_RATE_INCOMPLETE)


def findings_keep(
    job: ImportJob,
    files: Sequence[DeliveredFile],
    *,
    report: ImportReport | None = None,
    error: DsrhubError | None = None,
) -> None:
    """Set the preview, the keys and the problems of a job to what its check, or its failed load, found in its files.

    The caller saves the job.
    """
    extra = error.extra if error else {}
    template = job.template_version
    kept: list[Problem] = report.problems.kept if report else extra.get("problems", [])
    deliveries = [Delivery(file.path, file.name, folder=file.folder) for file in files]
    contexts = [one.dsr.context for one in report.imported] if report else settled_contexts(deliveries, template)
    problems = by_urgency([_with_context(problem, contexts) for problem in kept])
    job.problems = problem_rows(problems)
    report_format = _format_of(deliveries[0], template)
    columns, lines = report_format.preview(deliveries, PREVIEW_LINES) if report_format else Preview([], [])
    if isinstance(report_format, TemplateFormat):
        job.template_version_id = report_format.version_id
    job.keys = [_key(context) for context in contexts]
    job.preview = {
        **_dsrs_json(contexts, report),
        **(_message_json(report.message_facts, report) if report and report.message_facts else {}),
        "found": report and _found_json(report),
        "missing": [[dsr.pk, f"{dsr.path}: {dsr.context}"] for dsr in report.missing] if report else [],
        "superseded": [version.pk for version in report.superseded[:PREVIEW_DSRS]] if report else [],
        "asks_template": report_format is None or isinstance(error, InvalidReportName),
        "columns": columns,
        "lines": lines,
        "error_count": extra.get("error_count", 0),
        "warning_count": report.problems.warning_count if report else extra.get("warning_count", 0),
        "problems": problems_json(problems),
        "kept_count": len(kept),
        "code_counts": code_counts(kept),
        "missing_rates": _missing_rates(kept, contexts),
        # The names of the templates that recognise it, where there are several.
        "templates": extra.get("templates", []),
    }


def _format_of(delivery: Delivery, template: TemplateVersion | None) -> ReportFormat | None:
    """The format of a delivery; None where it is not known what reads it, so that a template is to be chosen."""
    try:
        return delivery_format(delivery, template)
    except (InvalidReportName, TemplateAmbiguous):
        return None


def _with_context(problem: Problem, contexts: Sequence[SalesContext]) -> Problem:
    """The problem, which names its context where no line of the file tells it."""
    if problem.context_number is None or problem.line is not None or not contexts:
        return problem
    context = shown(str(contexts[problem.context_number - 1]))
    return replace(problem, value=": ".join(filter(None, (context, problem.value))))


def _found_json(report: ImportReport) -> dict[str, str | None]:
    """The totals of the whole delivery."""
    dsrs = [one.dsr for one in report.imported]
    found = found_totals(dsrs, [dsr.currency_id for dsr in dsrs])
    return {name: _plain(number) for name, number in asdict(found).items()}


def _key(context: SalesContext) -> str:
    """The key of a context as a text, by which jobs of one upload find each other."""
    kinds = (context.commercial_model, context.use_type, context.subscriber_type)
    return locks.DSR_KEY.key(**asdict(context)) + ("" if kinds == (None, None, None) else repr(kinds))


def _missing_rates(problems: Iterable[Problem], contexts: Sequence[SalesContext]) -> list[list[str]]:
    """The currency, and the first and the last day of the period, of each exchange rate that is missing."""
    lacking = [
        contexts[(problem.context_number or 1) - 1] for problem in problems if problem.code in RATE_ERRORS and contexts
    ]
    keys = [(one.currency, one.period_start.isoformat(), one.period_end.isoformat()) for one in lacking]
    return [list(key) for key in dict.fromkeys(keys)]


def earlier_follow(job: ImportJob, report: ImportReport) -> None:
    """Let the jobs that were confirmed together with a loaded one, to replace it, replace just the DSRs that it became.

    Runs in the caller's transaction. These jobs wait for this one (`loads_before`), so nobody works on them.
    """
    if not job.keys:  # A worker of an earlier release has checked it, which stored no keys.
        return
    waiting = ImportJob.objects.select_for_update().filter(
        upload=job.upload, state=ImportJob.State.TO_LOAD, replace=True, pk__gt=job.pk, keys__overlap=job.keys
    )
    loaded = {key: one.dsr for key, one in zip(job.keys, report.imported, strict=True)}
    for other in waiting.order_by("pk"):
        preview = cast(dict[str, Any], other.preview)  # It is set together with the keys.
        for one in shown_dsrs(preview):
            key = other.keys[one.get("place", 0)]
            if key in loaded:
                one["earlier"] = _earlier_json(loaded[key])
        if "earlier_ids" in preview:
            pairs = zip(other.keys, preview["earlier_ids"], strict=True)
            preview["earlier_ids"] = [loaded[key].pk if key in loaded else number for key, number in pairs]
            first = next((loaded[key] for key in other.keys if key in loaded), None)
            preview["earlier"] = _earlier_json(first) or preview["earlier"]
        other.save(update_fields=["preview"])


def _dsrs_json(contexts: Sequence[SalesContext], report: ImportReport | None) -> dict[str, Any]:
    if not contexts:
        return {"report": None, "rate": None, "earlier": None, "totals": None}
    dsrs: Sequence[DSR | None] = [one.dsr for one in report.imported] if report else [None] * len(contexts)
    earlier = find_earlier(contexts, None).by_context
    each = list(zip(contexts, dsrs, earlier, strict=True))
    if len(each) == 1:
        return _dsr_json(*each[0])
    by_revenue = sorted(enumerate(each), key=lambda one: _revenue_eur(one[1][1]), reverse=True)
    return {
        "report": None,
        "rate": None,
        "earlier": next((_earlier_json(one) for one in earlier if one is not None), None),
        "totals": None,
        # `place` is the place of its key among the keys of the job.
        "dsrs": [{"place": place, **_dsr_json(*one)} for place, one in by_revenue[:PREVIEW_DSRS]],
        "dsr_count": len(each),
        # For each key of the job.
        "earlier_ids": [None if one is None else one.pk for one in earlier],
    }


def _revenue_eur(dsr: DSR | None) -> Decimal:
    """About the revenue of a DSR, to put those with the most first."""
    if dsr is None or not dsr.exchange_rate:
        return Decimal(0)
    revenue = dsr.total_revenue if dsr.declared_revenue is None else dsr.declared_revenue
    return Decimal(revenue / dsr.exchange_rate)


def _dsr_json(context: SalesContext, dsr: DSR | None, earlier: DSR | None) -> dict[str, Any]:
    return {
        "report": _context_json(context),
        "rate": dsr and {"value": f"{dsr.exchange_rate:f}", "source": dsr.rate_source},
        "earlier": _earlier_json(earlier),
        "totals": dsr and _totals_json(dsr),
        "declared": dsr and _declared_json(dsr),
    }


def _context_json(context: SalesContext) -> list[tuple[str, str | None]]:
    # Pairs, as the database orders the keys of an object in its own way.
    return [
        (_("DSP"), context.dsp),
        (_("offer"), context.offer),
        (_("society"), context.society),
        (_("territory"), context.territory),
        (_("currency"), context.currency),
        (_("period"), f"{context.period_start} – {context.period_end}"),
        *(pair for pair in _terms(context) if pair[1] is not None),
    ]


def _terms(context: SalesContext) -> list[tuple[str, str | None]]:
    return [
        (_("commercial model"), context.commercial_model),
        (_("use type"), context.use_type),
        (_("subscriber type"), context.subscriber_type),
    ]


def _earlier_json(dsr: DSR | None) -> dict[str, Any] | None:
    return (
        {
            "id": dsr.pk,
            "path": dsr.path,
            "imported_at": dsr.imported_at.isoformat(),
            "line_count": dsr.line_count,
            "currency": dsr.currency_id,
            "total_usages": f"{dsr.total_usages:f}",
            "total_revenue": f"{dsr.total_revenue:f}",
            "rate": f"{dsr.exchange_rate:f}",
        }
        if dsr
        else None
    )


def _totals_json(dsr: DSR) -> dict[str, Any]:
    return {
        "line_count": dsr.line_count,
        "currency": dsr.currency_id,
        "total_usages": f"{dsr.total_usages:f}",
        "total_revenue": f"{dsr.total_revenue:f}",
        "blank": {name: getattr(dsr, name) for name in DSR.BLANK_COUNTS},
    }


def _declared_json(dsr: DSR) -> dict[str, str | None] | None:
    """What a message declares for a DSR; None for other reports."""
    if dsr.summary_id is None:
        return None
    declared = {
        "usages": dsr.declared_usages,
        "revenue": dsr.declared_revenue,
        "unallocated": dsr.unallocated_revenue,
        "subscribers": dsr.subscribers,
    }
    return {"summary_id": dsr.summary_id, **{name: _plain(number) for name, number in declared.items()}}


def _message_json(facts: MessageFacts, report: ImportReport) -> dict[str, Any]:
    """What a message says about itself, and its control totals: of all contexts of each currency."""
    return {
        "message": [
            (_("sender"), party_text(facts.sender)),
            (_("recipient"), party_text(facts.recipient)),
            (_("message id"), facts.message_id),
            (_("created"), facts.created),
            (_("template") if facts.template_version else _("profile"), f"{facts.profile} {facts.profile_version}"),
            (_("period"), f"{facts.period_start} – {facts.period_end}"),
            (_("files"), str(facts.file_count)),
        ],
        "control_totals": control_totals([one.dsr for one in report.imported]),
    }


def control_totals(dsrs: Sequence[DSR]) -> list[dict[str, Any]]:
    """The exact sums of DSRs by currency. Contexts whose declared numbers are not known add nothing to them."""
    by_currency: dict[str, list[DSR]] = defaultdict(list)
    for dsr in dsrs:
        by_currency[dsr.currency_id].append(dsr)
    return [
        {
            "currency": currency,
            "dsr_count": len(those),
            "line_count": sum(dsr.line_count for dsr in those),
            "without_lines_count": sum(dsr.line_count == 0 for dsr in those),
            "declared_usages": _sum(dsr.declared_usages for dsr in those),
            "total_usages": _sum(dsr.total_usages for dsr in those),
            "declared_revenue": _sum(dsr.declared_revenue for dsr in those),
            "total_revenue": _sum(dsr.total_revenue for dsr in those),
            "unallocated_revenue": _sum(dsr.unallocated_revenue for dsr in those),
        }
        for currency, those in sorted(by_currency.items())
    ]


def _sum(numbers: Iterable[Decimal | None]) -> str:
    return f"{exact_sum(number or Decimal(0) for number in numbers):f}"


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"
