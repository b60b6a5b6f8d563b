"""Price limits, the days on which they were reached, and the marks of what may have changed."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dsrhub.values.fields import NumericField
from subscriptions.models.records import usage_type_field
from subscriptions.models.subscribers import Subscription, subscription_key


class LimitSpan(models.TextChoices):
    """What a price limit adds up: each calendar month by itself, or all time."""

    MONTH = "month", _("calendar month")
    TOTAL = "total", _("total")


class LimitScope(models.TextChoices):
    """Whom a price limit is for."""

    SUBSCRIPTION = "subscription", _("subscription")
    CARRIER = "carrier", _("carrier")
    ALL = "all", _("all")


class PriceLimit(models.Model):
    """A price limit of a subscription, of all subscriptions of a carrier, or of all. The most specific one applies.

    A limit of months applies from the month `since`. Only the services write to it.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("subscription")
    )
    carrier = models.CharField(  # noqa: DJ001
        _("carrier"), max_length=6, choices=Subscription.Carrier, null=True, blank=True
    )
    usage_type = usage_type_field()
    span = models.CharField(_("span"), max_length=5, choices=LimitSpan)
    since = models.DateField(
        _("since"),
        null=True,
        blank=True,
        help_text=_("The first day of the first month that has the limit. A limit of the total has none."),
    )
    price = NumericField(_("price limit"))
    changed_at = models.DateTimeField(_("changed at"), auto_now=True)

    # Whether the service that returned it made it.
    is_new = False

    class Meta:
        verbose_name = _("price limit")
        verbose_name_plural = _("price limits")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "carrier", "usage_type", "span"],
                nulls_distinct=False,
                name="price_limit_once",
                violation_error_message=_("There is such a limit already. Change that one."),
            ),
            models.CheckConstraint(
                condition=Q(subscription__isnull=True) | Q(carrier__isnull=True),
                name="price_limit_of_one_scope",
                violation_error_message=_("A limit is for a subscription or for a carrier, not for both."),
            ),
            models.CheckConstraint(
                condition=Q(span="total", since__isnull=True) | Q(span="month", since__day=1),
                name="price_limit_since_first_day",
                violation_error_message=_("A limit of the total has no month."),
            ),
            models.CheckConstraint(
                condition=Q(price__gt=0),
                name="price_limit_positive",
                violation_error_message=_("A price limit is more than zero."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.whose}, {self.get_usage_type_display()}, {self.get_span_display()}"

    @property
    def whose(self) -> str:
        """Whom it is for, in the language of the reader."""
        if self.scope == LimitScope.ALL:
            return str(LimitScope.ALL.label)
        return str(self.subscription or self.get_carrier_display())

    @property
    def scope(self) -> LimitScope:
        if self.subscription_id is not None:
            return LimitScope.SUBSCRIPTION
        return LimitScope.ALL if self.carrier is None else LimitScope.CARRIER


class LimitCrossing(models.Model):
    """Says on which day the price of a subscription first reached its limit, in a month or in total.

    It never changes, but it is withdrawn when it is no longer so: because of a late, changed or deleted record, or of
    another limit. Of each month, and of the total, one crossing at most is not withdrawn.
    """

    subscription = subscription_key()
    usage_type = usage_type_field()
    span = models.CharField(_("span"), max_length=5, choices=LimitSpan)
    month = models.DateField(_("month"), null=True, help_text=_("Its first day. A limit of the total has none."))
    day = models.DateField(_("reached on"))
    price_limit = NumericField(_("price limit"))
    scope = models.CharField(_("limit of"), max_length=12, choices=LimitScope)
    found_at = models.DateTimeField(_("found at"))
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)

    class Meta:
        verbose_name = _("reached limit")
        verbose_name_plural = _("reached limits")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "usage_type", "span", "month"],
                condition=Q(withdrawn_at__isnull=True),
                nulls_distinct=False,
                name="limit_crossing_once",
            ),
        ]
        indexes = [
            models.Index(fields=["subscription", "-id"], name="limit_crossing_of_one"),
            models.Index(fields=["day"], name="limit_crossing_day"),
        ]

    def __str__(self) -> str:
        return f"subscription {self.subscription_id}, {self.usage_type}, {self.day}"


class LimitMark(models.Model):
    """Says that the crossings of some subscriptions, with ids from `first` to `last`, may have changed.

    Of the month, and of the total from then on; without a month, of all time. A refresh of aggregates marks what it has
    changed, and a change of a limit all whom it concerns.
    """

    usage_type = usage_type_field()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    month = models.DateField(null=True)

    class Meta:
        default_permissions = ()  # No page shows it.
        indexes = [models.Index(fields=["usage_type", "first"], name="limit_mark_order")]

    def __str__(self) -> str:
        return f"{self.usage_type}: {self.first} to {self.last}"
