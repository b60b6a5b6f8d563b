"""Permissions of the REST API, and those that the admin of a model decides."""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from dsrhub.scopes import READS, Scope, missing_scope, scope_of

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView


class ReadOpenWriteByPermission(BasePermission):
    """Anybody may read, unless DSRHUB_PRIVATE is on. A write needs the permission of its method.

    A view names the permissions: `write_permissions = {"POST": "catalogue.add_dsr"}`. Other methods are not allowed.
    It names other methods that only read, too: `read_methods = ("POST",)`. A view whose answers are not for everybody
    names a `read_permission`.

    A request with a key also needs the scope of the permission, or of the data that it reads.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not hasattr(view, str(request.method).lower()):
            raise MethodNotAllowed(str(request.method))
        if only_reads(view, request.method):
            to_read: str | None = getattr(view, "read_permission", None)
            if to_read is not None:
                return _has(request.user, to_read)
            _require_scope(request.user, READS.get(_application(view), Scope.ADMIN))
            return not settings.DSRHUB_PRIVATE or bool(request.user and request.user.is_authenticated)
        needed = getattr(view, "write_permissions", {}).get(request.method)
        if needed is None:
            raise MethodNotAllowed(str(request.method))
        return _has(request.user, needed)


class ScopeMissing(PermissionDenied):
    """The key lacks the scope."""

    default_code = "scope_missing"


def _require_scope(user: Any, scope: Scope) -> None:
    """Raises ScopeMissing."""
    if missing_scope(user, scope):
        raise ScopeMissing(_("The API key lacks the scope %(scope)s.") % {"scope": scope.value})


def _has(user: Any, permission: str) -> bool:
    """Whether a user has a permission. Raises ScopeMissing for a key without its scope."""
    if not user:
        return False
    _require_scope(user, scope_of(permission))
    return bool(user.has_perm(permission))


def _application(view: Any) -> str:
    """The application that a view belongs to."""
    return apps.get_containing_app_config(type(view).__module__).label  # type: ignore[union-attr]


def only_reads(view: Any, method: str | None) -> bool:
    """Whether a method of a view changes nothing."""
    return method in SAFE_METHODS or method in getattr(view, "read_methods", ())


def may(request: HttpRequest, permission: str, model: type[Model]) -> bool:
    """Whether the user has a permission, such as "delete", for a model in the admin."""
    return bool(getattr(admin.site.get_model_admin(model), f"has_{permission}_permission")(request))


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the user may view the list of a model in the admin."""
    return may(request, "view", model)
