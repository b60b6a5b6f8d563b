"""Totals under the lists of the admin: of all rows that the filters and the search find, not of a page alone."""

from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from dsrhub.database.time_limits import OutOfTime, answered_within

# Nobody waits longer for the totals of a list than for the list.
TOTAL_SECONDS = 1


class Total(NamedTuple):
    """A total with its name, as the page shows them."""

    name: str
    value: str | SafeString | None


class ListTotalsAdmin(admin.ModelAdmin):
    """A list that shows totals. If they take more than TOTAL_SECONDS, it says so instead."""

    def list_totals(self, rows: QuerySet) -> list[Total]:
        """Return the totals of the found rows. One query should be enough."""
        raise NotImplementedError

    def list_context(self, changes: ChangeList) -> dict[str, Any]:
        """Return what the template shows of the found rows."""
        return {"list_totals": self.list_totals(changes.queryset)}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        page = super().changelist_view(request, extra_context)
        if isinstance(page, TemplateResponse) and page.context_data and "cl" in page.context_data:
            page.context_data |= self._totals(page.context_data["cl"])
        return page

    def _totals(self, changes: ChangeList) -> dict[str, Any]:
        try:
            with answered_within(TOTAL_SECONDS), transaction.atomic():
                return self.list_context(changes)
        except OutOfTime:
            return {"late_totals_seconds": TOTAL_SECONDS}
