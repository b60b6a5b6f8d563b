"""The bases of the admins of all applications: rows that nobody edits, and those that services change and delete."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from dsrhub.exceptions import ConfirmationOutdated, DsrhubError
from dsrhub.pages.confirmation import require_as_shown, shown_digest
from dsrhub.pages.languages import in_english
from dsrhub.pages.lookups import ChosenLookupsAdmin


class UneditedAdmin(ChosenLookupsAdmin):
    """Rows that only the services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(UneditedAdmin):
    """Rows that people can view, and do nothing else with."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LoggedInEnglishAdmin(admin.ModelAdmin):
    """Rows whose name is a text of pages, in the language of the reader. Entries of the log keep it in English."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return in_english(super().log_addition)(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return in_english(super().log_change)(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return in_english(super().log_deletions)(request, queryset)


class AsShownAdmin(ChosenLookupsAdmin):
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
