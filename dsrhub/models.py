"""Models that all applications share: rate limits, tokens and keys of APIs, languages, counters, and the audit log."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token

from dsrhub.actors import Door
from dsrhub.scopes import scope_of


class Tally(models.Model):
    """How often something happened since its window began: see `dsrhub.throttling`.

    The table is unlogged: it is empty after a crash of the database, and a backup does not need it.
    """

    # A hash: addresses are not stored, nor user names, in which people sometimes type their password.
    key = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField()
    ends_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()  # it has no page in the admin

    def __str__(self) -> str:
        return self.key


class ApiToken(models.Model):
    """A key with which a program signs in as a user. Only a hash of the key is stored: see `dsrhub.access.tokens`.

    The constraints of both foreign keys are in the migration, as they act in the database: servers of the release
    before, which do not know this table, can still delete users.
    """

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, db_constraint=False, related_name="api_tokens", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=100, help_text=_("The program or the person that uses the token."))
    prefix = models.CharField(_("starts with"), max_length=8)
    hash = models.CharField(max_length=64, unique=True)
    # A hash of the user's stored password when the token was created. Another password makes the token invalid.
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    expires_at = models.DateTimeField(_("expires at"))
    # Updated once an hour at most.
    last_used_at = models.DateTimeField(_("last used at"), null=True)
    # Whether it is a copy from the table of the releases before, which has the whole key. Until the command
    # `forget_old_tokens` empties that table, its servers may revoke the token there.
    in_old_table = models.BooleanField(default=False)

    # The whole key, on the object that `token_create` returns.
    key: str

    class Meta:
        default_permissions = ("add", "delete", "view")
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        text: str = gettext("Token %(prefix)s… of %(user)s") % {"prefix": self.prefix, "user": self.user}
        return text


def _name_of_old_token(token: Token) -> str:
    text: str = gettext("Token of %s") % token.user
    return text


# DRF's own text is the key, and the admin would show it on the page that deletes a user with the token.
Token.__str__ = _name_of_old_token  # type: ignore[method-assign,assignment]


class ApiKey(models.Model):
    """A key with which a program acts for its owner, within its scopes: see `dsrhub.access.keys`.

    It has a table of its own: servers of the release before know only tokens, which have no scopes, and refuse keys.
    The constraints of both foreign keys are in the migration, as those of ApiToken.
    """

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, db_constraint=False, related_name="api_keys", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=100, help_text=_("The program that uses the key."))
    # The first part of the secret, by which it is found. It is no secret itself.
    prefix = models.CharField(_("starts with"), max_length=20, unique=True)
    # Of the whole secret, which has 256 random bits: nobody can guess one from a plain SHA-256.
    hash = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20), verbose_name=_("scopes"))
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    expires_at = models.DateTimeField(_("expires at"))
    # When another key took its place. It works on until it expires, which rotating brings forward.
    rotated_at = models.DateTimeField(_("rotated at"), null=True)
    # Updated once a minute at most.
    last_used_at = models.DateTimeField(_("last used at"), null=True)

    # The whole secret, on the object that `key_create` or `key_rotate` returns.
    secret: str

    class Meta:
        default_permissions = ("add", "delete", "view")
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        text: str = gettext("API key %(prefix)s… of %(user)s") % {"prefix": self.prefix, "user": self.user}
        return text


class KeyUser(User):
    """The owner of a key in a request with this key. Both must allow what the request does."""

    # The prefix and the scopes of the key.
    key: str
    scopes: frozenset[str]

    class Meta:
        proxy = True
        default_permissions = ()  # it is no other user

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return scope_of(perm) in self.scopes and super().has_perm(perm, obj)


class UserLanguage(models.Model):
    """The language that a user has chosen: see `dsrhub.pages.languages`.

    The constraint of the foreign key is in the migration, as that of ApiToken.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, db_constraint=False, primary_key=True, related_name="+")
    # No choices: a new language needs no migration.
    language = models.CharField(max_length=10)

    class Meta:
        default_permissions = ()  # it has no page in the admin

    def __str__(self) -> str:
        return f"{self.user_id}: {self.language}"


class StoredValue(models.Model):
    """A number for Prometheus that all processes add to: see `dsrhub.metrics.stored`."""

    name = models.CharField(max_length=100)
    # The values of its labels, in the order of their names.
    labels = ArrayField(models.TextField(), default=list)
    value = models.FloatField()

    class Meta:
        default_permissions = ()  # it has no page in the admin
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="stored_value_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"


class Action(models.TextChoices):
    """What the audit log has entries of. The codes are stable."""

    DSR_DELETED = "dsr_deleted", _("DSR deleted")
    DSR_REPLACED = "dsr_replaced", _("DSR replaced")
    DSR_REVERTED = "dsr_reverted", _("DSR reverted")
    VERSIONS_DROPPED = "versions_dropped", _("earlier versions dropped")
    DELIVERY_RETRIED = "delivery_retried", _("refused delivery tried again")
    RATE_SET = "rate_set", _("rate set")
    RATE_DELETED = "rate_deleted", _("rate deleted")
    RATES_LOADED = "rates_loaded", _("ECB rates loaded")
    PARTY_RENAMED = "party_renamed", _("DSP or society renamed")
    ALIAS_ADDED = "alias_added", _("alias added")
    ALIAS_CHANGED = "alias_changed", _("alias changed")
    ALIAS_DELETED = "alias_deleted", _("alias deleted")
    TEMPLATE_ADDED = "template_added", _("template added")
    TEMPLATE_CHANGED = "template_changed", _("template changed")
    TEMPLATE_DELETED = "template_deleted", _("template deleted")
    USAGE_ADDED = "usage_added", _("usage record added")
    USAGE_EDITED = "usage_edited", _("usage record edited")
    USAGE_DELETED = "usage_deleted", _("usage records deleted")
    USAGE_IMPORTED = "usage_imported", _("usage file imported")
    USAGE_PURGED = "usage_purged", _("usage records purged")
    SUBSCRIPTION_ADDED = "subscription_added", _("subscription added")
    SUBSCRIPTION_CHANGED = "subscription_changed", _("subscription changed")
    LIMIT_SET = "limit_set", _("price limit set")
    LIMIT_DELETED = "limit_deleted", _("price limit deleted")
    WEBHOOK_ADDED = "webhook_added", _("webhook added")
    WEBHOOK_CHANGED = "webhook_changed", _("webhook changed")
    WEBHOOK_ROTATED = "webhook_rotated", _("secret of a webhook rotated")
    WEBHOOK_DELETED = "webhook_deleted", _("webhook deleted")
    TOKEN_CREATED = "token_created", _("token created")
    TOKEN_DELETED = "token_deleted", _("token deleted")
    TOKEN_REVOKED = "token_revoked", _("token revoked")
    KEY_CREATED = "key_created", _("API key created")
    KEY_ROTATED = "key_rotated", _("API key rotated")
    KEY_REVOKED = "key_revoked", _("API key revoked")
    USER_ADDED = "user_added", _("user added")
    USER_CHANGED = "user_changed", _("user changed")
    USER_DELETED = "user_deleted", _("user deleted")
    GROUP_ADDED = "group_added", _("group added")
    GROUP_CHANGED = "group_changed", _("group changed")
    GROUP_DELETED = "group_deleted", _("group deleted")
    PERMISSIONS_CHANGED = "permissions_changed", _("permissions changed")
    PASSWORD_CHANGED = "password_changed", _("password changed")


def action_choices() -> list[tuple[str, Any]]:
    """As a function, so that a new action needs no migration."""
    return list(Action.choices)


DOORS = {
    Door.ADMIN: _("admin"),
    Door.REST: "REST",
    Door.GRAPHQL: "GraphQL",
    Door.COMMAND: _("command"),
    Door.WORKER: _("worker"),
    Door.FOLDER: _("drop folder"),
}


def door_choices() -> list[tuple[str, Any]]:
    return [(door.value, DOORS[door]) for door in Door]


class AuditEntry(models.Model):
    """Who did what: written by `dsrhub.logs.audit` in the transaction of the change. The database refuses to change it.

    It has no foreign keys: it outlives users and objects, and their deletion must not change it.
    """

    at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    user_number = models.BigIntegerField(_("user id"), null=True)
    user_name = models.CharField(_("user"), max_length=150, blank=True)
    door = models.CharField(_("door"), max_length=10, choices=door_choices)
    address = models.CharField(_("address"), max_length=45, blank=True, help_text=_("Of the client."))
    action = models.CharField(_("action"), max_length=40, choices=action_choices)
    object_type = models.CharField(_("object type"), max_length=100)
    object_id = models.CharField(_("object id"), max_length=64, blank=True)
    object_name = models.CharField(_("object"), max_length=255, blank=True)
    details = models.JSONField(_("details"), default=dict)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        permissions = [("export_auditentry", gettext_noop("Can export the audit log"))]
        # For the list in its order, also that of some days.
        indexes = [models.Index(fields=["-at", "-id"], name="audit_entry_order")]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.object_name}"
