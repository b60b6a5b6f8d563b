"""The admin of what all applications share: users, groups, tokens and keys of programs, and the audit log."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from dsrhub.admin import audit_log, keys, people

__all__ = ["audit_log", "keys", "people"]

admin.site.site_header = admin.site.site_title = "dsrhub"
admin.site.index_title = _("Digital Sales Reports")

people.register(admin.site)
