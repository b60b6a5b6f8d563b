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

from catalogue.admin.cells import days, dsr_name, link, problem_counts, revenue, revenue_kind, terms
from catalogue.admin.declared import DeclaredForm
from catalogue.admin.exports import EXPORTS_OF_DSRS, DSRExportForm
from catalogue.admin.filters import MessageFilter, RevenueKindFilter, UseTypeFilter
from catalogue.admin.imports import ReportImportMixin
from catalogue.admin.parts import dsr_or_404, first_problems
from catalogue.admin.questions import QuestionPages
from catalogue.admin.versions import version_rows
from catalogue.dsrs import selectors, services
from catalogue.dsrs.kept_files import kept_file, kept_file_open
from catalogue.dsrs.selectors import own_resource_count
from catalogue.dsrs.versions import versions_by_dsr
from catalogue.models import DSR, RateChange, ReportProblem, UsageLine
from catalogue.querysets import HEADER_LINE
from dsrhub.admin import DeletedByServiceAdmin, UneditedAdmin
from dsrhub.cells import grouped, money, plain
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.forms import WholeNumberField
from dsrhub.import_export.button import StreamingExportMixin

LINES_ON_A_PAGE = 200
LINE_COLUMNS = ("line_number", "dsp_id", "title", "artists", "isrc", "usages", "revenue")
# Only lines of messages have these.
MESSAGE_LINE_COLUMNS = ("use_type", "is_royalty_bearing", "returns", "transaction_id", "is_release")
USE_TYPES_ON_A_DSR = 100
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
class DSRAdmin(QuestionPages, ReportImportMixin, StreamingExportMixin, UneditedAdmin, DeletedByServiceAdmin):
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    resource_classes = EXPORTS_OF_DSRS
    export_form_class = DSRExportForm
    list_display = [
        "path",
        "status",
        "territory_code",
        "period",
        "offer_and_terms",
        "lines",
        "revenue",
        "blanks",
        "problem_counts",
        "imported_at",
    ]
    list_filter = [
        MessageFilter,
        "status",
        "dsp",
        "offer",
        "society",
        ("territory", admin.RelatedOnlyFieldListFilter),
        ("currency", admin.RelatedOnlyFieldListFilter),
        "commercial_model",
        UseTypeFilter,
        RevenueKindFilter,
        "rate_method",
    ]
    list_select_related = ["message"]
    # Sent by the page of a DSR, by the action "Export selected", by the list of operator rates, and by the start page.
    lookups = ["id__exact", "id__in", "period_start", "period_end", "blank_isrc_count__gt", "is_catalogued__exact"]
    search_fields = ["path", "gzip_name", "sha256", "territory__name", "message__message_id"]
    search_help_text = _("File name, territory, message id or SHA-256")
    date_hierarchy = "period_start"
    ordering = ["-id"]

    def get_fieldsets(self, request: HttpRequest, obj: DSR | None = None) -> Any:
        is_ingested = obj is not None and obj.status == DSR.Status.INGESTED
        of_message = is_ingested and obj is not None and obj.message_id is not None
        report = ["dsp", "offer", "society", "territory", "currency", "period"]
        message = ["message_link", "summary_id", "subscribers_counted"]
        declared = ["usages_declared", "revenue_declared", "revenue_unallocated"]
        contents = ["lines", "usages", "revenue", "lowest", "blank_cells"]
        apart = ["returns_counted", "usages_free", "revenue_free", "use_types"]
        rate = ["exchange_rate", "rate_method", "rate_source", "rate_change_count"]
        delivery = ["path", "gzip_name", "sha256", "imported_at", "imported_by"]
        sections: list[tuple[Any, list[str]]] = [
            (None, ["id", "status", "first_problems"]),
            (_("Report"), report + (["commercial_model", "use_type", "subscriber_type"] if of_message else [])),
            *([(_("Message"), message + declared)] if of_message else []),
            *(
                [(_("Contents"), contents + (apart if of_message else [])), (_("Exchange rate"), rate)]
                if is_ingested
                else []
            ),
            (_("Delivery"), delivery),
        ]
        return [(title, {"fields": fields}) for title, fields in sections]

    @admin.display(description=_("territory"), ordering="territory")
    def territory_code(self, dsr: DSR) -> str:
        return dsr.territory_id

    @admin.display(description=_("period"), ordering="period_start")
    def period(self, dsr: DSR) -> SafeString:
        return days(dsr)

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
        return revenue(dsr)

    @admin.display(description=_("offer"), ordering="offer")
    def offer_and_terms(self, dsr: DSR) -> SafeString:
        """Return the offer with what tells the DSRs of a message apart, and a link to the message."""
        notes = [(note,) for note in (terms(dsr), self.message_link(dsr)) if note]
        return format_html("{}{}", dsr.offer, format_html_join("", ' <span class="note">{}</span>', notes))

    @admin.display(description=_("lowest revenue of a line"))
    def lowest(self, dsr: DSR) -> SafeString | str:
        return _money(dsr.lowest_revenue, dsr)

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
    def first_problems(self, dsr: DSR) -> SafeString | str:
        return first_problems(dsr.problems.all(), self.problem_counts(dsr))

    @admin.display(description=_("rate changes"))
    def rate_change_count(self, dsr: DSR) -> SafeString | str:
        count = dsr.rate_changes.count()
        return link(count, "ratechange_changelist", dsr=dsr.pk) if count else "-"

    # --- DSRs of messages --------------------------------------------------------------------------------------

    @admin.display(description=_("message"), ordering="message")
    def message_link(self, dsr: DSR) -> SafeString | None:
        return None if dsr.message is None else link(dsr.message, "reportmessage_change", dsr.message_id)

    @admin.display(description=_("declared usages"))
    def usages_declared(self, dsr: DSR) -> str:
        return _grouped(dsr.declared_usages)

    @admin.display(description=_("declared revenue"))
    def revenue_declared(self, dsr: DSR) -> SafeString | str:
        return _money(dsr.declared_revenue, dsr)

    @admin.display(description=_("unallocated revenue"))
    def revenue_unallocated(self, dsr: DSR) -> SafeString | str:
        return _money(dsr.unallocated_revenue, dsr)

    @admin.display(description=_("subscribers"))
    def subscribers_counted(self, dsr: DSR) -> str:
        return _grouped(dsr.subscribers)

    @admin.display(description=_("returns"))
    def returns_counted(self, dsr: DSR) -> str:
        return _grouped(dsr.returns)

    @admin.display(description=_("usages without royalty"))
    def usages_free(self, dsr: DSR) -> str:
        return _grouped(dsr.usages_without_royalty)

    @admin.display(description=_("revenue without royalty"))
    def revenue_free(self, dsr: DSR) -> SafeString | str:
        return _money(dsr.revenue_without_royalty, dsr)

    @admin.display(description=_("use types"))
    def use_types(self, dsr: DSR) -> SafeString | None:
        totals = selectors.use_type_totals_by_dsr([dsr], after=0, limit=USE_TYPES_ON_A_DSR).get(dsr.pk, [])
        rows = (
            (
                total.use_type or _("none"),
                grouped(total.line_count),
                grouped(total.total_usages),
                money(total.total_revenue, dsr.currency_id),
            )
            for total in totals
        )
        headings = (_("use type"), _("lines"), _("usages"), _("revenue (%s)") % revenue_kind(dsr))
        return format_html(
            '<table class="use-types"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
            format_html_join("", '<th scope="col">{}</th>', ((heading,) for heading in headings)),
            format_html_join(
                "",
                '<tr><th scope="row">{}</th><td class="number">{}</td><td class="number">{}</td>'
                '<td class="number">{}</td></tr>',
                rows,
            ),
        )

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
        dsr = dsr_or_404(dsr_number)
        form = LinesForm(request.GET)
        lines: list[UsageLine] = []
        if form.is_valid():
            after = form.cleaned_data["after"] or 0
            lines = selectors.dsr_lines(dsr=dsr, after=after, limit=LINES_ON_A_PAGE)
        last_line = HEADER_LINE + dsr.line_count
        names = LINE_COLUMNS + (MESSAGE_LINE_COLUMNS if dsr.message_id is not None else ())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Lines of %(path)s") % {"path": dsr_name(dsr)},
            "opts": self.opts,
            "dsr": dsr,
            "line_count": grouped(dsr.line_count),
            "form": form,
            "revenue_kind": revenue_kind(dsr),
            "columns": [(name, label_for_field(name, UsageLine)) for name in names],
            "rows": [[(name, _cell(dsr, line, name)) for name in names] for line in lines],
            "next": lines[-1].line_number if lines and lines[-1].line_number < last_line else None,
        }
        status = 200 if form.is_valid() else 400
        return TemplateResponse(request, "admin/catalogue/dsr/lines.html", context, status=status)

    # --- Export ------------------------------------------------------------------------------------------------

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        dsr = DSR.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        may_export = self.has_export_permission(request)
        is_ingested = dsr is not None and dsr.status == DSR.Status.INGESTED
        tools = {
            "has_export_permission": may_export,
            "has_kept_file": may_export and dsr is not None and kept_file(dsr) is not None,
            "has_lines": is_ingested,
            "declared": DeclaredForm() if is_ingested else None,
            "versions": [] if dsr is None else version_rows(versions_by_dsr([dsr]).get(dsr.pk, [])),
        }
        return super().change_view(request, object_id, form_url, tools | (extra_context or {}))

    def file_view(self, request: HttpRequest, dsr_number: int) -> FileResponse:
        """Send the delivered file, byte for byte."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        dsr = dsr_or_404(dsr_number)
        kept = kept_file_open(dsr)
        if kept is None:
            raise Http404(f"The file of DSR {dsr_number} is not kept.")
        return FileResponse(kept, as_attachment=True, filename=dsr.path)

    # --- Delete ------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        dsrs = list(objs)
        self.note_shown(request, dsrs)
        summaries, counts = deleted_dsrs(request, dsrs)
        return summaries, counts, set(), []

    def delete_model(self, request: HttpRequest, obj: DSR) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[DSR]) -> None:
        numbers = [dsr.pk for dsr in queryset]
        self.require_as_shown(request, numbers)
        for number in numbers:
            services.dsr_delete(dsr_number=number)


def deleted_dsrs(request: HttpRequest, dsrs: Sequence[DSR]) -> tuple[list[str], dict[Any, Any]]:
    """Return the texts and the counts of a confirmation to delete DSRs. They are totals, so no line is loaded."""
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
    return summaries, counts


def _cell(dsr: DSR, line: UsageLine, name: str) -> Any:
    value = getattr(line, name)
    if name == "use_type":
        return value or dsr.use_type  # A line is silent where its DSR has a use type for all lines.
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "revenue":
        return money(value, dsr.currency_id)
    return plain(value) if isinstance(value, (Decimal, int)) else value


def _grouped(number: Decimal | int | None) -> str:
    return "-" if number is None else grouped(number)


def _money(amount: Decimal | None, dsr: DSR) -> SafeString | str:
    return money(amount, dsr.currency_id) or "-"


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
    amount = f"{grouped(dsr.total_revenue)} {dsr.currency_id} ({revenue_kind(dsr)})"
    return f"{dsr_name(dsr)}: {grouped(dsr.line_count)} {lines}, {amount}"
