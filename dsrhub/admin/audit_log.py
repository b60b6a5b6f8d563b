"""The page of the audit log, and its export."""

import json
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from import_export.forms import ExportForm

from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.import_export.tables import StreamedResource, rows_by_id
from dsrhub.models import AuditEntry
from dsrhub.pages.model_admins import ReadOnlyAdmin


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

    # The heading of the list. The list counts entries, as the plural of the model says.
    list_title = _("Audit log")
    resource_classes = [AuditEntries]
    list_display = ["at", "user_name", "door", "address", "action", "object_kind", "object_name"]
    list_filter = ["door", "action", "at"]
    lookups = ["id__in"]  # the action "Export selected"
    search_fields = ["user_name", "object_name", "=object_id", "=address", "=request_id"]
    search_help_text = _("User or object; or the whole id, address or request id")
    date_hierarchy = "at"
    show_full_result_count = False
    fields = ["at", "user_name", "user_number", "door", "address", "action", "object_kind", "object_id", "object_name"]
    fields += ["details_as_lines", "request_id"]
    readonly_fields = ["at", "object_kind", "details_as_lines"]

    @admin.display(description=_("object type"), ordering="object_type")
    def object_kind(self, entry: AuditEntry) -> Any:
        """Return what people call the type of the object. A type of an earlier release may be gone."""
        try:
            return apps.get_model(entry.object_type)._meta.verbose_name
        except LookupError:
            return entry.object_type

    @admin.display(description=_("details"))
    def details_as_lines(self, entry: AuditEntry) -> SafeString:
        text = json.dumps(entry.details, ensure_ascii=False, indent=2)
        return format_html('<pre class="details">{}</pre>', text)
