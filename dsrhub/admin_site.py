"""The site of the admin. Changing one's own password is limited and audited there."""

from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect

from dsrhub.audit import audit
from dsrhub.models import Action
from dsrhub.throttling import Attempt


class DsrhubAdminSite(AdminSite):
    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Change the user's own password. A wrong old password counts as a failure to sign in."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        user: Any = request.user  # `admin_view` has checked that somebody is signed in.
        attempt = Attempt(request, user.get_username())
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if isinstance(response, HttpResponseRedirect):
                audit(Action.PASSWORD_CHANGED, user)
        page: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "form" not in page or "old_password" not in page["form"].errors:
            attempt.succeeded()
        return response
