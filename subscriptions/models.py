"""Subscriptions, their usage (raw records, and sums by day, by month and in total), and the sums of purged records."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from dsrhub.values.fields import NumericField

# No subscription has this id. In a mark it stands for all subscriptions.
ALL_SUBSCRIPTIONS = 0


class UsageType(models.TextChoices):
    DATA = "data", _("data")
    VOICE = "voice", _("voice")

    @property
    def unit(self) -> str:
        return "kilobytes" if self is UsageType.DATA else "seconds"


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


def _subscription_key() -> models.ForeignKey:
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


class UsageRecord(models.Model):
    """A raw event, as the carrier reported it.

    `day` is the day of `usage_date` in DSRHUB_USAGE_TIME_ZONE. The tables are partitioned by `day`: a migration
    creates them with SQL. Only the services write to them.
    """

    usage_type: ClassVar[UsageType]
    amount_column: ClassVar[str]

    subscription = _subscription_key()
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


def _usage_type() -> models.CharField:
    return models.CharField(_("usage type"), max_length=5, choices=UsageType, db_collation="C")


class UnplainExternalId(models.Model):
    """An external id that an earlier release stored with other bytes than its plain form, in which ids are compared.

    The migration that made the table listed them. A row whose record is purged or deleted does no harm.
    """

    usage_type = _usage_type()
    subscription = _subscription_key()
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


class UsageSum(models.Model):
    """The sums of some records."""

    subscription = _subscription_key()
    usage_type = _usage_type()
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


class UsageExport(models.Model):
    """An answer about usage that was stored as a whole, so that all its pages are of the same time.

    Its rows are in ExportedUsage. Both tables are unlogged: after a crash of the database, both are empty.
    """

    # A hash of the question. Pages of another one are refused.
    question = models.CharField(max_length=64)
    as_of = models.DateTimeField(null=True)
    row_count = models.BigIntegerField(default=0)
    # The last place: pages are counted in rows, or in subscriptions.
    last_place = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("usage export")
        default_permissions = ()  # No page shows it.

    def __str__(self) -> str:
        return f"{self.pk}"


class ExportedUsage(models.Model):
    """A row of an export. Rows of one place are on the same page."""

    pk = models.CompositePrimaryKey("export", "place", "usage_type")
    export = models.ForeignKey(UsageExport, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    place = models.BigIntegerField()
    subscription = _subscription_key()
    usage_type = _usage_type()
    day = models.DateField(null=True)
    price = NumericField()
    amount = NumericField()

    class Meta:
        default_permissions = ()  # No page shows it.

    def __str__(self) -> str:
        return f"{self.export_id}: {self.place}"


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

    usage_type = _usage_type()
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


class UsageMark(models.Model):
    """Says that records of a subscription and day were written after the last refresh of their aggregate.

    Each writer appends its own rows, so writers do not wait for each other, and a refresh deletes only the rows that
    it has read. The table has no key and no index, and stays small.
    """

    pk = models.CompositePrimaryKey("usage_type", "day", "subscription")
    usage_type = _usage_type()
    day = models.DateField(_("day"))
    subscription = _subscription_key()

    class Meta:
        verbose_name = _("usage mark")

    def __str__(self) -> str:
        return f"{self.usage_type} {self.day}: subscription {self.subscription_id}"


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
    usage_type = _usage_type()
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

    subscription = _subscription_key()
    usage_type = _usage_type()
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

    usage_type = _usage_type()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    month = models.DateField(null=True)

    class Meta:
        default_permissions = ()  # No page shows it.
        indexes = [models.Index(fields=["usage_type", "first"], name="limit_mark_order")]

    def __str__(self) -> str:
        return f"{self.usage_type}: {self.first} to {self.last}"
