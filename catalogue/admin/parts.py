"""The lists of problems, rate changes and rejected deliveries."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from catalogue.admin.cells import dsr_link, link, problem_counts
from catalogue.admin.excerpts import delivered_line
from catalogue.admin.filters import DSRFilter, MeaningFilter, ProblemMessageFilter, RejectionFilter
from catalogue.dsrs.problems import problem_counts_by_code
from catalogue.dsrs.selectors import dsr_get
from catalogue.exceptions import DSRNotFound
from catalogue.imports.loading.values import value_text
from catalogue.models import DSR, RateChange, RejectedDelivery, ReportProblem
from catalogue.rates.sources import source_text
from catalogue.reports.formats.registry import explanation
from dsrhub.pages.list_totals import ListTotalsAdmin
from dsrhub.pages.model_admins import ReadOnlyAdmin
from dsrhub.values.cells import grouped

# The page of what has problems shows the first ones and links to the list of all.
PROBLEMS_ON_A_PAGE = 20


def first_problems(problems: QuerySet[ReportProblem], counts: SafeString | None) -> SafeString | str:
    """Return the first problems under a link to all of them, errors before warnings."""
    if counts is None:
        return "-"
    first = problems.order_by("level", "id")[:PROBLEMS_ON_A_PAGE]
    line = '<div>{}{}{} <span class="note">{}</span> {}</div>'
    return format_html("{}{}", counts, format_html_join("", line, map(_parts, first)))


def _parts(problem: ReportProblem) -> tuple[Any, ...]:
    """The file, the meaning with the place, the value, the remedy and the delivered line of a problem."""
    file = f"{problem.file}: " if problem.file else ""
    value = f" – {value_text(problem.code, problem.value)}" if problem.value else ""
    return file, problem, value, explanation(problem.code).translated().remedy, delivered_line(problem.excerpt)


class PartOfDSRAdmin(ReadOnlyAdmin):
    """Records that belong to a DSR. Users who may view DSRs may view them too."""

    list_select_related = ["dsr"]
    search_fields = ["dsr__path"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm("catalogue.view_dsr")

    @admin.display(description="DSR", ordering="dsr__path")
    def dsr_link(self, part: ReportProblem | RateChange) -> SafeString | None:
        return None if part.dsr is None else dsr_link(part.dsr)


@admin.register(ReportProblem)
class ReportProblemAdmin(ListTotalsAdmin, PartOfDSRAdmin):
    change_list_template = "admin/catalogue/reportproblem/change_list.html"
    list_display = [
        "explained",
        "level",
        "line_link",
        "column",
        "shown_value",
        "delivered_line",
        "dsr_link",
        "delivery",
    ]
    list_filter = [DSRFilter, ProblemMessageFilter, RejectionFilter, "level", ("code", MeaningFilter)]
    list_select_related = ["dsr", "message", "rejection"]
    search_fields = ["value", "file", "dsr__path", "message__message_id", "rejection__name"]
    search_help_text = _("Value, file name, or message id")
    ordering = ["-dsr", "id"]

    fields = [
        "explained",
        "level",
        "file",
        "line",
        "column",
        "shown_value",
        "delivered_line",
        "dsr",
        "message",
        "rejection",
        "code",
    ]
    readonly_fields = ["explained", "delivered_line"]

    def list_context(self, changes: ChangeList) -> dict[str, Any]:
        """The problems of the list by what they mean."""
        return {
            "by_code": [
                {
                    "level": ReportProblem.Level(counted.level).label,
                    "count": grouped(counted.problem_count),
                    "explanation": explanation(counted.code).translated(),
                    "address": changes.get_query_string({"code": counted.code}, ["p"]),
                }
                for counted in problem_counts_by_code(changes.queryset)
            ]
        }

    @admin.display(description=_("meaning"), ordering="code")
    def explained(self, problem: ReportProblem) -> str:
        return str(explanation(problem.code).translated())

    @admin.display(description=_("value"), ordering="value")
    def shown_value(self, problem: ReportProblem) -> str:
        return value_text(problem.code, problem.value) or "-"

    @admin.display(description=_("delivered line"))
    def delivered_line(self, problem: ReportProblem) -> SafeString | str:
        return delivered_line(problem.excerpt)

    @admin.display(description=_("line"), ordering="line")
    def line_link(self, problem: ReportProblem) -> SafeString | str | None:
        if problem.line is None:
            return None
        dsr = problem.dsr
        # The lines of a refused file are not stored, and those of a message have numbers of their own.
        if dsr is None or dsr.status == DSR.Status.FAILED or dsr.message_id is not None:
            return grouped(problem.line)
        return link(grouped(problem.line), "dsr_lines", problem.dsr_id, after=problem.line - 1)

    @admin.display(description=_("message, or rejected delivery"))
    def delivery(self, problem: ReportProblem) -> SafeString | None:
        """Return what the problem belongs to where it is no DSR, and the file of several."""
        owner: Any = None
        if problem.message is not None:
            owner = link(problem.message, "reportmessage_change", problem.message_id)
        elif problem.rejection is not None:
            owner = link(problem.rejection, "rejecteddelivery_change", problem.rejection_id)
        parts = [(part,) for part in (owner, problem.file) if part]
        return format_html_join(", ", "{}", parts) or None


@admin.register(RateChange)
class RateChangeAdmin(PartOfDSRAdmin):
    list_display = ["changed_at", "dsr_link", "old_rate", "old_method", "new_rate", "new_method", "changed_by"]
    list_filter = [DSRFilter, "new_method", "changed_at"]
    list_select_related = ["dsr", "changed_by"]
    search_help_text = _("File name of the DSR")
    fields = [
        *("dsr", "old_rate", "old_method", "shown_old_source", "new_rate", "new_method", "shown_new_source"),
        *("changed_at", "changed_by"),
    ]

    @admin.display(description=_("old source"))
    def shown_old_source(self, change: RateChange) -> str:
        return source_text(change.old_source) or "-"

    @admin.display(description=_("new source"))
    def shown_new_source(self, change: RateChange) -> str:
        return source_text(change.new_source) or "-"


@admin.register(RejectedDelivery)
class RejectedDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["name", "shown_reason", "problem_counts", "delivered_at", "delivered_by"]
    list_filter = ["delivered_at"]
    list_select_related = ["delivered_by"]
    search_fields = ["name"]
    fields = ["name", "shown_reason", "first_problems", "delivered_at", "delivered_by"]

    @admin.display(description=_("reason"), ordering="reason")
    def shown_reason(self, rejection: RejectedDelivery) -> str:
        return rejection.shown_reason

    @admin.display(description=_("problems"), ordering=F("error_count") + F("warning_count"))
    def problem_counts(self, rejection: RejectedDelivery) -> SafeString | None:
        counts = problem_counts(rejection.error_count, rejection.warning_count)
        return link(counts, "reportproblem_changelist", rejection=rejection.pk) if counts else None

    @admin.display(description=_("problems"))
    def first_problems(self, rejection: RejectedDelivery) -> SafeString | str:
        return first_problems(rejection.problems.all(), self.problem_counts(rejection))


def dsr_or_404(dsr_number: int) -> DSR:
    """Return the DSR whose page is requested."""
    try:
        return dsr_get(dsr_number=dsr_number)
    except DSRNotFound as error:
        raise Http404(error.message) from error
