"""The page of drop folders: what lies in each of them, and a button to try a refused delivery again."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalogue.admin.cells import link
from catalogue.folders.contents import FolderContents, ShownDelivery, folders_read
from catalogue.folders.looks import Looked, looks_at, other_folders
from catalogue.folders.retrying import delivery_retry
from catalogue.folders.watching import options_of_settings
from catalogue.models import DSR, RejectedDelivery
from catalogue.reports.formats.registry import explanation
from dsrhub.access.permissions import may_view
from dsrhub.exceptions import DsrhubError
from dsrhub.stores.addresses import Address
from dsrhub.texts.marked import translated
from dsrhub.values.cells import grouped

# A page reads at most this many folders. It reads them at the same time, and waits this long for all of them.
FOLDERS_ON_A_PAGE, SECONDS = 10, 4
LONGEST_SEARCH = 255

OUTCOMES = {
    "loaded": gettext_lazy("loaded"),
    "replaced": gettext_lazy("replaced an earlier DSR"),
    "reverted": gettext_lazy("reverted to an earlier version"),
    "unchanged": gettext_lazy("was there already"),
    "withdrawn": gettext_lazy("its files were gone before they were imported"),
    "refused": gettext_lazy("refused"),
}


class FoldersForm(forms.Form):
    """Which folder is shown, and a part of the names of its files."""

    folder = forms.ChoiceField(label=gettext_lazy("Folder"), required=False)
    q = forms.CharField(label=gettext_lazy("File name"), max_length=LONGEST_SEARCH, required=False)

    def __init__(self, *args: Any, addresses: Iterable[Address], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["folder"].choices = [("", _("All")), *((one.shown, one.shown) for one in addresses)]  # type: ignore[attr-defined]


class FoldersPage(admin.ModelAdmin):
    """For users who may import."""

    def get_urls(self) -> list[URLPattern]:
        view, retry = map(self.admin_site.admin_view, (self.folders_view, self.folder_retry_view))
        return [
            path("folders/", view, name="catalogue_dsr_folders"),
            path("folders/retry/", retry, name="catalogue_dsr_folder_retry"),
            *super().get_urls(),
        ]

    def folders_view(self, request: HttpRequest) -> HttpResponse:
        """Show what waits in each drop folder, what is imported, and what became of the last deliveries."""
        self._require_import(request)
        addresses = _addresses()
        form = FoldersForm(request.GET, addresses=addresses)
        context = {**self.admin_site.each_context(request), "title": _("Drop folders"), "opts": self.opts, "form": form}
        if not form.is_valid():
            return TemplateResponse(request, "admin/catalogue/folders/list.html", context, status=400)
        chosen, text = form.cleaned_data["folder"], form.cleaned_data["q"].strip()
        shown = [one for one in addresses if chosen in ("", one.shown)][:FOLDERS_ON_A_PAGE]
        found = folders_read(addresses=shown, options=options_of_settings(), text=text, seconds=SECONDS)
        looks, dsrs = looks_at(shown), _dsrs_of(request, found)
        context |= {
            "folders": [_folder(request, one, looks[one.address.shown], dsrs) for one in found],
            "text": text,
            "left_out": 0 if chosen else len(addresses) - len(shown),
            "others": other_folders(addresses),
        }
        return TemplateResponse(request, "admin/catalogue/folders/list.html", context)

    def folder_retry_view(self, request: HttpRequest) -> HttpResponse:
        """Move a refused delivery back into its folder, to be imported again."""
        self._require_import(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        address = next((one for one in _addresses() if one.shown == request.POST.get("folder")), None)
        if address is None:
            raise Http404("There is no such drop folder.")
        try:
            names = delivery_retry(address=address, name=request.POST.get("delivery", ""))
        except (DsrhubError, ImproperlyConfigured) as error:
            messages.error(request, error.message if isinstance(error, DsrhubError) else str(error))
        else:
            text = ngettext(
                "%(count)s file is back in the folder. It is imported when it has rested.",
                "%(count)s files are back in the folder. They are imported when they have rested.",
                len(names),
            )
            messages.success(request, text % {"count": grouped(len(names))})
        return HttpResponseRedirect(reverse("admin:catalogue_dsr_folders", query={"folder": address.shown}))

    def _require_import(self, request: HttpRequest) -> None:
        if not self.has_import_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied


def _addresses() -> list[Address]:
    """The folders of the settings, each once."""
    return list({one.shown: one for one in settings.DSRHUB_FOLDERS}.values())


def _dsrs_of(request: HttpRequest, found: Sequence[FolderContents]) -> set[int]:
    """The DSRs of the shown deliveries that are still there, and that the user may view."""
    if not may_view(request, DSR):
        return set()
    deliveries = [one for each in found for one in (*(each.refused or ()), *(each.done or ()))]
    numbers = {number for one in deliveries for number in (*one.dsrs, one.failed_dsr) if number is not None}
    return set(DSR.objects.filter(pk__in=numbers).values_list("pk", flat=True))


def _folder(request: HttpRequest, contents: FolderContents, looked: Looked, dsrs: set[int]) -> dict[str, Any]:
    return {
        "address": contents.address.shown,
        "contents": contents,
        "error": translated(contents.error) if contents.error else "",
        "remedy": translated(contents.remedy),
        "looked": looked,
        "waiting": [
            (one.name, filesizeformat(one.size), one.since, translated(one.reason)) for one in contents.waiting or ()
        ],
        "more_waiting": contents.waiting_count - len(contents.waiting or ()),
        "importing": [_delivery(request, one, dsrs) for one in contents.importing or ()],
        "refused": [_delivery(request, one, dsrs) for one in contents.refused or ()],
        "done": [_delivery(request, one, dsrs) for one in contents.done or ()],
    }


def _delivery(request: HttpRequest, one: ShownDelivery, dsrs: set[int]) -> dict[str, Any]:
    return {
        "one": one,
        "more_files": one.file_count - len(one.files),
        "outcome": OUTCOMES.get(one.outcome, one.outcome),
        "dsrs": [_dsr(number, dsrs) for number in one.dsrs],
        "problems": [(problem, _meaning(problem.code)) for problem in one.problems],
        "more_problems": max(one.error_count - len(one.problems), 0) if one.problems else 0,
        "page": _page_of(request, one, dsrs),
    }


def _dsr(number: int, dsrs: set[int]) -> SafeString | str:
    return link(f"DSR {number}", "dsr_change", number) if number in dsrs else f"DSR {number}"


def _meaning(code: str) -> str:
    meant = explanation(code).translated()
    return f"{meant.sentence} {meant.remedy}"


def _page_of(request: HttpRequest, one: ShownDelivery, dsrs: set[int]) -> SafeString | None:
    """A link to what dsrhub keeps of a refused delivery: its failed DSR, or the rejected delivery."""
    if one.failed_dsr in dsrs:
        return link(_("Failed DSR %s and its problems") % one.failed_dsr, "dsr_change", one.failed_dsr)
    if one.outcome == "refused" and one.files and may_view(request, RejectedDelivery):
        return link(_("Rejected deliveries of this name"), "rejecteddelivery_changelist", q=one.files[0])
    return None
