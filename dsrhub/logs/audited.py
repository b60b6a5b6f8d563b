"""Changes in the admin of rows that no service writes, in the audit log."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from dsrhub.logs.audit import audit
from dsrhub.models import Action


class AtomicActionsAdmin(admin.ModelAdmin):
    """An action on several rows is done as a whole, with its audit entries, or not at all."""

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        # Django runs an action without a transaction.
        with transaction.atomic():
            return super().response_action(request, *args, **kwargs)


class AuditedAdmin(AtomicActionsAdmin):
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
