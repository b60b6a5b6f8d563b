"""The list of import jobs."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from catalogue.admin.cells import link
from catalogue.models import ImportJob
from dsrhub.pages.model_admins import ReadOnlyAdmin


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    list_display = ["file", "state", "shown_message", "dsr", "uploaded_by", "uploaded_at"]
    list_display_links = None
    empty_value_display = ""
    list_filter = ["state", "uploaded_at"]
    list_select_related = ["uploaded_by"]
    search_fields = ["name"]
    search_help_text = gettext_lazy("File name")
    empty_text = gettext_lazy("The files that people upload on the page Import reports, and what became of each.")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("catalogue.import_dsr")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("preview", "keys")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Redirect to the page of the upload, which shows the job."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404("There is no such job.")
        return HttpResponseRedirect(reverse("admin:catalogue_dsr_upload", args=[job.upload]))

    @admin.display(description=gettext_lazy("file"), ordering="name")
    def file(self, job: ImportJob) -> SafeString:
        return link(job.name, "dsr_upload", job.upload)

    @admin.display(description=gettext_lazy("message"), ordering="message")
    def shown_message(self, job: ImportJob) -> str:
        return job.shown_message

    @admin.display(description="DSR", ordering="dsr_number")
    def dsr(self, job: ImportJob) -> SafeString | None:
        """Return the first DSR. It may be gone by now: then its page says so."""
        if job.dsr_number is None:
            return None
        return link(f"DSR {job.dsr_number}", "dsr_change", job.dsr_number)
