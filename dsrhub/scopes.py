"""What a key may be used for. A scope limits what the permissions of the owner allow: a request needs both."""

from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Scope(TextChoices):
    """The codes are stable, and no other words than these are stored."""

    READ_REPORTS = "read_reports", _("read reports")
    IMPORT = "import", _("import reports")
    DELETE = "delete", _("delete reports")
    RATES = "rates", _("set exchange rates")
    READ_USAGE = "read_usage", _("read usage")
    WRITE_USAGE = "write_usage", _("write usage")
    ADMIN = "admin", _("administration")


# The scope that reads what everybody may read, by the application whose data it is.
READS: Mapping[str, Scope] = {"catalogue": Scope.READ_REPORTS, "subscriptions": Scope.READ_USAGE}
READING = {"view", "export"}


def scope_of(permission: str) -> Scope:
    """The scope that a permission such as `catalogue.add_dsr` needs. What belongs to no other one is administration."""
    application, _separator, codename = permission.partition(".")
    action, _separator, model = codename.partition("_")
    if application == "subscriptions":
        return Scope.READ_USAGE if action in READING else Scope.WRITE_USAGE
    if application != "catalogue":
        return Scope.ADMIN
    if action in READING:
        return Scope.READ_REPORTS
    if model == "operatorrate":
        return Scope.RATES
    return Scope.DELETE if action == "delete" else Scope.IMPORT


def missing_scope(user: Any, scope: Scope) -> Scope | None:
    """The scope, if the user is the owner of a key that lacks it. Only requests with a key have scopes."""
    scopes = getattr(user, "scopes", None)
    return None if scopes is None or scope in scopes else scope
