"""What the admins of all applications share, and the titles of the admin site."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from dsrhub.exceptions import DsrhubError
from dsrhub.models import ApiToken

admin.site.site_header = admin.site.site_title = "dsrhub"
admin.site.index_title = "Digital Sales Reports"
# Lists of reports need the width of the sidebar. The breadcrumbs at the top lead to the other pages.
admin.site.enable_nav_sidebar = False

# DRF's own admin of tokens shows every key in its lists, logs and pages.
admin.site.unregister(TokenProxy)


class UneditedAdmin(admin.ModelAdmin):
    """Rows that only the services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(UneditedAdmin):
    """Rows that people can view, and do nothing else with."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeletedByServiceAdmin(admin.ModelAdmin):
    """Rows that a service deletes. If the service refuses, the whole request is rolled back, log entries included."""

    # The template sends all ids in one field: Django refuses a form with thousands of fields.
    delete_selected_confirmation_template = "admin/dsrhub/delete_selected_confirmation.html"

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DsrhubError as error:
            return self._refused(request, error)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        # Django's message is kept, but not its redirect: without the permission to change rows, it leads to the index.
        super().response_delete(request, obj_display, obj_id)
        return self.response_post_save_change(request, None)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        form = request.POST.copy()
        selected = ",".join(form.getlist(ACTION_CHECKBOX_NAME))
        form.setlist(ACTION_CHECKBOX_NAME, selected.split(",") if selected else [])
        request.POST = form  # type: ignore[assignment]
        try:
            with transaction.atomic():
                return super().response_action(request, *args, **kwargs)
        except DsrhubError as error:
            return self._refused(request, error)

    def _refused(self, request: HttpRequest, error: DsrhubError) -> HttpResponse:
        messages.error(request, _("Nothing was deleted. %s") % error.message)
        return self.response_post_save_change(request, None)


@admin.register(ApiToken)
class ApiTokenAdmin(TokenAdmin):
    """Creates and revokes tokens. A key is shown once, to the user who creates the token."""

    list_display = ["user", "created"]
    autocomplete_fields = ["user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        messages.warning(request, _("Copy this token now. It is not shown again: %s") % obj.key)
        return super().response_add(request, obj, post_url_continue)
