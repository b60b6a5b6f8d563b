"""What the search of the header finds in the catalogue: recordings, and DSRs."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from catalogue.admin.cells import dsr_name
from catalogue.lines.scope import ALL
from catalogue.models import DSR, Resource
from catalogue.resources import selectors
from catalogue.resources.found import FoundResource
from dsrhub.access.permissions import may_view
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.pages.site_search import Findings, Found, finder

FOUND_OF_A_KIND = 10
# The search waits for three kinds, one after the other.
SECONDS = 3


@finder
def recordings(request: HttpRequest, text: str) -> Findings | None:
    if not may_view(request, Resource):
        return None
    address = reverse("admin:catalogue_resource_changelist", query={"q": text})
    try:
        with answered_within(SECONDS):
            page = selectors.resource_page(text=text, kind=None, scope=ALL, after=None, limit=FOUND_OF_A_KIND)
    except OutOfTime:
        return Findings(_("Recordings"), [], address, _("The search takes too long here. Search in the list."))
    return Findings(_("Recordings"), [_recording(found) for found in page.resources[:FOUND_OF_A_KIND]], address)


def _recording(found: FoundResource) -> Found:
    address = reverse("admin:catalogue_resource_page", query={"dsp": found.dsp, "dsp_id": found.dsp_id})
    notes = (found.artists, found.dsp, found.isrc)
    return Found(found.title or found.dsp_id, address, " · ".join(note for note in notes if note))


@finder
def dsrs(request: HttpRequest, text: str) -> Findings | None:
    if not may_view(request, DSR):
        return None
    address = reverse("admin:catalogue_dsr_changelist", query={"q": text})
    model_admin = admin.site.get_model_admin(DSR)
    try:
        with answered_within(SECONDS):
            found, _has_duplicates = model_admin.get_search_results(request, DSR.objects.order_by("-id"), text)
            links = [_dsr(dsr) for dsr in found[:FOUND_OF_A_KIND]]
    except OutOfTime:
        return Findings(_("DSRs"), [], address, _("The search takes too long here. Search in the list."))
    return Findings(_("DSRs"), links, address)


def _dsr(dsr: DSR) -> Found:
    note = f"DSR {dsr.pk} · {dsr.get_status_display()}"
    return Found(dsr_name(dsr), reverse("admin:catalogue_dsr_change", args=[dsr.pk]), note)
