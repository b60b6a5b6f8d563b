"""Links and DSRs as the pages of the admin show them."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalogue.dsrs.statistics.sums import Sums
from catalogue.models import DSR, AbstractDSR, ReportMessage, RevenueKind
from catalogue.resources.found import FoundResource
from dsrhub.pages.list_totals import Total
from dsrhub.values.cells import grouped, money, plain, rounded

# A list shows the revenue of each currency if there are at most this many.
MOST_CURRENCIES = 8


def problem_counts(errors: int, warnings: int) -> str:
    """Return the counts above zero, such as "1 error, 3 warnings"."""
    counts = (
        (errors, ngettext("error", "errors", errors)),
        (warnings, ngettext("warning", "warnings", warnings)),
    )
    return ", ".join(f"{grouped(count)} {name}" for count, name in counts if count)


def link(text: Any, view: str, *args: Any, **query: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:catalogue_{view}", args=args, query=query), text)


def recording_link(resource: FoundResource) -> SafeString:
    """Return the title of a recording as a link to its page."""
    return link(resource.title or resource.dsp_id, "resource_page", dsp=resource.dsp, dsp_id=resource.dsp_id)


def template_link(message: ReportMessage | None) -> SafeString | None:
    """Return the version of the template that read a message as a link to it; None for other messages."""
    version = message and message.template_version
    if not version:
        return None
    address = reverse("admin:catalogue_template_history", args=[version.template_id])
    return format_html('<a href="{}#version-{}">{}</a>', address, version.number, version)


def days(owner: AbstractDSR | ReportMessage) -> SafeString:
    """Return a period, which breaks between its days in a narrow column."""
    return format_html(
        '<span class="day">{} –</span> <span class="day">{}</span>', owner.period_start, owner.period_end
    )


# --- DSRs ------------------------------------------------------------------------------------------------------

# The parameters of the list of DSRs for those that are ingested.
INGESTED = {"status__exact": DSR.Status.INGESTED}


def dsr_list(**query: Any) -> str:
    """Return the address of the list of DSRs with these parameters."""
    return reverse("admin:catalogue_dsr_changelist", query=query)


def terms(dsr: AbstractDSR) -> str:
    """Return the commercial model, the use type and the subscriber type of a DSR of a message, else ""."""
    return " · ".join(kind for kind in (dsr.commercial_model, dsr.use_type, dsr.subscriber_type) if kind)


def dsr_name(dsr: AbstractDSR) -> str:
    """Return the file name of a DSR. The DSRs of a message share it, so theirs has what tells them apart."""
    if dsr.message_id is None:
        return dsr.path
    context = (dsr.offer, dsr.territory_id, dsr.currency_id, terms(dsr))
    return f"{dsr.path}: {', '.join(part for part in context if part)}"


def dsr_link(dsr: DSR) -> SafeString:
    return link(dsr_name(dsr), "dsr_change", dsr.pk)


def lines(dsr: DSR) -> SafeString | None:
    """Return the number of lines of an ingested DSR as a link, with the number of blank cells in them."""
    if dsr.status == DSR.Status.FAILED:
        return None
    count = link(grouped(dsr.line_count), "dsr_lines", dsr.pk)
    if not dsr.blank_count:
        return count
    blank = ngettext("%(count)s blank", "%(count)s blank", dsr.blank_count) % {"count": grouped(dsr.blank_count)}
    return format_html('{} <span class="note">{}</span>', count, blank)


def revenue_kind(dsr: AbstractDSR) -> str:
    """Return whether the revenue of a DSR is reported or allocated; "" for a failed DSR, which has none."""
    kind = dsr.shown_revenue_kind
    return str(RevenueKind(kind).label) if kind else ""


def revenue(dsr: AbstractDSR) -> SafeString | None:
    """Return the revenue of an ingested DSR with its currency and its kind, and what is not allocated."""
    if dsr.status == DSR.Status.FAILED:
        return None
    note = revenue_kind(dsr)
    if dsr.unallocated_revenue:
        unallocated = money(dsr.unallocated_revenue, dsr.currency_id)
        note = format_html("{}{}", note, format_html(_("; {} not allocated"), unallocated))
    return format_html('{} <span class="note">{}</span>', money(dsr.total_revenue, dsr.currency_id), note)


def revenue_eur(dsr: AbstractDSR) -> SafeString | None:
    """Return the revenue in EUR of a row that was read `with_revenue_eur`; None for a failed DSR."""
    return rounded(dsr.total_revenue_eur)  # type: ignore[attr-defined]


def sums_shown(sums: Sums) -> list[Total]:
    """Return the sums of DSRs: in EUR, and in each currency if there are at most a few."""
    totals = [
        Total(_("lines"), grouped(sums.line_count)),
        Total(_("usages"), plain(sums.usages)),
        Total(_("revenue in EUR"), rounded(sums.revenue_eur)),
    ]
    currencies = [one for one in sums.currencies if one.dsr_count]
    if len(currencies) > MOST_CURRENCIES or [one.currency for one in currencies] == ["EUR"]:
        return totals
    return [
        *totals,
        *(
            Total(_("revenue of DSRs in %(currency)s") % {"currency": one.currency}, money(one.revenue, one.currency))
            for one in currencies
        ),
    ]
