"""What the pages of questions about usage share: permissions, time limits, and how a page is shown."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from dsrhub.database.time_limits import OutOfTime, answered_within

# Nobody waits longer for a page.
QUESTION_SECONDS = 10
Answer = TypeVar("Answer")


def answered(form: forms.Form, ask: Callable[[], Answer]) -> tuple[Answer | None, int]:
    """The answer, and the status of the page. Without an answer, the form says why."""
    if not form.is_valid():
        return None, 400
    try:
        # The savepoint keeps the transaction of a form, in which a page may be shown.
        with answered_within(QUESTION_SECONDS), transaction.atomic():
            return ask(), 200
    except OutOfTime:
        form.add_error(None, _("This takes too long. Choose fewer days, whole months, or a filter."))
        return None, 503


class QuestionPage(admin.ModelAdmin):
    """A page that asks a question."""

    def _may_export(self, request: HttpRequest) -> bool:
        return bool(self.has_export_permission(request))  # type: ignore[attr-defined]

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _question(
        self, request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
    ) -> TemplateResponse:
        shared = {"opts": self.opts, "may_export": self._may_export(request)}
        context = {**self.admin_site.each_context(request), **shared, **context}
        return TemplateResponse(request, f"admin/subscriptions/questions/{name}.html", context, status=status)
