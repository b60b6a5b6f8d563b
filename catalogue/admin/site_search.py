"""What the search of the header finds in the catalogue."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from catalogue.admin.cells import dsr_name
from catalogue.admin.folders import LONGEST_SEARCH
from catalogue.lines.scope import ALL
from catalogue.models import DSR, RejectedDelivery, Resource, Template
from catalogue.resources import selectors
from catalogue.resources.found import FoundResource
from dsrhub.access.permissions import may, may_view
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.pages.site_search import (
    FOUND_OF_A_KIND,
    SECONDS,
    Findings,
    Found,
    finder,
    found_in_list,
    page_of,
    took_too_long,
)


@finder(order=10)
def recordings(request: HttpRequest, text: str) -> Findings | None:
    if not may_view(request, Resource):
        return None
    address = reverse("admin:catalogue_resource_changelist", query={"q": text})
    try:
        with answered_within(SECONDS):
            page = selectors.resource_page(text=text, kind=None, scope=ALL, after=None, limit=FOUND_OF_A_KIND)
    except OutOfTime:
        return took_too_long(_("Recordings"), address)
    return Findings(_("Recordings"), [_recording(found) for found in page.resources[:FOUND_OF_A_KIND]], address)


def _recording(found: FoundResource) -> Found:
    address = reverse("admin:catalogue_resource_page", query={"dsp": found.dsp, "dsp_id": found.dsp_id})
    notes = (found.artists, found.dsp, found.isrc)
    return Found(found.title or found.dsp_id, address, " · ".join(note for note in notes if note))


@finder(order=20)
def dsrs(request: HttpRequest, text: str) -> Findings | None:
    return found_in_list(request, text, DSR.objects.order_by("-id"), _dsr, seconds=SECONDS)


def _dsr(dsr: DSR) -> Found:
    return Found(dsr_name(dsr), page_of(dsr), f"DSR {dsr.pk} · {dsr.get_status_display()}")


@finder(order=30)
def rejected_deliveries(request: HttpRequest, text: str) -> Findings | None:
    """Files that became no DSR, also those of drop folders."""
    return found_in_list(request, text, RejectedDelivery.objects.order_by("-id"), _rejected, seconds=SECONDS)


def _rejected(delivery: RejectedDelivery) -> Found:
    return Found(delivery.name, page_of(delivery), delivery.shown_reason)


@finder(order=40)
def templates(request: HttpRequest, text: str) -> Findings | None:
    rows = admin.site.get_model_admin(Template).get_queryset(request).order_by("name")
    return found_in_list(request, text, rows, _template)


def _template(template: Template) -> Found:
    return Found(template.name, page_of(template), template.sender_name)  # type: ignore[attr-defined]


@finder(order=90)
def drop_folders(request: HttpRequest, text: str) -> Findings | None:
    """A link to the search on their page: to read folders of other servers may take seconds."""
    if not settings.DSRHUB_FOLDERS or not may(request, "import", DSR) or len(text) > LONGEST_SEARCH:
        return None
    address = reverse("admin:catalogue_dsr_folders", query={"q": text})
    return Findings(_("Drop folders"), [], address, _("This search does not read folders. Their page does."))
