"""What people see of a checked file before they confirm: plain values, which a page shows and JSON can hold.

Servers and workers of earlier releases read the same values, so their names stay.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from catalogue.imports.contexts import settled_contexts
from catalogue.imports.earlier import find_earlier
from catalogue.imports.outcome import ImportReport
from catalogue.imports.services import DeliveredFile
from catalogue.models import DSR, ImportJob
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.registry import format_of
from catalogue.reports.problems import Problem
from dsrhub.database import locks
from dsrhub.exceptions import DsrhubError

PREVIEW_LINES, PREVIEW_PROBLEMS = 20, 100
# The parts of a problem.
PROBLEM_PARTS = ("level", "code", "line", "column", "value", "file")


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
    kept: list[Problem] = report.problems.kept if report else extra.get("problems", [])
    job.problems = problem_rows(kept)
    deliveries = [Delivery(file.path, file.name, folder=file.folder) for file in files]
    contexts = [one.dsr.context for one in report.imported] if report else settled_contexts(deliveries)
    columns, lines = format_of(deliveries[0]).preview(deliveries, PREVIEW_LINES)
    job.keys = [_key(context) for context in contexts]
    job.preview = {
        **_dsrs_json(contexts, report),
        "missing": [[dsr.pk, f"{dsr.path}: {dsr.context}"] for dsr in report.missing] if report else [],
        "columns": columns,
        "lines": lines,
        "error_count": extra.get("error_count", 0),
        "warning_count": report.problems.warning_count if report else extra.get("warning_count", 0),
        "problems": problems_json(job.problems),
        "kept_count": len(kept),
    }


def _key(context: SalesContext) -> str:
    """The key of a context as a text, by which jobs of one upload find each other."""
    kinds = (context.commercial_model, context.use_type, context.subscriber_type)
    return locks.DSR_KEY.key(**asdict(context)) + ("" if kinds == (None, None, None) else repr(kinds))


def problem_rows(problems: Sequence[Problem]) -> list[list[Any]]:
    """The parts of each problem. What keeps the file out comes first."""
    return [
        [
            *("error" if problem.is_error else "warning", problem.code),
            *(problem.line, problem.column, problem.value, problem.file),
        ]
        for problem in sorted(problems, key=lambda problem: not problem.is_error)
    ]


def problems_json(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The first problems, by the names of their parts. Those of a delivery of one file do not name it."""
    first = [dict(zip(PROBLEM_PARTS, row, strict=True)) for row in rows[:PREVIEW_PROBLEMS]]
    return [{name: part for name, part in one.items() if name != "file" or part is not None} for one in first]


def earlier_shown(job: ImportJob) -> list[int]:
    """The ids of the earlier DSRs that people saw when they chose to replace them."""
    return [one["earlier"]["id"] for one in shown_dsrs(job.preview or {}) if one.get("earlier")]


def missing_shown(job: ImportJob) -> list[int]:
    """The ids of the DSRs that people saw when they chose to drop missing contexts."""
    return [number for number, _ in (job.preview or {}).get("missing", [])]


def shown_dsrs(preview: dict[str, Any]) -> list[dict[str, Any]]:
    """The DSRs of a preview. Where there is only one, its values are those of the preview itself."""
    return preview.get("dsrs") or [preview]


def earlier_follow(job: ImportJob, report: ImportReport) -> None:
    """Let the jobs that were confirmed together with a loaded one, to replace it, replace just the DSRs that it became.

    Runs in the caller's transaction. These jobs wait for this one (`loads_before`), so nobody works on them.
    """
    waiting = ImportJob.objects.select_for_update().filter(
        upload=job.upload, state=ImportJob.State.TO_LOAD, replace=True, pk__gt=job.pk, keys__overlap=job.keys
    )
    for other in waiting.order_by("pk"):
        loaded = dict(zip(job.keys, report.imported, strict=True))
        preview = cast(dict[str, Any], other.preview)  # It is set together with the keys.
        shown = shown_dsrs(preview)
        for key, one in zip(other.keys, shown, strict=True):
            if key in loaded:
                one["earlier"] = _earlier_json(loaded[key].dsr)
        preview["earlier"] = _first_earlier(shown)
        other.save(update_fields=["preview"])


def _first_earlier(shown: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return next((one["earlier"] for one in shown if one["earlier"]), None)


def _dsrs_json(contexts: Sequence[SalesContext], report: ImportReport | None) -> dict[str, Any]:
    if not contexts:
        return {"report": None, "rate": None, "earlier": None, "totals": None}
    dsrs: Sequence[DSR | None] = [one.dsr for one in report.imported] if report else [None] * len(contexts)
    earlier = find_earlier(contexts, None).by_context
    each = [_dsr_json(*one) for one in zip(contexts, dsrs, earlier, strict=True)]
    if len(each) == 1:
        return each[0]
    return {"report": None, "rate": None, "earlier": _first_earlier(each), "totals": None, "dsrs": each}


def _dsr_json(context: SalesContext, dsr: DSR | None, earlier: DSR | None) -> dict[str, Any]:
    return {
        "report": _context_json(context),
        "rate": dsr and {"value": f"{dsr.exchange_rate:f}", "source": dsr.rate_source},
        "earlier": _earlier_json(earlier),
        "totals": dsr and _totals_json(dsr),
    }


def _context_json(context: SalesContext) -> list[tuple[str, str | None]]:
    # Pairs, as the database orders the keys of an object in its own way.
    return [
        ("DSP", context.dsp),
        ("offer", context.offer),
        ("society", context.society),
        ("territory", context.territory),
        ("currency", context.currency),
        ("period", f"{context.period_start} – {context.period_end}"),
    ]


def _earlier_json(dsr: DSR | None) -> dict[str, Any] | None:
    return (
        {
            "id": dsr.pk,
            "path": dsr.path,
            "imported_at": dsr.imported_at.isoformat(),
            "line_count": dsr.line_count,
            "total_revenue": f"{dsr.total_revenue:f}",
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
