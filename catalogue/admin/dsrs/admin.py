"""The pages of DSRs: the list, the details, the lines, and the deletion."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from catalogue.admin.cells import (
    days,
    dsr_name,
    lines,
    link,
    problem_counts,
    revenue,
    revenue_eur,
    revenue_kind,
    sums_shown,
    template_link,
    terms,
)
from catalogue.admin.declared import DeclaredForm
from catalogue.admin.dsrs.lines import LinesPage
from catalogue.admin.dsrs.page import dsr_page
from catalogue.admin.exports import EXPORTS_OF_DSRS, DSRExportForm
from catalogue.admin.filters import MessageFilter, RevenueKindFilter, UseTypeFilter
from catalogue.admin.folders import FoldersPage
from catalogue.admin.imports.button import ReportImportMixin, may_replace
from catalogue.admin.parts import dsr_or_404
from catalogue.admin.questions import QuestionPages
from catalogue.admin.versions import may_revert
from catalogue.dsrs import selectors, services
from catalogue.dsrs.kept_files import kept_file, kept_file_open
from catalogue.dsrs.selectors import own_resource_count
from catalogue.dsrs.statistics.sums import Sums, dsr_sums
from catalogue.models import DSR, RateChange, ReportProblem, SupersededDSR
from catalogue.rates.sources import source_text
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.pages.list_totals import ListTotalsAdmin, Total
from dsrhub.pages.model_admins import DeletedByServiceAdmin, UneditedAdmin
from dsrhub.values.cells import grouped, money, rounded
from dsrhub.values.numbers import plain_id

USE_TYPES_ON_A_DSR = 100
# Nobody reads a longer list before a deletion.
DSRS_IN_A_CONFIRMATION = 100
# Looking for 100,000 resources in the other DSRs of the DSP took one second on two busy cores.
COUNT_SECONDS = 3


@admin.register(DSR)
class DSRAdmin(
    QuestionPages,
    LinesPage,
    FoldersPage,
    ListTotalsAdmin,
    ReportImportMixin,
    StreamingExportMixin,
    UneditedAdmin,
    DeletedByServiceAdmin,
):
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
        "revenue_in_eur",
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
    lookups += ["period_start__gte", "period_end__lte", "imported_at__gte", "problems__code__exact"]
    search_fields = ["path", "gzip_name", "sha256", "territory__name", "territory__code_2__territory_named"]
    search_fields += ["message__message_id"]
    search_help_text = _("File name, territory, message id or SHA-256")
    date_hierarchy = "period_start"
    ordering = ["-id"]

    def get_fieldsets(self, request: HttpRequest, obj: DSR | None = None) -> Any:
        is_ingested = obj is not None and obj.status == DSR.Status.INGESTED
        of_message = is_ingested and obj is not None and obj.message_id is not None
        report = ["dsp", "offer", "society", "territory", "currency", "period"]
        of_template = ["read_with"] if obj and obj.message and obj.message.template_version_id else []
        message = ["message_link", *of_template, "summary_id", "subscribers_counted"]
        declared = ["usages_declared", "revenue_declared", "revenue_unallocated"]
        contents = ["lines", "usages", "revenue", "lowest", "blank_cells"]
        apart = ["returns_counted", "usages_free", "revenue_free", "use_types"]
        rate = ["exchange_rate", "rate_method", "shown_rate_source", "rate_change_count"]
        delivery = ["path", "gzip_name", "sha256", "imported_at", "imported_by"]
        sections: list[tuple[Any, list[str]]] = [
            (None, ["id", "status"]),
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[DSR]:
        dsrs: QuerySet[DSR] = DSR.objects.all().with_revenue_eur()
        return dsrs.order_by(*self.ordering)

    def list_totals(self, rows: QuerySet[DSR]) -> list[Total]:
        sums = dsr_sums(rows)
        failed = [Total(gettext("failed DSRs"), grouped(sums.failed_count))] if sums.failed_count else []
        return [Total(gettext("ingested DSRs"), grouped(sums.dsr_count)), *failed, *sums_shown(sums)]

    @admin.display(description=_("territory"), ordering="territory")
    def territory_code(self, dsr: DSR) -> str:
        return dsr.territory_id

    @admin.display(description=_("period"), ordering="period_start")
    def period(self, dsr: DSR) -> SafeString:
        return days(dsr)

    @admin.display(description=_("lines"), ordering="line_count")
    def lines(self, dsr: DSR) -> SafeString | None:
        return lines(dsr)

    @admin.display(description=_("usages"))
    def usages(self, dsr: DSR) -> str:
        return grouped(dsr.total_usages)

    @admin.display(description=_("revenue"), ordering="total_revenue")
    def revenue(self, dsr: DSR) -> SafeString | None:
        return revenue(dsr)

    @admin.display(description=_("revenue in EUR"), ordering="total_revenue_eur")
    def revenue_in_eur(self, dsr: DSR) -> SafeString | None:
        return revenue_eur(dsr)

    @admin.display(description=_("offer"), ordering="offer")
    def offer_and_terms(self, dsr: DSR) -> SafeString:
        """Return the offer with what tells the DSRs of a message apart, and a link to the message."""
        notes = [(note,) for note in (terms(dsr), self.message_link(dsr)) if note]
        return format_html("{}{}", dsr.offer, format_html_join("", ' <span class="note">{}</span>', notes))

    @admin.display(description=_("lowest revenue of a line"))
    def lowest(self, dsr: DSR) -> SafeString | str:
        return _money(dsr.lowest_revenue, dsr)

    @admin.display(description=_("blank cells"))
    def blank_cells(self, dsr: DSR) -> str:
        return ", ".join(f"{grouped(getattr(dsr, name))} {label_for_field(name, DSR)}" for name in DSR.BLANK_COUNTS)

    @admin.display(description=_("problems"), ordering=F("error_count") + F("warning_count"))
    def problem_counts(self, dsr: DSR) -> SafeString | None:
        counts = problem_counts(dsr.error_count, dsr.warning_count)
        return link(counts, "reportproblem_changelist", dsr=dsr.pk) if counts else None

    @admin.display(description=_("rate source"))
    def shown_rate_source(self, dsr: DSR) -> str:
        return source_text(dsr.rate_source) or "-"

    @admin.display(description=_("rate changes"))
    def rate_change_count(self, dsr: DSR) -> SafeString | str:
        count = dsr.rate_changes.count()
        return link(count, "ratechange_changelist", dsr=dsr.pk) if count else "-"

    # --- DSRs of messages --------------------------------------------------------------------------------------

    @admin.display(description=_("message"), ordering="message")
    def message_link(self, dsr: DSR) -> SafeString | None:
        return None if dsr.message is None else link(dsr.message, "reportmessage_change", dsr.message_id)

    @admin.display(description=_("template"))
    def read_with(self, dsr: DSR) -> SafeString | None:
        return template_link(dsr.message)

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

    # --- Pages -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        file = self.admin_site.admin_view(self.file_view)
        return [path("<int:dsr_number>/file/", file, name="catalogue_dsr_file"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        dsr = self.get_queryset(request).filter(pk=plain_id(object_id) or 0).first()
        may_export = self.has_export_permission(request)
        is_ingested = dsr is not None and dsr.status == DSR.Status.INGESTED
        tools = {
            "has_export_permission": may_export,
            "has_kept_file": may_export and dsr is not None and kept_file(dsr) is not None,
            "has_lines": is_ingested,
            "declared": DeclaredForm() if is_ingested else None,
            "may_replace": is_ingested and self.has_import_permission(request) and may_replace(request),
            **(dsr_page(request, dsr) if dsr is not None and self.has_view_permission(request) else {}),
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
        request.deleted = numbers  # type: ignore[attr-defined]

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        response = super().response_delete(request, obj_display, obj_id)
        _say_way_back(request)
        return response

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        response = super().response_action(request, *args, **kwargs)
        _say_way_back(request)
        return response


def _say_way_back(request: HttpRequest) -> None:
    """Say to users who may revert how deleted DSRs come back, as far as they are kept."""
    if not (deleted := getattr(request, "deleted", None)) or not may_revert(request):
        return
    kept = list(SupersededDSR.objects.filter(pk__in=deleted).order_by("pk").values_list("pk", flat=True))
    if len(kept) == 1:
        messages.info(request, link(gettext("Take the DSR back"), "supersededdsr_revert", kept[0]))
    elif kept:
        # The list begins with the latest, so that of many needs no filter, whose address would be too long.
        query = {"id__in": ",".join(map(str, kept))} if len(kept) <= DSRS_IN_A_CONFIRMATION else {}
        messages.info(request, link(gettext("Take DSRs back"), "supersededdsr_changelist", **query))


def deleted_dsrs(request: HttpRequest, dsrs: Sequence[DSR]) -> tuple[list[str | SafeString], dict[Any, Any]]:
    """Return the texts and the counts of a confirmation to delete DSRs. They are totals, so no line is loaded."""
    is_confirmed = "post" in request.POST  # Then the page is not shown again.
    kept = DSR.objects.filter(pk__in=[dsr.pk for dsr in dsrs])
    counts: dict[Any, Any] = {
        _("DSRs"): grouped(len(dsrs)),
        _("lines"): grouped(sum(dsr.line_count for dsr in dsrs)),
        **({} if is_confirmed else {_("recordings that no other DSR reports"): _exclusive_recordings(dsrs)}),
        **_revenues(dsr_sums(kept.ingested())),
        _("problems"): grouped(ReportProblem.objects.filter(dsr__in=dsrs).count()),
        _("rate changes"): grouped(RateChange.objects.filter(dsr__in=dsrs).count()),
    }
    summaries = [_summary(dsr) for dsr in dsrs[:DSRS_IN_A_CONFIRMATION]]
    if len(dsrs) > len(summaries):
        summaries.append(_("and %s more") % grouped(len(dsrs) - len(summaries)))
    return summaries, counts


def _revenues(sums: Sums) -> dict[str, SafeString]:
    """Return the revenue of each currency, and the revenue of several in EUR."""
    revenues = {gettext("revenue in %s") % one.currency: rounded(one.revenue) for one in sums.currencies}
    if len(sums.currencies) > 1:
        revenues[gettext("revenue of all in EUR")] = rounded(sums.revenue_eur)
    return revenues


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


def _summary(dsr: DSR) -> str | SafeString:
    if dsr.status == DSR.Status.FAILED:
        return f"{dsr.path}: {dsr.get_status_display()}"
    lines = ngettext("line", "lines", dsr.line_count)
    amount = format_html("{} ({})", money(dsr.total_revenue, dsr.currency_id), revenue_kind(dsr))
    return format_html("{}: {} {}, {}", dsr_name(dsr), grouped(dsr.line_count), lines, amount)
