"""Subscriptions, and the keys by which the other tables name them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


class Subscription(models.Model):
    """A customer's contract with a carrier. It is never deleted, as its usage stays: it gets the status "expired"."""

    class Carrier(models.TextChoices):
        ATT = "att", "AT&T"
        SPRINT = "sprint", "Sprint"

    class Status(models.TextChoices):
        NEW = "new", _("new")
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")
        EXPIRED = "expired", _("expired")

    carrier = models.CharField(_("carrier"), max_length=6, choices=Carrier)
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.NEW)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["id"]
        permissions = [
            ("export_subscription", gettext_noop("Can export subscriptions and their daily usage")),
            ("ingest_usage", gettext_noop("Can send usage records over the REST API")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(carrier__in=["att", "sprint"]), name="subscription_carrier_known"),
            models.CheckConstraint(
                condition=Q(status__in=["new", "active", "suspended", "expired"]), name="subscription_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} ({self.get_carrier_display()})"


def subscription_key() -> models.ForeignKey:
    """A foreign key that the services check, without a constraint in the database.

    With a constraint, attaching a partition would lock the referenced table, and the check of each row would make
    loading and summing much slower. Each table defines its own index.
    """
    return models.ForeignKey(
        Subscription,
        models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("subscription"),
    )
