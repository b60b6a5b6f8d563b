"""The pages of messages: the list, the facts of each with its files and DSRs, and the deletion of a whole message."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.cells import days, link, problem_counts, revenue, revenue_eur, sums_shown, template_link, terms
from catalogue.admin.dsrs.admin import deleted_dsrs
from catalogue.admin.filters import of_message
from catalogue.admin.parts import first_problems
from catalogue.dsrs.kept_files import message_file, message_file_open
from catalogue.dsrs.messages import messages_described
from catalogue.dsrs.services import message_delete
from catalogue.dsrs.statistics.sums import CurrencySums, Sums, dsr_sums, with_dsr_sums
from catalogue.models import DSR, ReportMessage, ReportProblem
from dsrhub.access.permissions import may, may_view
from dsrhub.pages.list_totals import ListTotalsAdmin, Total
from dsrhub.pages.model_admins import DeletedByServiceAdmin, UneditedAdmin
from dsrhub.values.cells import grouped, money, plain, rounded

# The page of a message shows the first DSRs and links to the list of all.
DSRS_ON_A_PAGE = 100


@admin.register(ReportMessage)
class ReportMessageAdmin(ListTotalsAdmin, UneditedAdmin, DeletedByServiceAdmin):
    """Users need the permissions that they need for DSRs."""

    change_form_template = "admin/catalogue/reportmessage/change_form.html"
    list_display = [
        "message_id",
        "sender_name",
        "recipient_name",
        "period",
        "file_count",
        "dsr_count",
        "lines",
        "revenue_eur",
        "warnings",
        "imported_at",
    ]
    list_filter = ["sender_name", "recipient_name", "format", "profile", "imported_at"]
    search_fields = ["message_id", "sender_name", "sender_id", "recipient_name", "recipient_id", "files"]
    search_help_text = gettext_lazy("Message id, sender, recipient, or name or SHA-256 of a file")
    date_hierarchy = "period_start"
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["message_id", "first_problems"]}),
        (gettext_lazy("Parties"), {"fields": ["sender_name", "sender_id", "recipient_name", "recipient_id"]}),
        (gettext_lazy("Contents"), {"fields": ["period", "dsr_count"]}),
        (gettext_lazy("Delivery"), {"fields": ["format", "profile", "profile_version", "created"]}),
        (None, {"fields": ["imported_at", "imported_by"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields, with the template in place of the profile where one has read the message."""
        if obj is None or obj.template_version_id is None:
            return self.fieldsets
        delivery = gettext_lazy("Delivery"), {"fields": ["format", "read_with"]}
        return [*self.fieldsets[:3], delivery, *self.fieldsets[4:]]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_view(request, DSR)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "delete", DSR)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReportMessage]:
        # Servers of earlier releases delete DSRs, and leave a message without DSRs.
        messages: QuerySet[ReportMessage] = messages_described().filter(dsr_count__gt=0)  # type: ignore[misc]
        return with_dsr_sums(messages, "message").order_by(*self.ordering)

    def list_totals(self, rows: QuerySet[ReportMessage]) -> list[Total]:
        dsrs = DSR.objects.filter(message__in=rows.order_by().values("pk"))
        sums = dsr_sums(dsrs)
        counts = [Total(_("messages"), grouped(rows.count())), Total(_("DSRs"), grouped(sums.dsr_count))]
        return [*counts, *sums_shown(sums)]

    @admin.display(description=gettext_lazy("period"), ordering="period_start")
    def period(self, message: ReportMessage) -> SafeString:
        return days(message)

    @admin.display(description=gettext_lazy("files"))
    def file_count(self, message: ReportMessage) -> str:
        return grouped(len(message.files))

    @admin.display(description=gettext_lazy("DSRs"), ordering="dsr_count")
    def dsr_count(self, message: ReportMessage) -> SafeString:
        count = grouped(message.dsr_count)  # type: ignore[attr-defined]
        return link(count, "dsr_changelist", message=message.pk)

    @admin.display(description=gettext_lazy("lines"), ordering="line_count")
    def lines(self, message: ReportMessage) -> str | None:
        return plain(message.line_count)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("revenue in EUR"), ordering="total_revenue_eur")
    def revenue_eur(self, message: ReportMessage) -> SafeString | None:
        return rounded(message.total_revenue_eur)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("warnings"), ordering="all_warning_count")
    def warnings(self, message: ReportMessage) -> SafeString | None:
        """Return the number of warnings of the message as a whole and of its DSRs."""
        counts = problem_counts(0, message.all_warning_count)  # type: ignore[attr-defined]
        return link(counts, "reportproblem_changelist", message=message.pk) if counts else None

    @admin.display(description=gettext_lazy("template"))
    def read_with(self, message: ReportMessage) -> SafeString | None:
        return template_link(message)

    @admin.display(description=gettext_lazy("problems"))
    def first_problems(self, message: ReportMessage) -> SafeString | str:
        return first_problems(ReportProblem.objects.filter(of_message(message.pk)), self.warnings(message))

    # --- The page of a message ---------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        file = self.admin_site.admin_view(self.file_view)
        return [
            path("<int:message_number>/files/<int:number>/", file, name="catalogue_reportmessage_file"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        message = ReportMessage.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        shown = {} if message is None else _page_of(message, may_export=_may_export(request))
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    def file_view(self, request: HttpRequest, message_number: int, number: int) -> FileResponse:
        """Send a delivered file, byte for byte. The first file of a message is number 1."""
        if not _may_export(request):
            raise PermissionDenied
        message = ReportMessage.objects.filter(pk=message_number).first()
        if message is None or not 1 <= number <= len(message.files):
            raise Http404("There is no such file.")
        kept = message_file_open(message, number - 1)
        if kept is None:
            raise Http404(f"File {number} of message {message_number} is not kept.")
        return FileResponse(kept, as_attachment=True, filename=message.files[number - 1]["name"])

    # --- Delete ------------------------------------------------------------------------------------------------

    def locked(self, ids: Collection[Any]) -> Iterable[Model]:
        """Lock the DSRs of messages, then the messages. A deletion of the last DSR of a message has the same order."""
        dsrs = DSR.objects.select_for_update(of=("self",)).filter(message__in=ids).order_by("pk")
        return [*dsrs, *super().locked(ids)]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        messages = list(objs)
        numbers = [message.pk for message in messages]
        dsrs = list(DSR.objects.filter(message__in=numbers).order_by("pk"))
        self.note_shown(request, [*dsrs, *messages])
        summaries, of_dsrs = deleted_dsrs(request, dsrs)
        problems = ReportProblem.objects.filter(Q(message__in=numbers) | Q(dsr__message__in=numbers))
        counts = {_("messages"): grouped(len(messages)), **of_dsrs, _("problems"): grouped(problems.count())}
        return [*map(str, messages), summaries], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: ReportMessage) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[ReportMessage]) -> None:
        numbers = [message.pk for message in queryset]
        self.require_as_shown(request, numbers)
        for number in numbers:
            message_delete(message_number=number)


def _may_export(request: HttpRequest) -> bool:
    return request.user.has_perm("catalogue.export_dsr")


def _page_of(message: ReportMessage, *, may_export: bool) -> dict[str, Any]:
    dsrs = message.dsrs.select_related("message").with_revenue_eur().order_by("pk")
    # Summaries of DDEX declare numbers, and files that a template reads do not.
    has_declared = message.template_version_id is None
    return {
        "has_declared": has_declared,
        "has_export_permission": may_export,
        "files": [_file_row(message, number, may_export) for number in range(len(message.files))],
        "totals": _totals_rows(dsr_sums(message.dsrs.all()), has_declared=has_declared),
        "dsrs": [_dsr_row(dsr) for dsr in dsrs[:DSRS_ON_A_PAGE]],
        "dsr_count": grouped(dsrs.aggregate(count=Count("pk"))["count"]),
        "shown_dsr_count": DSRS_ON_A_PAGE,
    }


def _file_row(message: ReportMessage, number: int, may_export: bool) -> dict[str, Any]:
    kept = message_file(message, number) is not None
    return {**message.files[number], "number": number + 1, "is_kept": kept, "can_download": kept and may_export}


def _totals_rows(sums: Sums, *, has_declared: bool) -> list[tuple[str, list[Any]]]:
    """The control totals: a row for each currency, and one of all, which has amounts in EUR only."""
    rows = [
        (
            one.currency,
            [
                *(grouped(one.dsr_count), grouped(one.line_count), plain(one.usages)),
                *(money(amount, one.currency) for amount in _revenues(one, has_declared=has_declared)),
                rounded(one.revenue_eur),
            ],
        )
        for one in sums.currencies
    ]
    counts = [grouped(sums.dsr_count), grouped(sums.line_count), plain(sums.usages)]
    blank = [None] * (3 if has_declared else 1)
    return [*rows, (_("all"), [*counts, *blank, rounded(sums.revenue_eur)])]


def _revenues(sums: CurrencySums, *, has_declared: bool) -> list[Decimal | None]:
    return [sums.declared_revenue, sums.revenue, sums.unallocated_revenue] if has_declared else [sums.revenue]


def _dsr_row(dsr: DSR) -> dict[str, Any]:
    return {
        "link": link(dsr.summary_id or dsr.pk, "dsr_change", dsr.pk),
        "dsr": dsr,
        "terms": terms(dsr),
        "period": days(dsr),
        "lines": link(grouped(dsr.line_count), "dsr_lines", dsr.pk),
        "declared_usages": None if dsr.declared_usages is None else grouped(dsr.declared_usages),
        "usages": grouped(dsr.total_usages),
        "declared_revenue": money(dsr.declared_revenue, dsr.currency_id),
        "revenue": revenue(dsr),
        "revenue_eur": revenue_eur(dsr),
        "problems": problem_counts(dsr.error_count, dsr.warning_count),
    }
