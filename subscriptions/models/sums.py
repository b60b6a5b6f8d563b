"""Sums of usage, the marks of those that are out of date, and what stays of purged records."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dsrhub.values.fields import NumericField
from subscriptions.models.records import usage_type_field
from subscriptions.models.subscribers import subscription_key

# No subscription has this id. In a mark it stands for all subscriptions.
ALL_SUBSCRIPTIONS = 0


class UsageSum(models.Model):
    """The sums of some records."""

    subscription = subscription_key()
    usage_type = usage_type_field()
    price = NumericField(_("price"))
    amount = NumericField(_("amount"), help_text=_("Kilobytes of data, or seconds of voice."))
    record_count = models.BigIntegerField(_("records"))

    class Meta:
        abstract = True


class DailyUsage(UsageSum):
    """The sum of a subscription's records of one type and day at the last refresh. Purged records are included.

    It is valid as long as there is no mark for it: see subscriptions/aggregates/__init__.py. If all records were
    deleted, the row stays with a record count of 0.
    """

    pk = models.CompositePrimaryKey("subscription", "usage_type", "day")
    day = models.DateField(_("day"))

    class Meta:
        verbose_name = _("daily usage")
        indexes = [
            # For the usage of all subscriptions in a range of days, and for pages of it.
            models.Index(fields=["usage_type", "day", "subscription"], name="daily_usage_day"),
        ]

    def __str__(self) -> str:
        return f"subscription {self.subscription_id}, {self.usage_type}, {self.day}"


class MonthlyUsage(UsageSum):
    """The sum of a subscription's rows of DailyUsage of one type and month, with or without marks."""

    pk = models.CompositePrimaryKey("subscription", "usage_type", "month")
    month = models.DateField(_("month"), help_text=_("The first day of the month."))

    class Meta:
        verbose_name = _("monthly usage")
        constraints = [models.CheckConstraint(condition=Q(month__day=1), name="monthly_usage_first_day")]
        indexes = [
            # For the usage of all subscriptions in a range of months, and for pages of it.
            models.Index(fields=["usage_type", "month", "subscription"], name="monthly_usage_month"),
        ]

    def __str__(self) -> str:
        return f"subscription {self.subscription_id}, {self.usage_type}, {self.month:%Y-%m}"


class TotalUsage(UsageSum):
    """The sum of a subscription's rows of MonthlyUsage of one type."""

    pk = models.CompositePrimaryKey("usage_type", "subscription")

    class Meta:
        verbose_name = _("total usage")

    def __str__(self) -> str:
        return f"subscription {self.subscription_id}, {self.usage_type}"


class UsageMark(models.Model):
    """Says that records of a subscription and day were written after the last refresh of their aggregate.

    Each writer appends its own rows, so writers do not wait for each other, and a refresh deletes only the rows that
    it has read. The table has no key and no index, and stays small.
    """

    pk = models.CompositePrimaryKey("usage_type", "day", "subscription")
    usage_type = usage_type_field()
    day = models.DateField(_("day"))
    subscription = subscription_key()

    class Meta:
        verbose_name = _("usage mark")

    def __str__(self) -> str:
        return f"{self.usage_type} {self.day}: subscription {self.subscription_id}"


class PurgedUsage(UsageSum):
    """The sum of purged raw records. A row never changes; another purge of the same day adds rows."""

    pk = models.CompositePrimaryKey("day", "usage_type", "subscription", "purge")
    day = models.DateField(_("day"))
    purge = models.IntegerField(
        _("purge"), help_text=_("The number of this purge among the purges of the day, from 1.")
    )

    class Meta:
        verbose_name = _("purged usage")

    def __str__(self) -> str:
        return f"subscription {self.subscription_id}, {self.usage_type}, {self.day}, purge {self.purge}"


class SealedDay(models.Model):
    """A day whose raw records were purged. Only an explicit backfill can add records to it."""

    usage_type = usage_type_field()
    day = models.DateField(_("day"))
    purges = models.IntegerField(_("purges"), default=0)
    record_count = models.BigIntegerField(_("records purged"), default=0)
    sealed_at = models.DateTimeField(_("sealed at"), auto_now=True)

    class Meta:
        verbose_name = _("sealed day")
        verbose_name_plural = _("sealed days")
        ordering = ["-day", "usage_type"]
        constraints = [models.UniqueConstraint(fields=["usage_type", "day"], name="sealed_day_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.usage_type}"
