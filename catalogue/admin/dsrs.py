"""The pages of DSRs: the list, the details, the lines, and the deletion."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Sum
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalogue.admin.cells import exact, grouped, link, problem_counts
from catalogue.admin.exports import EXPORTS_OF_DSRS, DSRExportForm
from catalogue.admin.imports import ReportImportMixin
from catalogue.dsrs import selectors, services
from catalogue.dsrs.kept_files import kept_file, kept_file_open
from catalogue.dsrs.selectors import own_resource_count
from catalogue.exceptions import DSRNotFound
from catalogue.models import DSR, RateChange, ReportProblem, UsageLine
from catalogue.querysets import HEADER_LINE
from dsrhub.admin import DeletedByServiceAdmin, UneditedAdmin
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.forms import WholeNumberField
from dsrhub.import_export.button import StreamingExportMixin

LINES_ON_A_PAGE = 200
LINE_COLUMNS = ("line_number", "dsp_id", "title", "artists", "isrc", "usages", "revenue")
# The page of a DSR shows the first problems and links to the list of all.
PROBLEMS_ON_A_DSR = 20
# Nobody reads a longer list before a deletion.
DSRS_IN_A_CONFIRMATION = 100
# Looking for 100,000 resources in the other DSRs of the DSP took one second on two busy cores.
COUNT_SECONDS = 3


class LinesForm(forms.Form):
    """Selects a page of lines."""

    after = WholeNumberField(
        label=_("Lines after line"),
        min_value=0,
        max_value=2**63 - 1,
        required=False,
        error_messages={"invalid": _("This is not a line number.")},
    )


@admin.register(DSR)
class DSRAdmin(ReportImportMixin, StreamingExportMixin, UneditedAdmin, DeletedByServiceAdmin):
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    resource_classes = EXPORTS_OF_DSRS
    export_form_class = DSRExportForm
    list_display = [
        "path",
        "status",
        "territory_code",
        "period",
        "lines",
        "revenue",
        "blanks",
        "problem_counts",
        "imported_at",
    ]
    list_filter = [
        "status",
        "dsp",
        "offer",
        "society",
        ("territory", admin.RelatedOnlyFieldListFilter),
        ("currency", admin.RelatedOnlyFieldListFilter),
        "rate_method",
    ]
    # Sent by the page of a DSR, by the action "Export selected", by the list of operator rates, and by the start page.
    lookups = ["id__exact", "id__in", "period_start", "period_end", "blank_isrc_count__gt", "is_catalogued__exact"]
    search_fields = ["path", "gzip_name", "sha256", "territory__name"]
    search_help_text = _("File name, territory or SHA-256")
    date_hierarchy = "period_start"
    ordering = ["-id"]

    def get_fieldsets(self, request: HttpRequest, obj: DSR | None = None) -> Any:
        report = {"fields": ["dsp", "offer", "society", "territory", "currency", "period"]}
        contents = {"fields": ["lines", "usages", "revenue", "lowest", "blank_cells"]}
        rate = {"fields": ["exchange_rate", "rate_method", "rate_source", "rate_change_count"]}
        delivery = {"fields": ["path", "gzip_name", "sha256", "imported_at", "imported_by"]}
        is_ingested = obj is not None and obj.status == DSR.Status.INGESTED
        return [
            (None, {"fields": ["id", "status", "first_problems"]}),
            (_("Report"), report),
            *([(_("Contents"), contents), (_("Exchange rate"), rate)] if is_ingested else []),
            (_("Delivery"), delivery),
        ]

    @admin.display(description=_("territory"), ordering="territory")
    def territory_code(self, dsr: DSR) -> str:
        return dsr.territory_id

    @admin.display(description=_("period"), ordering="period_start")
    def period(self, dsr: DSR) -> SafeString:
        return format_html(
            '<span class="day">{} –</span> <span class="day">{}</span>', dsr.period_start, dsr.period_end
        )

    @admin.display(description=_("lines"), ordering="line_count")
    def lines(self, dsr: DSR) -> SafeString | None:
        if dsr.status == DSR.Status.FAILED:
            return None
        return link(grouped(dsr.line_count), "dsr_lines", dsr.pk)

    @admin.display(description=_("usages"))
    def usages(self, dsr: DSR) -> str:
        return grouped(dsr.total_usages)

    @admin.display(description=_("revenue"), ordering="total_revenue")
    def revenue(self, dsr: DSR) -> SafeString | None:
        if dsr.status == DSR.Status.FAILED:
            return None
        return format_html("{} {}", exact(dsr.total_revenue), dsr.currency_id)

    @admin.display(description=_("lowest revenue of a line"))
    def lowest(self, dsr: DSR) -> str | None:
        return None if dsr.lowest_revenue is None else grouped(dsr.lowest_revenue)

    @admin.display(description=_("blank cells"))
    def blanks(self, dsr: DSR) -> str | None:
        return None if dsr.status == DSR.Status.FAILED else grouped(dsr.blank_count)

    @admin.display(description=_("blank cells"))
    def blank_cells(self, dsr: DSR) -> str:
        return ", ".join(f"{grouped(getattr(dsr, name))} {label_for_field(name, DSR)}" for name in DSR.BLANK_COUNTS)

    @admin.display(description=_("problems"), ordering=F("error_count") + F("warning_count"))
    def problem_counts(self, dsr: DSR) -> SafeString | None:
        counts = problem_counts(dsr.error_count, dsr.warning_count)
        return link(counts, "reportproblem_changelist", dsr=dsr.pk) if counts else None

    @admin.display(description=_("problems"))
    def first_problems(self, dsr: DSR) -> SafeString | None:
        first = dsr.problems.order_by("level", "id")[:PROBLEMS_ON_A_DSR]
        texts = ((problem, f": {problem.value}" if problem.value else "") for problem in first)
        link = self.problem_counts(dsr)
        return link and format_html("{}{}", link, format_html_join("", "<div>{}{}</div>", texts))

    @admin.display(description=_("rate changes"))
    def rate_change_count(self, dsr: DSR) -> SafeString | None:
        count = dsr.rate_changes.count()
        return link(count, "ratechange_changelist", dsr=dsr.pk) if count else None

    # --- Lines -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        lines = self.admin_site.admin_view(self.lines_view)
        file = self.admin_site.admin_view(self.file_view)
        return [
            path("<int:dsr_number>/lines/", lines, name="catalogue_dsr_lines"),
            path("<int:dsr_number>/file/", file, name="catalogue_dsr_file"),
            *super().get_urls(),
        ]

    def lines_view(self, request: HttpRequest, dsr_number: int) -> HttpResponse:
        """Show the lines of a DSR, page by page. Django's list cannot show a model with a composite key."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        dsr = _dsr_or_404(dsr_number)
        form = LinesForm(request.GET)
        lines: list[UsageLine] = []
        if form.is_valid():
            after = form.cleaned_data["after"] or 0
            lines = selectors.dsr_lines(dsr=dsr, after=after, limit=LINES_ON_A_PAGE)
        last_line = HEADER_LINE + dsr.line_count
        context = {
            **self.admin_site.each_context(request),
            "title": _("Lines of %(path)s") % {"path": dsr.path},
            "opts": self.opts,
            "dsr": dsr,
            "line_count": grouped(dsr.line_count),
            "form": form,
            "columns": [(name, label_for_field(name, UsageLine)) for name in LINE_COLUMNS],
            "rows": [[(name, _formatted(getattr(line, name))) for name in LINE_COLUMNS] for line in lines],
            "next": lines[-1].line_number if lines and lines[-1].line_number < last_line else None,
        }
        status = 200 if form.is_valid() else 400
        return TemplateResponse(request, "admin/catalogue/dsr/lines.html", context, status=status)

    # --- Export ------------------------------------------------------------------------------------------------

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        dsr = DSR.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        may_export = self.has_export_permission(request)
        tools = {
            "has_export_permission": may_export,
            "has_kept_file": may_export and dsr is not None and kept_file(dsr) is not None,
            "has_lines": dsr is not None and dsr.status == DSR.Status.INGESTED,
        }
        return super().change_view(request, object_id, form_url, tools | (extra_context or {}))

    def file_view(self, request: HttpRequest, dsr_number: int) -> FileResponse:
        """Send the delivered file, byte for byte."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        dsr = _dsr_or_404(dsr_number)
        kept = kept_file_open(dsr)
        if kept is None:
            raise Http404(f"The file of DSR {dsr_number} is not kept.")
        return FileResponse(kept, as_attachment=True, filename=dsr.path)

    # --- Delete ------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        """Return the texts of the confirmation page. They use the totals of the DSRs, so no line is loaded."""
        dsrs = list(objs)
        self.note_shown(request, dsrs)
        is_confirmed = "post" in request.POST  # Then the page is not shown again.
        kept = DSR.objects.filter(pk__in=[dsr.pk for dsr in dsrs])
        # The database adds up: Python's decimals would be rounded to 28 digits.
        revenues = kept.ingested().values_list("currency").annotate(Sum("total_revenue")).order_by("currency")
        counts = {
            _("DSRs"): len(dsrs),
            _("lines"): grouped(sum(dsr.line_count for dsr in dsrs)),
            **({} if is_confirmed else {_("recordings that no other DSR reports"): _exclusive_recordings(dsrs)}),
            **{_("revenue in %s") % currency: grouped(revenue) for currency, revenue in revenues},
            _("problems"): grouped(ReportProblem.objects.filter(dsr__in=dsrs).count()),
            _("rate changes"): grouped(RateChange.objects.filter(dsr__in=dsrs).count()),
        }
        summaries = [_summary(dsr) for dsr in dsrs[:DSRS_IN_A_CONFIRMATION]]
        if len(dsrs) > len(summaries):
            summaries.append(_("and %s more") % grouped(len(dsrs) - len(summaries)))
        return summaries, counts, set(), []

    def delete_model(self, request: HttpRequest, obj: DSR) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[DSR]) -> None:
        numbers = [dsr.pk for dsr in queryset]
        self.require_as_shown(request, numbers)
        for number in numbers:
            services.dsr_delete(dsr_number=number)


def _dsr_or_404(dsr_number: int) -> DSR:
    try:
        return selectors.dsr_get(dsr_number=dsr_number)
    except DSRNotFound as error:
        raise Http404(error.message) from error


def _formatted(value: Any) -> Any:
    return exact(value) if isinstance(value, (Decimal, int)) else value


def _exclusive_recordings(dsrs: Sequence[DSR]) -> str:
    """Return the number of recordings that only these DSRs report, or a text if counting them takes too long."""
    try:
        with answered_within(COUNT_SECONDS), transaction.atomic():
            return grouped(own_resource_count(dsrs))
    except OutOfTime:
        return _("not counted: that takes more than %s seconds") % COUNT_SECONDS


def _summary(dsr: DSR) -> str:
    if dsr.status == DSR.Status.FAILED:
        return f"{dsr.path}: {dsr.get_status_display()}"
    lines = ngettext("line", "lines", dsr.line_count)
    return f"{dsr.path}: {grouped(dsr.line_count)} {lines}, {grouped(dsr.total_revenue)} {dsr.currency_id}"
