"""The pages of earlier versions: the list, what differs from the DSR that stands, the way back, and the deletion."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalogue.admin.cells import days, dsr_name, link, revenue, revenue_eur, sums_shown, terms
from catalogue.dsrs.statistics.sums import dsr_sums
from catalogue.dsrs.versions.differences import DifferentRecordings, recordings_difference, version_difference
from catalogue.dsrs.versions.selectors import kept_until, version_get, versions_disk_usage
from catalogue.dsrs.versions.superseding import versions_drop
from catalogue.exceptions import DifferenceNotReady, VersionNotFound
from catalogue.imports.loading.reverting import Return, version_return, version_revert
from catalogue.models import DSR, AbstractDSR, SupersededDSR
from catalogue.rates.sources import source_text
from dsrhub.access.permissions import may, may_view
from dsrhub.exceptions import DsrhubError
from dsrhub.pages.list_totals import ListTotalsAdmin, Total
from dsrhub.pages.model_admins import DeletedByServiceAdmin, UneditedAdmin
from dsrhub.values.cells import grouped, money, plain

# How many DSRs the page lists that would return together.
MOST_RETURNING = 100
KINDS = {
    "came": gettext_lazy("Recordings that only the present DSR has"),
    "went": gettext_lazy("Recordings that only the earlier version has"),
    "changed": gettext_lazy("Recordings with other sums"),
}
RECORDING_CELLS = ("usages_before", "usages_after", "revenue_before", "revenue_after", "revenue_difference")


@admin.register(SupersededDSR)
class SupersededDSRAdmin(ListTotalsAdmin, UneditedAdmin, DeletedByServiceAdmin):
    """Users need the permissions that they need for DSRs."""

    change_form_template = "admin/catalogue/supersededdsr/change_form.html"
    change_list_template = "admin/catalogue/supersededdsr/change_list.html"
    list_display = [
        *("path", "territory_code", "period", "offer_and_terms", "lines", "rounded_revenue", "revenue_eur"),
        *("superseded_at", "superseded_by", "replacement", "size"),
    ]
    list_select_related = ["superseded_by"]
    list_filter = [
        *("dsp", "offer", "society"),
        ("territory", admin.RelatedOnlyFieldListFilter),
        ("currency", admin.RelatedOnlyFieldListFilter),
        "superseded_at",
    ]
    lookups = ["id__in"]  # the message after DSRs were deleted
    search_fields = ["path", "sha256", "=id"]
    search_help_text = gettext_lazy("File name, SHA-256, or id")
    date_hierarchy = "superseded_at"
    ordering = ["-superseded_at", "-id"]
    fieldsets = [
        (None, {"fields": ["id", "superseded_at", "superseded_by", "replacement", "kept_until", "size"]}),
        (gettext_lazy("Report"), {"fields": ["dsp", "offer_and_terms", "society", "territory", "currency", "period"]}),
        (gettext_lazy("Contents"), {"fields": ["lines", "usages", "total_revenue_shown", "revenue_eur"]}),
        (gettext_lazy("Exchange rate"), {"fields": ["exchange_rate", "rate_method", "shown_rate_source"]}),
        (gettext_lazy("Delivery"), {"fields": ["path", "gzip_name", "sha256", "imported_at", "imported_by"]}),
    ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_view(request, DSR)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "delete", DSR)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SupersededDSR]:
        versions: QuerySet[SupersededDSR] = SupersededDSR.objects.with_revenue_eur().order_by(*self.ordering)
        return versions

    def list_totals(self, rows: QuerySet[SupersededDSR]) -> list[Total]:
        sums = dsr_sums(rows)
        return [Total(_("earlier versions"), grouped(sums.dsr_count)), *sums_shown(sums)]

    @admin.display(description=gettext_lazy("territory"), ordering="territory")
    def territory_code(self, version: SupersededDSR) -> str:
        return version.territory_id

    @admin.display(description=gettext_lazy("period"), ordering="period_start")
    def period(self, version: SupersededDSR) -> SafeString:
        return days(version)

    @admin.display(description=gettext_lazy("offer"), ordering="offer")
    def offer_and_terms(self, version: SupersededDSR) -> SafeString:
        return format_html('{} <span class="note">{}</span>', version.offer, terms(version))

    @admin.display(description=gettext_lazy("lines"), ordering="line_count")
    def lines(self, version: SupersededDSR) -> str:
        return grouped(version.line_count)

    @admin.display(description=gettext_lazy("usages"))
    def usages(self, version: SupersededDSR) -> str:
        return grouped(version.total_usages)

    @admin.display(description=gettext_lazy("revenue"), ordering="total_revenue")
    def rounded_revenue(self, version: SupersededDSR) -> SafeString | None:
        amount: Decimal = version.total_revenue
        return money(amount, version.currency_id)

    @admin.display(description=gettext_lazy("revenue in EUR"), ordering="total_revenue_eur")
    def revenue_eur(self, version: SupersededDSR) -> SafeString | None:
        """Return the revenue at the rate that the version had."""
        return revenue_eur(version)

    @admin.display(description=gettext_lazy("revenue"))
    def total_revenue_shown(self, version: SupersededDSR) -> SafeString | None:
        return revenue(version)

    @admin.display(description=gettext_lazy("rate source"))
    def shown_rate_source(self, version: SupersededDSR) -> str:
        return source_text(version.rate_source) or "-"

    @admin.display(description=gettext_lazy("replaced by"), ordering="successor")
    def replacement(self, version: SupersededDSR) -> SafeString | str:
        """Return the DSR that replaced a version, which may be an earlier version by now."""
        number = version.successor
        if number is None:
            return _("nothing: deleted")
        view = "dsr" if DSR.objects.filter(pk=number).exists() else "supersededdsr"
        return link(f"DSR {number}", f"{view}_change", number)

    @admin.display(description=gettext_lazy("kept until"))
    def kept_until(self, version: SupersededDSR) -> Any:
        return date_format(localtime(kept_until(version)), "DATETIME_FORMAT")

    @admin.display(description=gettext_lazy("size"), ordering="byte_count")
    def size(self, version: SupersededDSR) -> str:
        return str(filesizeformat(version.byte_count))

    # --- Pages -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        revert = self.admin_site.admin_view(self.revert_view)
        return [path("<int:number>/revert/", revert, name="catalogue_supersededdsr_revert"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        usage = versions_disk_usage()
        text = _("%(size)s of at most %(limit)s on disk") % {
            "size": filesizeformat(usage.byte_count),
            "limit": filesizeformat(usage.byte_limit),
        }
        return super().changelist_view(request, {"disk_usage": text, **(extra_context or {})})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        shown: dict[str, Any] = {"may_revert": may_revert(request)}
        if object_id.isdigit() and self.has_view_permission(request):
            with suppress(VersionNotFound):  # The page itself says so.
                shown |= _difference(version_get(version_number=int(object_id)))
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    def revert_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Show what the way back would do, and go it when it is confirmed."""
        if not (self.has_view_permission(request) and may_revert(request)):
            raise PermissionDenied
        if request.method == "POST":
            return _revert(request, number)
        try:
            returning = version_return(version_number=number)
        except VersionNotFound as error:
            raise Http404(error.message) from error
        except DsrhubError as error:
            return _refused(request, number, error)
        shown = returning.versions[:MOST_RETURNING]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Revert"),
            "opts": self.opts,
            "number": number,
            "shown": returning.digest,
            "returning": [_returning(returning, version, eur) for version, eur in _in_eur(returning, shown)],
            "more_count": max(len(returning.versions) - MOST_RETURNING, 0),
            "others": _others(returning),
        }
        return TemplateResponse(request, "admin/catalogue/supersededdsr/revert.html", context)

    # --- Delete ------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        versions = list(objs)
        self.note_shown(request, versions)
        counts = {
            _("earlier versions"): grouped(len(versions)),
            _("lines"): grouped(sum(version.line_count for version in versions)),
            _("bytes on disk"): filesizeformat(sum(version.byte_count for version in versions)),
        }
        return [dsr_name(version) for version in versions], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: SupersededDSR) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[SupersededDSR] | QuerySet) -> None:
        numbers = [version.pk for version in queryset]
        self.require_as_shown(request, numbers)
        versions_drop(numbers, reason="deleted")


def may_revert(request: HttpRequest) -> bool:
    """Return whether the user may let earlier versions return. REST asks for the same permission."""
    return request.user.has_perm("catalogue.change_dsr")


def version_rows(versions: Sequence[SupersededDSR]) -> list[dict[str, Any]]:
    """The rows of the earlier versions on the page of their DSR."""
    return [
        {
            "link": link(version.pk, "supersededdsr_change", version.pk),
            "version": version,
            "lines": grouped(version.line_count),
            "revenue": revenue(version),
            "revenue_eur": revenue_eur(version),
            "difference": _signed(version),
        }
        for version in versions
    ]


def _signed(version: SupersededDSR) -> list[str]:
    """What the DSR that stands has more than a version, with a sign."""
    difference = version_difference(version)
    if difference is None:
        return []
    numbers = (Decimal(difference.line_count), difference.usages, difference.revenue)
    return [("+" if number >= 0 else "") + grouped(number) for number in numbers]


def _difference(version: SupersededDSR) -> dict[str, Any]:
    """What the page of a version shows of the DSR that stands in its place."""
    difference = version_difference(version)
    if difference is None or version.standing is None:
        return {"standing": None}
    lines = (version.line_count, version.standing.line_count, difference.line_count)
    usages = (version.total_usages, version.standing.total_usages, difference.usages)
    amounts = (version.total_revenue, version.standing.total_revenue, difference.revenue)
    shown = {
        "standing": version.standing,
        "totals": [
            (_("lines"), *map(plain, lines)),
            (_("usages"), *map(plain, usages)),
            (_("revenue"), *(money(one, version.currency_id) for one in amounts)),
        ],
    }
    try:
        found = recordings_difference(version)
    except DifferenceNotReady as error:
        return {**shown, "not_ready": error.message}
    return {**shown, "kinds": [_kind(KINDS[name], found[name], version) for name in KINDS]}


def _kind(title: Any, recordings: DifferentRecordings, version: SupersededDSR) -> dict[str, Any]:
    return {
        "title": title,
        "count": grouped(recordings.count),
        "rows": [
            {"recording": one, "cells": [_recording_cell(one, name, version) for name in RECORDING_CELLS]}
            for one in recordings.largest
        ],
    }


def _recording_cell(recording: Any, name: str, version: SupersededDSR) -> str | None:
    value = getattr(recording, name)
    return money(value, version.currency_id) if name.startswith("revenue") else plain(value)


def _in_eur(
    returning: Return, versions: Sequence[SupersededDSR]
) -> Iterator[tuple[SupersededDSR, tuple[SafeString | None, SafeString | None]]]:
    """Return each version with its revenue in EUR at its own rate, and that of the DSR in its place."""
    of_versions = SupersededDSR.objects.with_revenue_eur().in_bulk([version.pk for version in versions])
    of_dsrs = DSR.objects.all().with_revenue_eur().in_bulk([dsr.pk for dsr in returning.standing])
    for version in versions:
        standing = returning.replaced_by(version)
        yield version, (_eur(of_versions.get(version.pk)), _eur(of_dsrs.get(standing.pk) if standing else None))


def _eur(dsr: AbstractDSR | None) -> SafeString | None:
    return None if dsr is None else revenue_eur(dsr)


def _returning(
    returning: Return, version: SupersededDSR, eur: tuple[SafeString | None, SafeString | None]
) -> dict[str, Any]:
    standing = returning.replaced_by(version)
    return {
        "version": version,
        "name": dsr_name(version),
        "lines": grouped(version.line_count),
        "revenue": revenue(version),
        "revenue_eur": eur[0],
        "standing": standing,
        "standing_lines": standing and grouped(standing.line_count),
        "standing_revenue": standing and revenue(standing),
        "standing_revenue_eur": eur[1],
    }


def _others(returning: Return) -> list[str]:
    """The DSRs of a message that goes, in whose place no version returns."""
    replaced = {dsr.pk for version in returning.versions if (dsr := returning.replaced_by(version))}
    return [f"DSR {dsr.pk}: {dsr_name(dsr)}" for dsr in returning.standing if dsr.pk not in replaced]


def _revert(request: HttpRequest, number: int) -> HttpResponse:
    try:
        dsrs = version_revert(version_number=number, user=cast(User, request.user), seen=request.POST.get("shown", ""))
    except DsrhubError as error:
        return _refused(request, number, error)
    messages.success(request, ngettext("%s DSR has returned.", "%s DSRs have returned.", len(dsrs)) % len(dsrs))
    return HttpResponseRedirect(reverse("admin:catalogue_dsr_change", args=[number]))


def _refused(request: HttpRequest, number: int, error: DsrhubError) -> HttpResponse:
    messages.error(request, _("Nothing has changed. %s") % error.message)
    is_there = SupersededDSR.objects.filter(pk=number).exists()
    view, arguments = ("change", [number]) if is_there else ("changelist", [])
    return HttpResponseRedirect(reverse(f"admin:catalogue_supersededdsr_{view}", args=arguments))
