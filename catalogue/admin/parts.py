"""The lists of problems, rate changes and rejected deliveries."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from catalogue.admin.cells import grouped, link
from catalogue.models import DSR, RateChange, RejectedDelivery, ReportProblem
from dsrhub.admin import ReadOnlyAdmin
from dsrhub.values import plain_id


class DSRFilter(admin.SimpleListFilter):
    """Shows the DSR that a list is limited to, and removes this limit.

    Other pages link to the limited list: the filter offers no choice, as there may be thousands of DSRs.
    """

    title = "DSR"
    parameter_name = "dsr"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        if not self.has_output():
            return []
        return list(DSR.objects.filter(pk=self._number()).values_list("pk", "path"))

    def has_output(self) -> bool:
        return self.value() is not None  # Django omits a filter without output.

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(dsr=self._number())

    def _number(self) -> int:
        number = plain_id(str(self.value() or ""))
        if number is None:
            raise IncorrectLookupParameters
        return number


class PartOfDSRAdmin(ReadOnlyAdmin):
    """Records that belong to a DSR. Users who may view DSRs may view them too."""

    list_select_related = ["dsr"]
    search_fields = ["dsr__path"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm("catalogue.view_dsr")

    @admin.display(description="DSR", ordering="dsr__path")
    def dsr_link(self, part: ReportProblem | RateChange) -> SafeString:
        return link(part.dsr, "dsr_change", part.dsr_id)


@admin.register(ReportProblem)
class ReportProblemAdmin(PartOfDSRAdmin):
    list_display = ["code", "level", "line_link", "column", "value", "dsr_link"]
    list_filter = [DSRFilter, "level", "code"]
    search_fields = ["value", "dsr__path"]
    search_help_text = _("Value, or file name of the DSR")
    ordering = ["-dsr", "id"]

    @admin.display(description=_("line"), ordering="line")
    def line_link(self, problem: ReportProblem) -> SafeString | str | None:
        if problem.line is None:
            return None
        dsr = problem.dsr
        # The lines of a refused file are not stored, and those of a message have numbers of their own.
        if dsr is None or dsr.status == DSR.Status.FAILED or dsr.message_id is not None:
            return grouped(problem.line)
        return link(grouped(problem.line), "dsr_lines", problem.dsr_id, after=problem.line - 1)


@admin.register(RateChange)
class RateChangeAdmin(PartOfDSRAdmin):
    list_display = ["changed_at", "dsr_link", "old_rate", "old_method", "new_rate", "new_method", "changed_by"]
    list_filter = [DSRFilter, "new_method", "changed_at"]
    list_select_related = ["dsr", "changed_by"]
    search_help_text = _("File name of the DSR")


@admin.register(RejectedDelivery)
class RejectedDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["name", "reason", "delivered_at", "delivered_by"]
    list_filter = ["delivered_at"]
    list_select_related = ["delivered_by"]
    search_fields = ["name"]
