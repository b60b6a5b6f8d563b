"""What the admins of all applications share, the titles of the site, and the pages of users and of the audit log."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from import_export.forms import ExportForm
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from dsrhub.audit import audit
from dsrhub.confirmation import require_as_shown, shown_digest
from dsrhub.exceptions import ConfirmationOutdated, DsrhubError
from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.import_export.tables import StreamedResource, rows_by_id
from dsrhub.models import Action, ApiToken, AuditEntry
from dsrhub.values import plain_id

admin.site.site_header = admin.site.site_title = "dsrhub"
admin.site.index_title = "Digital Sales Reports"
# Lists of reports need the width of the sidebar. The breadcrumbs at the top lead to the other pages.
admin.site.enable_nav_sidebar = False

# DRF's own admin of tokens shows every key in its lists, logs and pages.
admin.site.unregister(TokenProxy)


class ChosenByAutocomplete(AutocompleteSelect):
    """Django's widget fails on a sent value that is no id, when the page shows the form again with its errors."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if plain_id(str(one)) is not None], attrs)


class AutocompleteMixin:
    """Fields that people choose by searching."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs["widget"] = ChosenByAutocomplete(db_field, self.admin_site)  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


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


class AsShownAdmin(admin.ModelAdmin):
    """Rows that people change or delete only as they saw them: a page sends a digest of what it showed."""

    def locked(self, ids: Collection[Any]) -> Iterable[Model]:
        """Lock rows until the transaction ends, and return them as they are then."""
        rows: QuerySet = self.model._default_manager.select_for_update(of=("self",)).filter(pk__in=ids)
        return rows.order_by("pk")

    def require_as_shown(self, request: HttpRequest, ids: Collection[Any]) -> None:
        """Raise ConfirmationOutdated if rows are not as the page showed them. They stay locked."""
        require_as_shown(self.locked(ids), request.POST.get("shown", ""))


class ChangedAsShownAdmin(AsShownAdmin):
    """Rows that people edit. An edit of a page that was opened before another edit is refused."""

    change_form_template = "admin/dsrhub/change_form.html"

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            with transaction.atomic():
                if request.method == "POST":
                    self._lock_for_change(request, object_id)
                page: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
                return page
        except ConfirmationOutdated as outdated:
            messages.error(request, _("Nothing was saved. %s") % outdated.message)
            return HttpResponseRedirect(request.get_full_path())

    def _lock_for_change(self, request: HttpRequest, object_id: str | None) -> None:
        if object_id is None:
            if self.has_add_permission(request):
                self.locked([])
        elif (found := self.get_object(request, unquote(object_id))) and self.has_change_permission(request, found):
            self.require_as_shown(request, [found.pk])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if context["original"] is not None:
            shown = request.POST.get("shown") if request.method == "POST" else shown_digest([context["original"]])
            context["shown"] = shown
        return super().render_change_form(request, context, *args, **kwargs)


class DeletedByServiceAdmin(AsShownAdmin):
    """Rows that a service deletes, if they are as the user saw them. If it refuses, the whole request is rolled back,
    log entries included."""

    delete_confirmation_template = "admin/dsrhub/delete_confirmation.html"
    # The template sends all ids in one field: Django refuses a form with thousands of fields.
    delete_selected_confirmation_template = "admin/dsrhub/delete_selected_confirmation.html"

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DsrhubError as error:
            return self._refused(request, error)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        self.note_shown(request, objs)
        return super().get_deleted_objects(objs, request)

    def note_shown(self, request: HttpRequest, objects: Iterable[Model]) -> None:
        """Remember what the confirmation shows. Call it before the counts of the page are read."""
        request.shown = shown_digest(objects)  # type: ignore[attr-defined]

    def render_delete_form(self, request: HttpRequest, context: Any) -> HttpResponse:
        shown = request.shown  # type: ignore[attr-defined]
        return super().render_delete_form(request, context | {"shown": shown})

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
                response = super().response_action(request, *args, **kwargs)
        except DsrhubError as error:
            return self._refused(request, error)

        if isinstance(response, TemplateResponse) and response.context_data is not None:
            response.context_data["shown"] = getattr(request, "shown", "")
        return response

    def _refused(self, request: HttpRequest, error: DsrhubError) -> HttpResponse:
        messages.error(request, _("Nothing was deleted. %s") % error.message)
        return self.response_post_save_change(request, None)


# --- Changes of the admin in the audit log ---------------------------------------------------------------------


class AuditedAdmin(admin.ModelAdmin):
    """Writes an audit entry for each change of rows that no service writes.

    List it after mixins that are no admins themselves, and before other admins.
    """

    # The actions of the audit log, by the flags of the admin's own log.
    audited: ClassVar[Mapping[int, Action]] = {}
    # The fields whose values an entry has. Of other fields, such as a password, it has the names.
    audited_values: ClassVar[tuple[str, ...]] = ()

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        # Called before each of the following methods. Only here is the form known.
        changed = {name: _change(form, name) if name in self.audited_values else None for name in form.changed_data}
        request.audited_changes = changed  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, ADDITION, obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, CHANGE, obj)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._audit(request, DELETION, obj)
        return super().log_deletions(request, queryset)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        # Django runs an action without a transaction.
        with transaction.atomic():
            return super().response_action(request, *args, **kwargs)

    def audited_action(self, flag: int, changed: Mapping[str, Any]) -> Action | None:
        return self.audited.get(flag)

    def _audit(self, request: HttpRequest, flag: int, obj: Any) -> None:
        changed = {} if flag == DELETION else getattr(request, "audited_changes", {})
        action = self.audited_action(flag, changed)
        if action is not None:
            audit(action, obj, details={"changed": changed} if changed else None)


def _change(form: forms.BaseForm, name: str) -> dict[str, Any]:
    """The change of a field: which objects were added and removed, or the old and the new value."""
    old, new = form.initial.get(name), form.cleaned_data.get(name)
    if isinstance(new, QuerySet):
        before, after = set(_names(old or [])), set(_names(new))
        return {"added": sorted(after - before), "removed": sorted(before - after)}
    return {"old": old, "new": new}


def _names(objects: Any) -> Iterator[str]:
    if isinstance(objects, QuerySet) and objects.model is Permission:
        objects = objects.select_related("content_type")
    for one in objects:
        yield f"{one.content_type.app_label}.{one.codename}" if isinstance(one, Permission) else str(one)


# The fields that say what somebody may do.
PERMISSIONS = {"is_active", "is_staff", "is_superuser", "groups", "user_permissions", "permissions"}

admin.site.unregister([User, Group])


@admin.register(User)
class AuditedUserAdmin(AuditedAdmin, UserAdmin):
    audited = {ADDITION: Action.USER_ADDED, CHANGE: Action.USER_CHANGED, DELETION: Action.USER_DELETED}
    audited_values = (
        *("username", "first_name", "last_name", "email"),
        *("is_active", "is_staff", "is_superuser", "groups", "user_permissions"),
    )

    def audited_action(self, flag: int, changed: Mapping[str, Any]) -> Action | None:
        if flag == CHANGE and "password" in changed:
            return Action.PASSWORD_CHANGED
        return Action.PERMISSIONS_CHANGED if flag == CHANGE and PERMISSIONS & changed.keys() else self.audited[flag]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        # Django changes a password without a transaction.
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    audited = {ADDITION: Action.GROUP_ADDED, CHANGE: Action.GROUP_CHANGED, DELETION: Action.GROUP_DELETED}
    audited_values = ("name", "permissions")

    def audited_action(self, flag: int, changed: Mapping[str, Any]) -> Action | None:
        return Action.PERMISSIONS_CHANGED if flag == CHANGE and PERMISSIONS & changed.keys() else self.audited[flag]


@admin.register(ApiToken)
class ApiTokenAdmin(AutocompleteMixin, AuditedAdmin, TokenAdmin):
    """Creates and revokes tokens. A key is shown once, to the user who creates the token."""

    audited = {ADDITION: Action.TOKEN_CREATED, DELETION: Action.TOKEN_DELETED}
    list_display = ["user", "created"]
    autocomplete_fields = ["user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        messages.warning(request, _("Copy this token now. It is not shown again: %s") % obj.key)
        return super().response_add(request, obj, post_url_continue)


# --- The audit log ---------------------------------------------------------------------------------------------


class AuditEntries(StreamedResource):
    """A row for each entry."""

    title, file_name = _("Audit log"), "audit-log"
    columns = (
        *("id", "at", "user_number", "user_name", "door", "address", "action"),
        *("object_type", "object_id", "object_name", "details", "request_id"),
    )

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        place = self.columns.index("details")
        for row in rows_by_id(queryset, *self.columns):
            yield (*row[:place], json.dumps(row[place], ensure_ascii=False), *row[place + 1 :])

    def row_count(self, queryset: QuerySet[Model], most: int) -> int:
        return len(queryset.order_by().values_list("pk")[: most + 1])


@admin.register(AuditEntry)
class AuditEntryAdmin(StreamingExportMixin, ReadOnlyAdmin):
    """Who did what. Nobody can change or delete an entry."""

    resource_classes = [AuditEntries]
    list_display = ["at", "user_name", "door", "address", "action", "object_type", "object_name"]
    list_filter = ["door", "action", "at"]
    search_fields = ["user_name", "object_name", "=object_id", "=address", "=request_id"]
    search_help_text = _("User or object; or the whole id, address or request id")
    date_hierarchy = "at"
    show_full_result_count = False
