"""What all applications share: counts of what is limited, and tokens as the admin shows them."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token, TokenProxy


class Tally(models.Model):
    """How often something was done since its window began: see `dsrhub.throttling`.

    The table is unlogged: a crash of the database forgets it, and a backup need not have it.
    """

    # A hash: neither an address nor a name, in which people type passwords too.
    key = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField()
    ends_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()  # nobody sees it

    def __str__(self) -> str:
        return self.key


class ApiToken(TokenProxy):
    """A user's token, which is shown when it is made and never again."""

    class Meta:
        proxy = True
        default_permissions = ("add", "delete", "view")
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        text: str = gettext("Token of %s") % self.user
        return text


# The framework's own text is the whole secret, and the admin shows it where a user is deleted with his token.
Token.__str__ = ApiToken.__str__  # type: ignore[method-assign,assignment]
