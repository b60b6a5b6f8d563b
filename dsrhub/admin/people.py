"""The admin of users, groups and tokens. A right to manage them never gives more rights than one's own."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.admin.utils import unquote
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import ManyToManyField, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken import admin as _old_tokens  # noqa: F401 - registers its page
from rest_framework.authtoken.models import TokenProxy

from dsrhub.access.tokens import password_changed, token_create, token_revoke
from dsrhub.logs.audited import AtomicActionsAdmin, AuditedAdmin
from dsrhub.models import Action, ApiKey, ApiToken
from dsrhub.pages.autocomplete import AutocompleteMixin
from dsrhub.pages.lookups import ChosenLookupsAdmin
from dsrhub.pages.model_admins import LoggedInEnglishAdmin

# --- Rights ----------------------------------------------------------------------------------------------------


def permissions_of(owner: User | Group) -> set[int]:
    """The ids of the permissions of a user, with those of the user's groups, or of a group.

    Unlike Django's `has_perm`, it counts those of inactive users: somebody may activate them again.
    """
    held = Q(group=owner) if isinstance(owner, Group) else Q(user=owner) | Q(group__user=owner)
    return set(Permission.objects.filter(held).values_list("pk", flat=True))


def has_no_more_rights(other: User | Group, user: User) -> bool:
    """Whether `user` has all rights that the other user, or the members of the group, have."""
    if user.is_superuser:
        return True
    if isinstance(other, User) and other.is_superuser:
        return False
    return permissions_of(other) <= permissions_of(user)


def groups_within(permissions: set[int]) -> QuerySet[Group]:
    return Group.objects.exclude(permissions__in=Permission.objects.exclude(pk__in=permissions))


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


class OwnRightsAdmin(ChosenLookupsAdmin):
    """Users change and delete only objects with no more rights than their own, and give only rights that they have."""

    def owner(self, obj: Any) -> User | Group:
        """Whose rights the object has."""
        return cast("User | Group", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within(request, obj)

    def _is_within(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None or has_no_more_rights(self.owner(obj), _user(request))

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **kwargs: Any) -> Any:
        if not _user(request).is_superuser:
            own = permissions_of(_user(request))
            if db_field.related_model is Permission:
                kwargs["queryset"] = Permission.objects.filter(pk__in=own)
            elif db_field.related_model is Group:
                kwargs["queryset"] = groups_within(own)
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.related_model is Permission:
            field.label_from_instance = permission_label
        return field


# The names that Django stores for the permissions of each model.
NAMES = {
    "add": _("Can add %(object)s"),
    "change": _("Can change %(object)s"),
    "delete": _("Can delete %(object)s"),
    "view": _("Can view %(object)s"),
}


def permission_label(permission: Permission) -> str:
    """What a permission allows, in the language of the request: its stored name is English."""
    model = permission.content_type.model_class()
    action, _separator, of = permission.codename.partition("_")
    if model is None or action not in NAMES or of != permission.content_type.model:
        name = translated(permission.name)  # marked where the model lists its permissions
    else:
        name = NAMES[action] % {"object": model._meta.verbose_name}
    return f"{permission.content_type} | {name}"


# --- Pages -----------------------------------------------------------------------------------------------------


# The fields that say what somebody may do.
PERMISSIONS = {"is_active", "is_staff", "is_superuser", "groups", "user_permissions", "permissions"}


class AuditedPeopleAdmin(AuditedAdmin):
    """A change of permissions has an action of its own."""

    def audited_action(self, flag: int, changed: Mapping[str, Any]) -> Action | None:
        # A service audits a change of a password. The form that disables a password names no changed field.
        if flag == CHANGE and changed.keys() <= {"password"}:
            return None
        return Action.PERMISSIONS_CHANGED if flag == CHANGE and PERMISSIONS & changed.keys() else self.audited[flag]


class UserAdmin(AuditedPeopleAdmin, OwnRightsAdmin, auth_admin.UserAdmin):
    audited = {ADDITION: Action.USER_ADDED, CHANGE: Action.USER_CHANGED, DELETION: Action.USER_DELETED}
    audited_values = (
        *("username", "first_name", "last_name", "email"),
        *("is_active", "is_staff", "is_superuser", "groups", "user_permissions"),
    )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user: User | None = self.get_object(request, unquote(id))
        # Django changes a password without a transaction.
        with transaction.atomic():
            response: HttpResponse = super().user_change_password(request, id, form_url)
            if user is not None and isinstance(response, HttpResponseRedirect):
                password_changed(user=user, before=user.password)
        return response

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        readonly = super().get_readonly_fields(request, obj)
        return readonly if _user(request).is_superuser else [*readonly, "is_superuser"]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Deleting a user needs no permission to delete the tokens and keys of the user."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, lacking - {ApiToken._meta.verbose_name, ApiKey._meta.verbose_name}, protected


class GroupAdmin(AuditedPeopleAdmin, OwnRightsAdmin, auth_admin.GroupAdmin):  # type: ignore[misc]
    audited = {ADDITION: Action.GROUP_ADDED, CHANGE: Action.GROUP_CHANGED, DELETION: Action.GROUP_DELETED}
    audited_values = ("name", "permissions")
    empty_text = _("A group gives all of its users the same permissions, such as those of the back office.")


class RevocableAdmin(AutocompleteMixin, LoggedInEnglishAdmin, AtomicActionsAdmin, OwnRightsAdmin):
    """Rows with which a program acts for a user. Services create and revoke them. A secret is shown once, to the user
    who creates the row."""

    list_select_related = ["user", "created_by"]
    ordering = ["-id"]
    autocomplete_fields = ["user"]
    # The fields of the page of one, and those of a new one besides its owner.
    shown: ClassVar[list[str]]
    entered: ClassVar[list[str]]

    def revoke(self, obj: Any) -> None:
        raise NotImplementedError

    def owner(self, obj: Any) -> User:
        owner: User = obj.user
        return owner

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers create them for other users."""
        if obj is not None:
            return self.shown
        return ["user", *self.entered] if _user(request).is_superuser else self.entered

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.revoke(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for obj in queryset:
            self.revoke(obj)


class ApiTokenAdmin(RevocableAdmin):
    list_display = ["prefix", "name", "user", "created_at", "expires_at", "last_used_at", "created_by"]
    list_filter = ["created_at", "last_used_at"]
    search_fields = ["name", "user__username"]
    search_help_text = _("Name of the token or of the user")
    empty_text = _("A program with a token may do all that its user may. An API key may do only what its scopes allow.")
    shown: ClassVar = ["prefix", "name", "user", "created_at", "created_by", "expires_at", "last_used_at"]
    entered: ClassVar = ["name"]

    def revoke(self, obj: ApiToken) -> None:
        token_revoke(obj)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        owner = form.cleaned_data.get("user", request.user)
        token = token_create(user=owner, name=obj.name, created_by=_user(request))
        for name in ("pk", "user", "prefix", "expires_at", "key"):
            setattr(obj, name, getattr(token, name))

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key on this page: a message would be kept in a cookie, or in the table of sessions."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Token created"),
            "opts": self.opts,
            "token": obj,
        }
        return TemplateResponse(request, "admin/dsrhub/apitoken/created.html", context)


def register(site: admin.AdminSite) -> None:
    """Replace Django's pages of users and groups, and those of DRF, which show the keys of the old table."""
    # The imports above have registered them.
    site.unregister([User, Group, TokenProxy])
    site.register(User, UserAdmin)
    site.register(Group, GroupAdmin)
    site.register(ApiToken, ApiTokenAdmin)
