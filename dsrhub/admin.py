"""What the admins of all applications share, and how the admin calls itself."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from dsrhub.exceptions import DsrhubError

admin.site.site_header = admin.site.site_title = "dsrhub"
admin.site.index_title = "Digital Sales Reports"
# Lists of reports need the width; the way around is the line of links at the top.
admin.site.enable_nav_sidebar = False


class UneditedAdmin(admin.ModelAdmin):
    """Records that only the services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(UneditedAdmin):
    """Records that people only look at."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeletedByServiceAdmin(admin.ModelAdmin):
    """Records that a service deletes. Where it refuses, nothing stays of the request, its log entries included."""

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DsrhubError as error:
            return self._refused(request, error)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        # Django tells that it is done, but leads only those back to the list who may change what is in it.
        super().response_delete(request, obj_display, obj_id)
        return self.response_post_save_change(request, None)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            with transaction.atomic():
                return super().response_action(request, *args, **kwargs)
        except DsrhubError as error:
            return self._refused(request, error)

    def _refused(self, request: HttpRequest, error: DsrhubError) -> HttpResponse:
        messages.error(request, _("Nothing was deleted. %s") % error.message)
        return self.response_post_save_change(request, None)
