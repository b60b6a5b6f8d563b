"""The site of the admin. Changing one's own password is audited there."""

from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect

from dsrhub.audit import audit
from dsrhub.models import Action


class DsrhubAdminSite(AdminSite):
    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        user: Any = request.user  # `admin_view` has checked that somebody is signed in.
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and isinstance(response, HttpResponseRedirect):
                audit(Action.PASSWORD_CHANGED, user)
        return response
