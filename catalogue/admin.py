"""The back office: DSRs and what they are measured in. Every change goes through the services."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalogue import rates, selectors, services
from catalogue.exceptions import DSRNotFound
from catalogue.models import (
    DSR,
    Currency,
    EcbRate,
    OperatorRate,
    RateChange,
    RejectedDelivery,
    ReportProblem,
    Territory,
    UsageLine,
)
from catalogue.querysets import HEADER_LINE
from dsrhub.admin import DeletedByServiceAdmin, ReadOnlyAdmin, UneditedAdmin
from dsrhub.exceptions import DsrhubError

LINES_ON_A_PAGE = 200
LINE_COLUMNS = ("line_number", "dsp_id", "title", "artists", "isrc", "usages", "revenue")
# On the page of a DSR; all of them have a list of their own.
PROBLEMS_ON_A_DSR = 20


def _grouped(number: Decimal | int) -> str:
    """All digits of a number, with thousands apart and without an exponent."""
    return f"{Decimal(number):,f}"


def _exact(number: Decimal | int) -> SafeString:
    """The same for a narrow column, where decimals, of which there may be dozens, stand back."""
    whole, point, decimals = _grouped(number).partition(".")
    return format_html('{}<wbr><span class="decimals">{}{}</span>', whole, point, decimals)


def _link(text: Any, view: str, *args: Any, **query: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:catalogue_{view}", args=args, query=query), text)


# --- DSRs ------------------------------------------------------------------------------------------------------


class LinesForm(forms.Form):
    """Which page of lines."""

    after = forms.IntegerField(
        label=_("Lines after line"),
        min_value=0,
        max_value=2**63 - 1,
        required=False,
        error_messages={"invalid": _("This is not a line number.")},
    )


@admin.register(DSR)
class DSRAdmin(UneditedAdmin, DeletedByServiceAdmin):
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
        return _link(_grouped(dsr.line_count), "dsr_lines", dsr.pk)

    @admin.display(description=_("usages"))
    def usages(self, dsr: DSR) -> str:
        return _grouped(dsr.total_usages)

    @admin.display(description=_("revenue"), ordering="total_revenue")
    def revenue(self, dsr: DSR) -> SafeString | None:
        if dsr.status == DSR.Status.FAILED:
            return None
        return format_html("{} {}", _exact(dsr.total_revenue), dsr.currency_id)

    @admin.display(description=_("lowest revenue of a line"))
    def lowest(self, dsr: DSR) -> str | None:
        return None if dsr.lowest_revenue is None else _grouped(dsr.lowest_revenue)

    @admin.display(description=_("blank cells"))
    def blanks(self, dsr: DSR) -> str | None:
        return None if dsr.status == DSR.Status.FAILED else _grouped(dsr.blank_count)

    @admin.display(description=_("blank cells"))
    def blank_cells(self, dsr: DSR) -> str:
        return ", ".join(f"{_grouped(getattr(dsr, name))} {label_for_field(name, DSR)}" for name in DSR.BLANK_COUNTS)

    @admin.display(description=_("problems"), ordering=F("error_count") + F("warning_count"))
    def problem_counts(self, dsr: DSR) -> SafeString | None:
        errors, warnings = dsr.error_count, dsr.warning_count
        counts = [
            f"{_grouped(count)} {name}"
            for count, name in (
                (errors, ngettext("error", "errors", errors)),
                (warnings, ngettext("warning", "warnings", warnings)),
            )
            if count
        ]
        return _link(", ".join(counts), "reportproblem_changelist", dsr=dsr.pk) if counts else None

    @admin.display(description=_("problems"))
    def first_problems(self, dsr: DSR) -> SafeString | None:
        first = dsr.problems.order_by("level", "id")[:PROBLEMS_ON_A_DSR]
        texts = ((problem, f": {problem.value}" if problem.value else "") for problem in first)
        link = self.problem_counts(dsr)
        return link and format_html("{}{}", link, format_html_join("", "<div>{}{}</div>", texts))

    @admin.display(description=_("rate changes"))
    def rate_change_count(self, dsr: DSR) -> SafeString | None:
        count = dsr.rate_changes.count()
        return _link(count, "ratechange_changelist", dsr=dsr.pk) if count else None

    # --- Lines -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        lines = self.admin_site.admin_view(self.lines_view)
        return [path("<int:dsr_number>/lines/", lines, name="catalogue_dsr_lines"), *super().get_urls()]

    def lines_view(self, request: HttpRequest, dsr_number: int) -> HttpResponse:
        """The lines of a DSR, page by page. Django's list cannot show a model with a composite key."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            dsr = selectors.dsr_get(dsr_number=dsr_number)
        except DSRNotFound as error:
            raise Http404(error.message) from error
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
            "line_count": _grouped(dsr.line_count),
            "form": form,
            "columns": [(name, label_for_field(name, UsageLine)) for name in LINE_COLUMNS],
            "rows": [[(name, _cell(getattr(line, name))) for name in LINE_COLUMNS] for line in lines],
            "next": lines[-1].line_number if lines and lines[-1].line_number < last_line else None,
        }
        status = 200 if form.is_valid() else 400
        return TemplateResponse(request, "admin/catalogue/dsr/lines.html", context, status=status)

    # --- Delete ------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        """What the confirmation says: counted from the DSRs themselves, without loading what they hold."""
        dsrs = list(objs)
        kept = DSR.objects.filter(pk__in=[dsr.pk for dsr in dsrs])
        # The database adds up, as Python's decimals would be rounded to 28 digits.
        revenues = kept.ingested().values_list("currency").annotate(Sum("total_revenue")).order_by("currency")
        counts = {
            _("DSRs"): len(dsrs),
            _("lines"): _grouped(sum(dsr.line_count for dsr in dsrs)),
            **{_("revenue in %s") % currency: _grouped(revenue) for currency, revenue in revenues},
            _("problems"): _grouped(ReportProblem.objects.filter(dsr__in=dsrs).count()),
            _("rate changes"): _grouped(RateChange.objects.filter(dsr__in=dsrs).count()),
        }
        return [_contents(dsr) for dsr in dsrs], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: DSR) -> None:
        services.dsr_delete(dsr_number=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[DSR]) -> None:
        for dsr in queryset:
            self.delete_model(request, dsr)


def _cell(value: Any) -> Any:
    return _exact(value) if isinstance(value, (Decimal, int)) else value


def _contents(dsr: DSR) -> str:
    if dsr.status == DSR.Status.FAILED:
        return f"{dsr.path}: {dsr.get_status_display()}"
    lines = ngettext("line", "lines", dsr.line_count)
    return f"{dsr.path}: {_grouped(dsr.line_count)} {lines}, {_grouped(dsr.total_revenue)} {dsr.currency_id}"


# --- What DSRs have --------------------------------------------------------------------------------------------


class DSRFilter(admin.SimpleListFilter):
    """Shows of which DSR a list is, and lets go of it. The way in is a link: all DSRs would be too many to offer."""

    title = "DSR"
    parameter_name = "dsr"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        if not self.has_output():
            return []
        return list(DSR.objects.filter(pk=self._number()).values_list("pk", "path"))

    def has_output(self) -> bool:
        return self.value() is not None  # else Django leaves the filter out

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(dsr=self._number())

    def _number(self) -> int:
        try:
            return int(self.value() or "")
        except ValueError as error:
            raise IncorrectLookupParameters from error


class PartOfDSRAdmin(ReadOnlyAdmin):
    """What belongs to a DSR: who may see the DSR sees it."""

    list_select_related = ["dsr"]
    search_fields = ["dsr__path"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm("catalogue.view_dsr")

    @admin.display(description="DSR", ordering="dsr__path")
    def dsr_link(self, part: ReportProblem | RateChange) -> SafeString:
        return _link(part.dsr, "dsr_change", part.dsr_id)


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
        if problem.dsr.status == DSR.Status.FAILED:
            return _grouped(problem.line)
        return _link(_grouped(problem.line), "dsr_lines", problem.dsr_id, after=problem.line - 1)


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


# --- What DSRs are measured in ---------------------------------------------------------------------------------


@admin.register(Territory)
class TerritoryAdmin(ReadOnlyAdmin):
    list_display = ["code_2", "name", "local_currency"]
    list_select_related = ["local_currency"]
    search_fields = ["code_2", "name"]


@admin.register(Currency)
class CurrencyAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "symbol"]
    search_fields = ["code", "name"]


@admin.register(EcbRate)
class EcbRateAdmin(ReadOnlyAdmin):
    list_display = ["day", "currency", "rate"]
    list_filter = [("currency", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["currency"]
    date_hierarchy = "day"
    show_full_result_count = False


class OperatorRateForm(forms.ModelForm):
    class Meta:
        help_texts = {
            "period_start": _("The rate is for DSRs of exactly this period."),
            "period_end": _("The last day that belongs to it."),
        }

    def clean(self) -> dict[str, Any]:
        """The service's own checks, told beside the field that they are about."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            instance = self.instance
            try:
                rates.operator_rate_check(
                    currency=cleaned["currency"].pk if "currency" in cleaned else instance.currency_id,
                    period_start=cleaned.get("period_start", instance.period_start),
                    period_end=cleaned.get("period_end", instance.period_end),
                    rate=cleaned["rate"],
                )
            except DsrhubError as error:
                field = next((name for name in error.extra if name in self.fields), None)
                self.add_error(field, forms.ValidationError(error.message, code=error.code))
        return cleaned


@admin.register(OperatorRate)
class OperatorRateAdmin(DeletedByServiceAdmin):
    form = OperatorRateForm
    list_display = ["currency", "period_start", "period_end", "rate", "note", "dsrs", "entered_by", "entered_at"]
    list_filter = [("currency", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["currency", "entered_by"]
    actions = None  # Each is taken back by itself, as its DSRs must find another rate.

    @admin.display(description="DSRs")
    def dsrs(self, rate: OperatorRate) -> SafeString:
        period = {"period_start": rate.period_start, "period_end": rate.period_end}
        return _link(_("Show"), "dsr_changelist", currency__code__exact=rate.currency_id, **period)

    def get_readonly_fields(self, request: HttpRequest, obj: OperatorRate | None = None) -> list[str]:
        # Another currency or period is another rate.
        return ["currency", "period_start", "period_end"] if obj else []

    def save_model(self, request: HttpRequest, obj: OperatorRate, form: Any, change: bool) -> None:
        key = {"currency": obj.currency_id, "period_start": obj.period_start, "period_end": obj.period_end}
        changed = rates.operator_rate_set(**key, rate=obj.rate, note=obj.note, user=request.user)  # type: ignore[arg-type]
        obj.pk = OperatorRate.objects.get(**key).pk
        self._tell(request, changed)

    def delete_model(self, request: HttpRequest, obj: OperatorRate) -> None:
        self._tell(request, rates.operator_rate_delete(operator_rate=obj, user=request.user))  # type: ignore[arg-type]

    def _tell(self, request: HttpRequest, changed: rates.RatesChanged) -> None:
        text = ngettext("%d DSR has a new rate.", "%d DSRs have a new rate.", changed.dsrs)
        messages.info(request, text % changed.dsrs)
