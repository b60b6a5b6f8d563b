"""Raw usage records, in a table for each usage type."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from dsrhub.values.fields import NumericField
from subscriptions.models.subscribers import subscription_key


class UsageType(models.TextChoices):
    DATA = "data", _("data")
    VOICE = "voice", _("voice")

    @property
    def unit(self) -> str:
        return "kilobytes" if self is UsageType.DATA else "seconds"


def usage_type_field() -> models.CharField:
    return models.CharField(_("usage type"), max_length=5, choices=UsageType, db_collation="C")


class UsageRecord(models.Model):
    """A raw event, as the carrier reported it.

    `day` is the day of `usage_date` in DSRHUB_USAGE_TIME_ZONE. The tables are partitioned by `day`: a migration
    creates them with SQL. Only the services write to them.
    """

    usage_type: ClassVar[UsageType]
    amount_column: ClassVar[str]

    subscription = subscription_key()
    usage_date = models.DateTimeField(_("usage date"))
    day = models.DateField(_("day"), editable=False)
    price = NumericField(_("price"))
    external_id = models.CharField(  # noqa: DJ001 - NULL means no id, which many records may have
        _("external id"),
        max_length=255,
        null=True,
        blank=True,
        help_text=_("The carrier's id of the record. A record with an external id can safely be sent again."),
    )

    class Meta:
        abstract = True
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.pk}: subscription {self.subscription_id}, {self.day}"

    @property
    def amount(self) -> int:
        """The amount used, in the unit of the usage type."""
        used: int = getattr(self, self.amount_column)
        return used


class DataUsageRecord(UsageRecord):
    usage_type = UsageType.DATA
    amount_column = "kilobytes_used"

    kilobytes_used = models.PositiveBigIntegerField(_("kilobytes used"))

    class Meta(UsageRecord.Meta):
        verbose_name_plural = _("data usage records")
        verbose_name = _("data usage record")
        permissions = [
            ("import_datausagerecord", gettext_noop("Can import data usage records in the admin")),
            ("export_datausagerecord", gettext_noop("Can export data usage records")),
        ]


class VoiceUsageRecord(UsageRecord):
    usage_type = UsageType.VOICE
    amount_column = "seconds_used"

    seconds_used = models.PositiveBigIntegerField(_("seconds used"))

    class Meta(UsageRecord.Meta):
        verbose_name_plural = _("voice usage records")
        verbose_name = _("voice usage record")
        permissions = [
            ("import_voiceusagerecord", gettext_noop("Can import voice usage records in the admin")),
            ("export_voiceusagerecord", gettext_noop("Can export voice usage records")),
        ]


RECORD_MODELS: dict[UsageType, type[UsageRecord]] = {
    UsageType.DATA: DataUsageRecord,
    UsageType.VOICE: VoiceUsageRecord,
}


class UnplainExternalId(models.Model):
    """An external id that an earlier release stored with other bytes than its plain form, in which ids are compared.

    The migration that made the table listed them. A row whose record is purged or deleted does no harm.
    """

    usage_type = usage_type_field()
    subscription = subscription_key()
    plain_id = models.CharField(max_length=255, db_collation="C")
    external_id = models.CharField(max_length=255, db_collation="C")

    class Meta:
        default_permissions = ()  # No page shows it.
        constraints = [
            models.UniqueConstraint(
                fields=["usage_type", "subscription", "plain_id", "external_id"], name="unplain_external_id_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.usage_type}, subscription {self.subscription_id}: {self.external_id!r}"
