"""What the page of a DSR shows first: amounts, its neighbours, recordings, problems and earlier versions."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalogue.admin.cells import days, lines, link, problem_counts, revenue, revenue_eur
from catalogue.admin.excerpts import delivered_line
from catalogue.admin.resources.admin import may_see_recordings, quick_top
from catalogue.admin.versions import version_rows
from catalogue.dsrs.problems import CodeCount, problem_counts_by_code
from catalogue.dsrs.statistics.series import series_neighbours
from catalogue.dsrs.versions.selectors import versions_by_dsr
from catalogue.lines.scope import Scope
from catalogue.models import DSR, ReportProblem
from catalogue.reports.formats.registry import explanation
from dsrhub.pages.list_totals import Total
from dsrhub.values.cells import grouped


def dsr_page(request: HttpRequest, dsr: DSR) -> dict[str, Any]:
    """Return the context of the summary of a DSR that was read `with_revenue_eur`."""
    is_ingested = dsr.status == DSR.Status.INGESTED
    counts = problem_counts_by_code(dsr.problems.all())
    first_of_code = {problem.code: problem for problem in dsr.problems.order_by("code", "id").distinct("code")}
    kept = sum(one.problem_count for one in counts)
    return {
        "summary": _summary(dsr),
        "neighbours": _neighbours(dsr),
        "problems": [_problem_row(dsr, one, first_of_code[one.code]) for one in counts],
        "problems_address": reverse("admin:catalogue_reportproblem_changelist", query={"dsr": dsr.pk}),
        "unkept_count": max(dsr.error_count + dsr.warning_count - kept, 0),
        "versions": version_rows(versions_by_dsr([dsr]).get(dsr.pk, [])),
        **(_top(dsr) if is_ingested and may_see_recordings(request) else {}),
    }


def _summary(dsr: DSR) -> list[Total]:
    if dsr.status == DSR.Status.FAILED:
        return [
            Total(_("status"), dsr.get_status_display()),
            Total(_("period"), days(dsr)),
            Total(_("problems"), problem_counts(dsr.error_count, dsr.warning_count) or "–"),
        ]
    return [
        Total(_("revenue"), revenue(dsr)),
        Total(_("revenue in EUR"), revenue_eur(dsr)),
        Total(_("usages"), grouped(dsr.total_usages)),
        Total(_("lines"), lines(dsr)),
        Total(_("territory"), str(dsr.territory)),
        Total(_("period"), days(dsr)),
        Total(_("problems"), problem_counts(dsr.error_count, dsr.warning_count) or _("none")),
    ]


# --- The series ------------------------------------------------------------------------------------------------


def _neighbours(dsr: DSR) -> dict[str, Any]:
    before, after = series_neighbours(dsr)
    coverage = {"dsp": dsr.dsp, "offer": dsr.offer, "territory": dsr.territory_id, "currency": dsr.currency_id}
    months = {"first": f"{dsr.period_start:%Y-%m}", "last": f"{dsr.period_end:%Y-%m}"}
    return {
        "before": before and _neighbour(before, gap_after(before, dsr)),
        "after": after and _neighbour(after, gap_after(dsr, after)),
        "coverage": reverse("admin:catalogue_dsr_coverage", query=coverage | months),
    }


def _neighbour(dsr: DSR, gap: str) -> dict[str, Any]:
    return {"link": link(days(dsr), "dsr_change", dsr.pk), "revenue_eur": revenue_eur(dsr), "gap": gap}


def gap_after(first: DSR, second: DSR) -> str:
    """Return how many days lie between two periods, or are in both; "" where the one follows the other."""
    count = (second.period_start - first.period_end).days - 1
    if count > 0:
        return ngettext("%(count)s day between is missing", "%(count)s days between are missing", count) % {
            "count": grouped(count)
        }
    if count < 0:
        return _("the periods overlap")
    return ""


# --- Recordings and problems -----------------------------------------------------------------------------------


def _top(dsr: DSR) -> dict[str, Any]:
    """Return the recordings with the most revenue, or None for them while their ranking is in progress."""
    top = quick_top(scope=Scope(dsrs=(dsr.pk,)), line_count=dsr.line_count)
    return {"top": top, "is_top_ready": top is not None, "has_top": True}


def _problem_row(dsr: DSR, counted: CodeCount, first: ReportProblem) -> dict[str, Any]:
    meaning = explanation(counted.code).translated()
    return {
        "level": ReportProblem.Level(counted.level).label,
        "is_error": counted.level == ReportProblem.Level.ERROR,
        "count": link(grouped(counted.problem_count), "reportproblem_changelist", dsr=dsr.pk, code=counted.code),
        "sentence": meaning.sentence,
        "remedy": meaning.remedy,
        "first_line": _first_line(dsr, counted.first_line),
        "delivered_line": delivered_line(first.excerpt),
    }


def _first_line(dsr: DSR, line: int | None) -> SafeString | str | None:
    """Return the first line that has the problem, as a link where it is stored under this number."""
    if line is None:
        return None
    if dsr.status == DSR.Status.FAILED or dsr.message_id is not None:
        return grouped(line)
    return link(grouped(line), "dsr_lines", dsr.pk, after=line - 1)
