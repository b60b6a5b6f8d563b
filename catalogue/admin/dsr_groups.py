"""The pages of what many DSRs have in common, a territory or a currency: their sums, and the way to all about them."""

from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.cells import link, sums_shown
from catalogue.admin.resources.admin import may_see_amounts, may_see_recordings
from catalogue.dsrs.statistics.sums import dsr_sums, with_dsr_sums
from catalogue.models import DSR
from dsrhub.pages.list_totals import Total
from dsrhub.pages.model_admins import ReadOnlyAdmin
from dsrhub.values.cells import grouped, rounded

INGESTED = {"status__exact": DSR.Status.INGESTED.value}


class DSRGroupAdmin(ReadOnlyAdmin):
    """Rows that DSRs name in the field `of_dsrs`. Users who may view DSRs also see the sums of the ingested ones."""

    of_dsrs: ClassVar[str]
    # The lookup by which the list of DSRs filters for a row.
    dsr_lookup: ClassVar[str]
    change_form_template = "admin/catalogue/dsr_group/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return with_dsr_sums(rows, self.of_dsrs) if may_see_amounts(request) else rows

    def get_list_display(self, request: HttpRequest) -> Any:
        sums = ["dsrs", "lines", "revenue_eur"] if may_see_amounts(request) else []
        return [*super().get_list_display(request), *sums]

    @admin.display(description=gettext_lazy("DSRs"), ordering="ingested_count")
    def dsrs(self, row: Any) -> SafeString | None:
        count = row.ingested_count
        return link(grouped(count), "dsr_changelist", **INGESTED, **{self.dsr_lookup: row.pk}) if count else None

    @admin.display(description=gettext_lazy("lines"), ordering="line_count")
    def lines(self, row: Any) -> str | None:
        return grouped(row.line_count) if row.ingested_count else None

    @admin.display(description=gettext_lazy("revenue in EUR"), ordering="total_revenue_eur")
    def revenue_eur(self, row: Any) -> SafeString | None:
        revenue: Decimal = row.total_revenue_eur
        return rounded(revenue) if row.ingested_count else None

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        row = self.get_object(request, object_id) if may_see_amounts(request) else None
        shown = {} if row is None else self._group(request, row)
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    def _group(self, request: HttpRequest, row: Model) -> dict[str, Any]:
        sums = dsr_sums(DSR.objects.ingested().filter(**{self.of_dsrs: row.pk}))
        return {
            "sums": [Total(_("DSRs"), grouped(sums.dsr_count)), *sums_shown(sums)],
            "links": self._links(request, row),
        }

    def _links(self, request: HttpRequest, row: Model) -> list[tuple[str, str]]:
        """Return the names and the addresses of the pages about the DSRs of a row."""
        chosen = {self.of_dsrs: row.pk}
        top = [(_("Top recordings"), "resource_top", chosen)] if may_see_recordings(request) else []
        pages = [
            (_("DSRs"), "dsr_changelist", {**INGESTED, self.dsr_lookup: row.pk}),
            (_("Breakdown by month"), "dsr_breakdown", {"by": "month", **chosen}),
            (_("Breakdown by DSP"), "dsr_breakdown", {"by": "dsp", **chosen}),
            (_("Coverage"), "dsr_coverage", chosen),
            *top,
        ]
        return [(name, reverse(f"admin:catalogue_{view}", query=query)) for name, view, query in pages]
