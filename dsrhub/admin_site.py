"""The site of the admin: changing one's own password is limited and audited, and choices by searching are checked."""

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from dsrhub.throttling import Attempt
from dsrhub.tokens import password_changed


class ChoicesView(AutocompleteJsonView):
    def process_request(self, request: HttpRequest) -> Any:
        """Refuse relations that no form has as a field, such as the users of a group: Django fails on them."""
        term, model_admin, source_field, to_field = super().process_request(request)
        if not source_field.concrete:
            raise PermissionDenied
        return term, model_admin, source_field, to_field


class DsrhubAdminSite(AdminSite):
    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast(HttpResponse, ChoicesView.as_view(admin_site=self)(request))

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Change the user's own password. A wrong old password counts as a failure to sign in."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        user: Any = request.user  # `admin_view` has checked that somebody is signed in.
        attempt, before = Attempt(request, user.get_username()), user.password
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if isinstance(response, HttpResponseRedirect):
                password_changed(user=user, before=before)
        page: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "form" not in page or "old_password" not in page["form"].errors:
            attempt.succeeded()
        return response
