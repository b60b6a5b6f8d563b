"""Digital Sales Reports, what belongs to them, and deliveries that became none."""

from datetime import date
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from catalogue.models.currencies import Currency, RateMethod, Territory
from catalogue.models.messages import ReportMessage
from catalogue.querysets import DSRQuerySet
from catalogue.reports.contexts import SalesContext
from catalogue.reports.formats.registry import explanation
from dsrhub.texts.marked import text_read
from dsrhub.values.fields import NumericField

# The partition of the lines of all small DSRs; a large DSR's partition has the DSR's id as its number.
SHARED_PARTITION = 0


class RevenueKind(models.TextChoices):
    """Whether the lines of a DSR have revenue of their own, or a share in that of their summary."""

    REPORTED = "reported", _("reported")
    ALLOCATED = "allocated", _("allocated")


class AbstractDSR(models.Model):
    """What one DSP reported for one territory, currency and period: the key, the delivery, the rate and the totals.

    The fields from `commercial_model` to `revenue_without_royalty` are for DSRs of messages alone.
    """

    class Status(models.TextChoices):
        INGESTED = "ingested", _("ingested")
        FAILED = "failed", _("failed")

    path = models.CharField(_("file name"), max_length=255, help_text=_("The name of the file as it was delivered."))
    gzip_name = models.CharField(_("name inside gzip"), max_length=255, null=True, blank=True)  # noqa: DJ001
    sha256 = models.CharField(  # noqa: DJ001 - a blank hash would be a hash
        "SHA-256", max_length=64, null=True, blank=True, help_text=_("Of the unpacked content.")
    )
    dsp = models.CharField("DSP", max_length=100)
    offer = models.CharField(_("offer"), max_length=100)
    society = models.CharField(_("society"), max_length=100, null=True, blank=True)  # noqa: DJ001
    territory = models.ForeignKey(Territory, models.PROTECT, related_name="dsrs", verbose_name=_("territory"))
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="dsrs", verbose_name=_("currency"))
    period_start = models.DateField(_("period start"))
    period_end = models.DateField(_("period end"))
    status = models.CharField(_("status"), max_length=8, choices=Status)

    commercial_model = models.CharField(_("commercial model"), max_length=100, null=True, blank=True)  # noqa: DJ001
    use_type = models.CharField(_("use type"), max_length=100, null=True, blank=True)  # noqa: DJ001
    subscriber_type = models.CharField(_("subscriber type"), max_length=100, null=True, blank=True)  # noqa: DJ001
    summary_id = models.CharField(_("summary id"), max_length=100, null=True, blank=True)  # noqa: DJ001
    declared_usages = NumericField(_("declared usages"), null=True, blank=True)
    declared_revenue = NumericField(
        _("declared revenue"), null=True, blank=True, help_text=_("Net revenue of the summary, in its currency.")
    )
    unallocated_revenue = NumericField(
        _("unallocated revenue"),
        null=True,
        blank=True,
        help_text=_("Declared revenue that no line has: that of usages which are not in the report."),
    )
    revenue_kind = models.CharField(  # noqa: DJ001
        _("kind of revenue"), max_length=9, choices=RevenueKind, null=True, blank=True
    )
    subscribers = NumericField(_("subscribers"), null=True, blank=True)
    returns = models.BigIntegerField(
        _("returns"), null=True, blank=True, help_text=_("Counted apart, never subtracted from usages.")
    )
    usages_without_royalty = NumericField(_("usages without royalty"), null=True, blank=True)
    revenue_without_royalty = NumericField(_("revenue without royalty"), null=True, blank=True)

    exchange_rate = NumericField(
        _("exchange rate"), null=True, blank=True, help_text=_("Units of the currency for one euro.")
    )
    rate_method = models.CharField(_("rate method"), max_length=8, choices=RateMethod, blank=True)
    rate_source = models.CharField(_("rate source"), max_length=255, blank=True)

    partition = models.IntegerField(_("partition"), default=SHARED_PARTITION, editable=False)
    line_count = models.BigIntegerField(_("lines"), default=0)
    total_usages = NumericField(_("usages"), default=0)
    total_revenue = NumericField(_("revenue"), default=0, help_text=_("In the currency of the DSR, exact."))
    lowest_revenue = NumericField(_("lowest revenue of a line"), null=True, blank=True)
    most_repeats = models.BigIntegerField(
        _("most lines of one recording"), default=1, editable=False, help_text=_("1 where no DSP ID is repeated.")
    )
    blank_title_count = models.BigIntegerField(_("blank titles"), default=0)
    blank_artists_count = models.BigIntegerField(_("blank artists"), default=0)
    blank_isrc_count = models.BigIntegerField(_("blank ISRCs"), default=0)
    blank_usages_count = models.BigIntegerField(_("blank usages"), default=0)
    blank_revenue_count = models.BigIntegerField(_("blank revenues"), default=0)
    # Null until the worker has counted them: earlier releases, which may still import, did not.
    blank_isrc_usages = NumericField(_("usages without ISRC"), null=True, blank=True)
    blank_isrc_revenue = NumericField(
        _("revenue without ISRC"), null=True, blank=True, help_text=_("In the currency of the DSR, exact.")
    )
    error_count = models.BigIntegerField(_("errors"), default=0)
    warning_count = models.BigIntegerField(_("warnings"), default=0)

    is_catalogued = models.BooleanField(
        _("catalogued"), default=False, editable=False, help_text=_("Its resources are registered.")
    )
    imported_at = models.DateTimeField(_("imported at"), auto_now_add=True)
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("imported by"),
    )

    # Of its message; None of a DSR that belongs to none.
    message_id: int | None

    BLANK_COUNTS = (
        "blank_title_count",
        "blank_artists_count",
        "blank_isrc_count",
        "blank_usages_count",
        "blank_revenue_count",
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.path

    @property
    def context(self) -> SalesContext:
        """What the DSR is about: its key."""
        return SalesContext(
            dsp=self.dsp,
            offer=self.offer,
            society=self.society,
            territory=self.territory_id,
            currency=self.currency_id,
            period_start=self.period_start,
            period_end=self.period_end,
            commercial_model=self.commercial_model,
            use_type=self.use_type,
            subscriber_type=self.subscriber_type,
        )

    @property
    def shown_revenue_kind(self) -> str | None:
        """The kind of revenue: reported, where an ingested DSR does not say it. A failed DSR has no revenue."""
        is_silent = self.revenue_kind is None and self.status == self.Status.INGESTED
        return RevenueKind.REPORTED.value if is_silent else self.revenue_kind

    @property
    def blank_count(self) -> int:
        """The number of blank cells in the report."""
        return sum(getattr(self, count) for count in self.BLANK_COUNTS)


class DSR(AbstractDSR):
    """A Digital Sales Report that is ingested, or whose import failed."""

    # Four bytes are enough, and every line carries them.
    id = models.AutoField(primary_key=True)
    message = models.ForeignKey(
        ReportMessage, models.PROTECT, related_name="dsrs", null=True, blank=True, verbose_name=_("message")
    )

    # A worker sets them: nobody who confirms a deletion needs to see them.
    UNSEEN_FIELDS = ("is_catalogued", "blank_isrc_usages", "blank_isrc_revenue")
    objects: ClassVar[models.Manager["DSR"]] = DSRQuerySet.as_manager()

    class Meta:
        verbose_name = _("DSR")
        verbose_name_plural = _("DSRs")
        ordering = ["id"]
        permissions = [
            ("import_dsr", gettext_noop("Can import DSRs in the admin")),
            ("export_dsr", gettext_noop("Can export DSRs")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("dsp", "offer", "society", "territory", "currency", "period_start", "period_end"),
                    *("commercial_model", "use_type", "subscriber_type"),
                ],
                condition=Q(status="ingested"),
                nulls_distinct=False,
                name="dsr_key_once_ingested",
            ),
            # The next import of the same file replaces its failure.
            models.UniqueConstraint(fields=["path"], condition=Q(status="failed"), name="dsr_path_once_failed"),
            models.CheckConstraint(condition=Q(period_start__lte=F("period_end")), name="dsr_period_in_order"),
            models.CheckConstraint(
                condition=Q(status="failed") | Q(exchange_rate__gt=0, sha256__isnull=False),
                name="dsr_ingested_with_rate_and_hash",
            ),
        ]
        indexes = [
            # For the warning that the same content was delivered before.
            models.Index(fields=["sha256"], name="dsr_sha256"),
            # For the distinct societies, to find those that look alike. The key begins with the DSP and the offer.
            models.Index(fields=["society"], condition=Q(status="ingested", society__isnull=False), name="dsr_society"),
        ]

    # The order in which DSRs describe resources: by period, then by these texts, byte by byte. Contexts of a message
    # have one file name.
    RECENCY_TEXTS = (
        *("path", "offer", "society", "territory_id", "currency_id"),
        *("commercial_model", "use_type", "subscriber_type"),
    )

    @property
    def recency(self) -> tuple[date, date, list[bytes]]:
        """The order in which DSRs describe resources. A text that is missing comes first."""
        texts = [getattr(self, name) or "" for name in self.RECENCY_TEXTS]
        return self.period_end, self.period_start, [text.encode() for text in texts]


class UseTypeTotal(models.Model):
    """The totals of the lines of a DSR that have one use type. Only DSRs of messages have them."""

    # The constraint is in the migration: it acts in the database.
    dsr = models.ForeignKey(DSR, models.CASCADE, related_name="use_type_totals", db_constraint=False)
    use_type = models.TextField(_("use type"), null=True)  # noqa: DJ001
    line_count = models.BigIntegerField(_("lines"))
    blank_isrc_count = models.BigIntegerField(_("blank ISRCs"), default=0)
    total_usages = NumericField(_("usages"))
    total_revenue = NumericField(_("revenue"))
    # As those of the DSR.
    blank_isrc_usages = NumericField(_("usages without ISRC"), null=True)
    blank_isrc_revenue = NumericField(_("revenue without ISRC"), null=True)

    class Meta:
        default_permissions = ()  # It is a part of its DSR.
        ordering = ["dsr", "use_type"]
        constraints = [
            models.UniqueConstraint(fields=["dsr", "use_type"], nulls_distinct=False, name="use_type_total_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dsr_id} {self.use_type}"


class RateChange(models.Model):
    """A change of the exchange rate of an ingested DSR, with the old and the new rate."""

    dsr = models.ForeignKey(DSR, models.CASCADE, related_name="rate_changes", verbose_name=_("DSR"))
    old_rate = NumericField(_("old rate"))
    old_method = models.CharField(_("old method"), max_length=8, choices=RateMethod)
    old_source = models.CharField(_("old source"), max_length=255)
    new_rate = NumericField(_("new rate"))
    new_method = models.CharField(_("new method"), max_length=8, choices=RateMethod)
    new_source = models.CharField(_("new source"), max_length=255)
    changed_at = models.DateTimeField(_("changed at"), auto_now_add=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True, blank=True, verbose_name=_("changed by")
    )

    class Meta:
        verbose_name = _("rate change")
        verbose_name_plural = _("rate changes")
        ordering = ["-changed_at", "-id"]

    def __str__(self) -> str:
        return f"{self.old_rate} -> {self.new_rate}"


class RejectedDelivery(models.Model):
    """A delivery that became no DSR, not even a failed one: it does not say which DSRs it has, or it has several."""

    LONGEST_REASON = 500

    name = models.CharField(_("name"), max_length=255, unique=True)
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON, help_text=_("In English."))
    # The workers of the version before write the reason alone.
    reason_parts = models.JSONField(null=True, help_text=_("What the reason is made of, to say it in any language."))
    error_count = models.BigIntegerField(_("errors"), default=0, db_default=0)
    warning_count = models.BigIntegerField(_("warnings"), default=0, db_default=0)
    delivered_at = models.DateTimeField(_("delivered at"), auto_now=True)
    delivered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("delivered by"),
    )

    class Meta:
        verbose_name = _("rejected delivery")
        ordering = ["-delivered_at"]
        verbose_name_plural = _("rejected deliveries")

    def __str__(self) -> str:
        return self.name

    @property
    def shown_reason(self) -> str:
        """The reason in the active language."""
        return text_read(self.reason, self.reason_parts, longest=self.LONGEST_REASON)


class ToldGap(models.Model):
    """A month of a series without a DSR, which webhooks were told of: see `catalogue.dsrs.statistics.missing`."""

    dsp = models.CharField(max_length=100)
    offer = models.CharField(max_length=100)
    society = models.CharField(max_length=100, null=True)  # noqa: DJ001
    territory = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    month = models.DateField(help_text=_("Its first day."))

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["dsp", "offer", "society", "territory", "currency", "month"],
                nulls_distinct=False,
                name="told_gap_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dsp} {self.offer} {self.territory} {self.month:%Y-%m}"


class ReportProblem(models.Model):
    """An error or a warning in a DSR, in a message as a whole, or in a delivery that became no DSR.

    Only the first ones are kept, up to a limit; their owner has their true number.
    """

    class Level(models.TextChoices):
        ERROR = "error", _("error")
        WARNING = "warning", _("warning")

    dsr = models.ForeignKey(DSR, models.CASCADE, related_name="problems", null=True, verbose_name=_("DSR"))
    message = models.ForeignKey(
        ReportMessage, models.CASCADE, related_name="problems", null=True, verbose_name=_("message")
    )
    rejection = models.ForeignKey(
        RejectedDelivery, models.CASCADE, related_name="problems", null=True, verbose_name=_("rejected delivery")
    )
    file = models.CharField(  # noqa: DJ001
        _("file"), max_length=255, null=True, help_text=_("Of a message of several files.")
    )
    level = models.CharField(_("level"), max_length=7, choices=Level)
    code = models.CharField(_("code"), max_length=40)
    line = models.BigIntegerField(_("line"), null=True)
    column = models.CharField(_("column"), max_length=200, null=True)  # noqa: DJ001
    value = models.CharField(_("value"), max_length=255, null=True)  # noqa: DJ001
    # The workers of the version before do not write it.
    excerpt = models.JSONField(
        _("delivered line"), null=True, help_text=_("What is before the cells in question, these, and what is after.")
    )

    class Meta:
        verbose_name = _("report problem")
        verbose_name_plural = _("report problems")
        ordering = ["id"]

    def __str__(self) -> str:
        sentence = explanation(self.code).translated().sentence
        return f"{sentence} ({self.place})" if self.place else sentence

    @property
    def place(self) -> str:
        """The line and the column, for people; "" for a problem of the whole delivery."""
        parts = ((gettext("line %(value)s"), self.line), (gettext("column %(value)s"), self.column))
        return ", ".join(text % {"value": value} for text, value in parts if value)
