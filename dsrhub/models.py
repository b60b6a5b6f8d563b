"""Models that all applications share: counters for rate limits, and API tokens for the admin."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token, TokenProxy


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


class ApiToken(TokenProxy):
    """A user's token. Its key is shown when it is created and never again."""

    class Meta:
        proxy = True
        default_permissions = ("add", "delete", "view")
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        text: str = gettext("Token of %s") % self.user
        return text


# DRF's own text is the key, and the admin would show it on the page that deletes a user with the token.
Token.__str__ = ApiToken.__str__  # type: ignore[method-assign,assignment]
