"""The tables of the catalogue: Digital Sales Reports, their lines and resources, currencies, territories and rates."""

from datetime import date
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _

from catalogue.querysets import DSRQuerySet, SupersededQuerySet, UsageLineQuerySet
from catalogue.reports.contexts import SalesContext
from dsrhub.fields import NumericField

# The partition of the lines of all small DSRs; a large DSR's partition has the DSR's id as its number.
SHARED_PARTITION = 0


class Currency(models.Model):
    """A currency of ISO 4217, past ones included."""

    code = models.CharField(_("code"), max_length=3, primary_key=True)
    name = models.CharField(_("name"), max_length=100)
    symbol = models.CharField(_("symbol"), max_length=10)

    class Meta:
        ordering = ["code"]
        verbose_name_plural = _("currencies")

    def __str__(self) -> str:
        return self.code


class Territory(models.Model):
    """A territory of ISO 3166-1, or a code in use beside it (XK, and WW for the whole world)."""

    code_2 = models.CharField(_("code"), max_length=2, primary_key=True)
    name = models.CharField(_("name"), max_length=100)
    local_currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("local currency")
    )

    class Meta:
        ordering = ["code_2"]
        verbose_name_plural = _("territories")

    def __str__(self) -> str:
        return f"{self.code_2} {self.name}"


class RateMethod(models.TextChoices):
    """The origin of the exchange rate of a DSR."""

    EURO = "euro", _("the euro itself")
    ECB_MEAN = "ecb_mean", _("mean of the ECB's reference rates")
    ECB_LAST = "ecb_last", _("the ECB's last reference rate before the period")
    OPERATOR = "operator", _("entered by an operator")


class PartyAlias(models.Model):
    """The name under which a sender or a recipient of messages is known here.

    It is found by the party id (DPID) of the party, or by the name that it uses.
    """

    class Role(models.TextChoices):
        DSP = "dsp", _("DSP")
        SOCIETY = "society", _("society")

    role = models.CharField(_("role"), max_length=7, choices=Role)
    party_id = models.CharField(_("party id"), max_length=100, blank=True, help_text=_("The DPID in the messages."))
    party_name = models.CharField(_("name in messages"), max_length=100, blank=True)
    known_as = models.CharField(_("known as"), max_length=100)

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        ordering = ["role", "known_as", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(party_id="") | ~Q(party_name=""), name="alias_of_a_party"),
            models.UniqueConstraint(fields=["role", "party_id"], condition=~Q(party_id=""), name="alias_once_by_id"),
            models.UniqueConstraint(
                fields=["role", "party_name"], condition=~Q(party_name=""), name="alias_once_by_name"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party_name or self.party_id}: {self.known_as}"


class EcbRate(models.Model):
    """A euro foreign exchange reference rate of the European Central Bank: units of the currency for one euro."""

    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    day = models.DateField(_("day"), db_index=True)
    rate = NumericField(_("rate"))

    class Meta:
        ordering = ["-day", "currency"]
        verbose_name = _("ECB rate")
        constraints = [
            models.UniqueConstraint(fields=["currency", "day"], name="ecb_rate_once_a_day"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="ecb_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id} {self.day}: {self.rate}"


class OperatorRate(models.Model):
    """A rate that an operator entered for a currency and a period. It takes precedence over the ECB's rates."""

    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    period_start = models.DateField(_("period start"))
    period_end = models.DateField(_("period end"))
    rate = NumericField(_("rate"), help_text=_("Units of the currency for one euro."))
    note = models.CharField(_("note"), max_length=200, blank=True, help_text=_("The origin of the rate."))
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True, blank=True, editable=False
    )
    entered_at = models.DateTimeField(_("entered at"), auto_now=True)

    class Meta:
        ordering = ["currency", "period_start", "period_end"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "period_start", "period_end"], name="operator_rate_once"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="operator_rate_positive"),
            models.CheckConstraint(
                condition=Q(period_start__lte=F("period_end")), name="operator_rate_period_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id} {self.period_start} to {self.period_end}: {self.rate}"


class AbstractMessage(models.Model):
    """What a message says about itself, and how it was delivered."""

    format = models.CharField(_("format"), max_length=20)
    sender_name = models.CharField(_("sender"), max_length=100)
    sender_id = models.CharField(_("sender's party id"), max_length=100, blank=True)
    recipient_name = models.CharField(_("recipient"), max_length=100, blank=True)
    recipient_id = models.CharField(_("recipient's party id"), max_length=100, blank=True)
    message_id = models.CharField(_("message id"), max_length=255)
    created = models.CharField(_("created"), max_length=100, blank=True, help_text=_("As the sender wrote it."))
    profile = models.CharField(_("profile"), max_length=100)
    profile_version = models.CharField(_("profile version"), max_length=100)
    period_start = models.DateField(_("period start"))
    period_end = models.DateField(_("period end"))
    files = models.JSONField(_("files"), help_text=_("The name and the SHA-256 of each file, in their order."))
    warning_count = models.BigIntegerField(_("warnings"), default=0)
    imported_at = models.DateTimeField(_("imported at"), auto_now_add=True)
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("imported by"),
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.sender_name} {self.message_id}"


class ReportMessage(AbstractMessage):
    """A delivered message whose sales contexts are DSRs. It stands as long as one of them does.

    The sender never uses a message id for another message. Its party id identifies a sender that has one.
    """

    class Meta:
        verbose_name = _("message")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Coalesce(NullIf(F("sender_id"), Value("")), F("sender_name")), "message_id", name="message_once"
            ),
        ]


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
        verbose_name = "DSR"
        verbose_name_plural = "DSRs"
        ordering = ["id"]
        permissions = [("import_dsr", "Can import DSRs in the admin"), ("export_dsr", "Can export DSRs")]
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


class SupersededManager(models.Manager.from_queryset(SupersededQuerySet)):  # type: ignore[misc]
    """Superseded DSRs without what belongs to them, which only their return needs."""

    def get_queryset(self) -> SupersededQuerySet:
        versions: SupersededQuerySet = super().get_queryset().defer("belongings")
        return versions


def _former_user(name: Any) -> models.ForeignKey:
    """A user, or none after the user is deleted. The constraint is in the migration: it acts in the database, so that
    servers of the release before, which do not know the table, can delete users."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        db_constraint=False,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=name,
    )


class SupersededDSR(AbstractDSR):
    """An ingested DSR that was replaced or deleted. It is in no answer, and can return.

    It keeps its id, by which its lines are found: see `catalogue.dsrs.superseding`.
    """

    id = models.IntegerField(primary_key=True)
    territory = models.ForeignKey(Territory, models.PROTECT, related_name="+", verbose_name=_("territory"))
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    imported_by = _former_user(_("imported by"))
    message_id = models.BigIntegerField(
        _("message"), null=True, help_text=_("The id of its message, which may stand, or be superseded too.")
    )
    successor = models.IntegerField(_("replaced by"), null=True, help_text=_("The id of the DSR that replaced it."))
    superseded_at = models.DateTimeField(
        _("superseded at"), help_text=_("The same for all DSRs that were superseded in one step.")
    )
    superseded_by = _former_user(_("superseded by"))
    byte_count = models.BigIntegerField(_("bytes on disk"), help_text=_("About. Of its lines and its file."))
    belongings = models.JSONField(help_text=_("The rows of other tables that belong to it, by table."))

    # What it still is, and what workers change.
    UNSEEN_FIELDS = ("is_catalogued", "blank_isrc_usages", "blank_isrc_revenue", "byte_count", "belongings")
    # The DSR under its key: `catalogue.dsrs.versions` sets it.
    standing: DSR | None

    objects: ClassVar[SupersededManager] = SupersededManager()

    class Meta:
        default_permissions = ()  # Users who may view, replace and delete DSRs may do the same here.
        verbose_name = _("earlier version")
        verbose_name_plural = _("earlier versions")
        ordering = ["-superseded_at", "-id"]
        indexes = [
            # For the versions of a DSR.
            models.Index(fields=["dsp", "territory", "period_start"], name="superseded_dsr_key"),
            models.Index(fields=["superseded_at"], name="superseded_dsr_at"),
            models.Index(fields=["message_id"], name="superseded_dsr_message"),
            # For the worker, which removes its resources from the catalogue.
            models.Index(fields=["dsp"], condition=Q(is_catalogued=True), name="superseded_dsr_catalogued"),
        ]

    @property
    def dsr_number(self) -> int:
        """The name of the id in the rows of lines to drop."""
        return self.pk

    @property
    def standing_id(self) -> int | None:
        return None if self.standing is None else self.standing.pk


class SupersededMessage(AbstractMessage):
    """A message whose last DSR was replaced or deleted. It lives as long as a superseded DSR names it."""

    id = models.BigIntegerField(primary_key=True)
    imported_by = _former_user(_("imported by"))
    byte_count = models.BigIntegerField(_("bytes on disk"), help_text=_("Of its files."))
    belongings = models.JSONField(help_text=_("The rows of other tables that belong to it, by table."))

    class Meta:
        default_permissions = ()


class DSRDifference(models.Model):
    """The recordings in which a superseded DSR and another one differ. Lines never change, so it is found once.

    While `found` is null, a worker looks for them: a request had no time.
    """

    before = models.IntegerField(help_text=_("The id of the superseded DSR."))
    after = models.IntegerField(help_text=_("The id of the other DSR."))
    found = models.JSONField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["before", "after"], name="dsr_difference_once")]

    def __str__(self) -> str:
        return f"{self.before} and {self.after}"


class UsageLine(models.Model):
    """A line of a DSR as it was delivered. A blank cell is NULL.

    A migration creates the table by SQL: it is partitioned. The database has neither the foreign key (with it, two
    importers that attach partitions would deadlock) nor the primary key.
    """

    pk = models.CompositePrimaryKey("dsr", "line_number")
    dsr = models.ForeignKey(DSR, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    partition = models.IntegerField()
    line_number = models.BigIntegerField(_("line"))
    usages = models.BigIntegerField(_("usages"), null=True)
    dsp_id = models.TextField("DSP ID", db_collation="C")
    title = models.TextField(_("title"), null=True)  # noqa: DJ001 - blank is NULL, here and below
    artists = models.TextField(_("artists"), null=True, help_text=_("Separated by |."))  # noqa: DJ001
    isrc = models.TextField("ISRC", null=True)  # noqa: DJ001
    revenue = NumericField(_("revenue"), null=True)

    # Only lines of messages have these. `use_type` may be blank where the DSR says it.
    use_type = models.TextField(_("use type"), null=True)  # noqa: DJ001 - blank is NULL, here and below
    is_royalty_bearing = models.BooleanField(_("royalty bearing"), null=True)
    returns = models.BigIntegerField(_("returns"), null=True)
    transaction_id = models.TextField(_("transaction id"), null=True)  # noqa: DJ001
    is_release = models.BooleanField(_("whole release"), null=True, help_text=_("The DSP ID is that of a release."))
    iswc = models.TextField("ISWC", null=True)  # noqa: DJ001
    composers = models.TextField(_("composers"), null=True, help_text=_("Separated by |."))  # noqa: DJ001
    label = models.TextField(_("label"), null=True)  # noqa: DJ001
    icpn = models.TextField("ICPN", null=True)  # noqa: DJ001
    isrcs = models.TextField(_("all ISRCs"), null=True, help_text=_("Where there are several, separated by |."))  # noqa: DJ001
    artists_delivered = models.TextField(  # noqa: DJ001
        _("artists as delivered"), null=True, help_text=_("Where `artists` is not the same text.")
    )

    objects: ClassVar[models.Manager["UsageLine"]] = UsageLineQuerySet.as_manager()

    class Meta:
        ordering = ["line_number"]

    def __str__(self) -> str:
        return f"{self.dsr_id}:{self.line_number}"


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


class Resource(models.Model):
    """A recording as a DSP knows it, by its natural key (DSP, dsp_id).

    Title, artists and ISRC are each the value of the most recent line that has one. No unique index guards the key, as
    a dsp_id may be too long for an index: one session at a time registers the resources of a DSP. Two more columns are
    in the database alone (see the migration): hashes of the dsp_id and of all values, by which an index finds the lines
    of a new DSR that change nothing.
    """

    dsp = models.CharField("DSP", max_length=100)
    dsp_id = models.TextField("DSP ID", db_collation="C")
    title = models.TextField(_("title"), null=True)  # noqa: DJ001 - blank is NULL, here and below
    artists = models.TextField(_("artists"), null=True, help_text=_("Separated by |."))  # noqa: DJ001
    isrc = models.TextField("ISRC", null=True)  # noqa: DJ001

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ["id"]
        permissions = [("export_resource", "Can export resources")]

    def __str__(self) -> str:
        return f"{self.dsp} {self.dsp_id}"


class RejectedDelivery(models.Model):
    """A delivery that became no DSR, not even a failed one: it does not say which DSRs it has, or it has several."""

    name = models.CharField(_("name"), max_length=255, unique=True)
    reason = models.CharField(_("reason"), max_length=500)
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
        ordering = ["-delivered_at"]
        verbose_name_plural = _("rejected deliveries")

    def __str__(self) -> str:
        return self.name


class ReportProblem(models.Model):
    """An error or a warning in a DSR, in a message as a whole, or in a delivery that became no DSR.

    Only the first ones are kept, up to a limit; their owner has their true number.
    """

    class Level(models.TextChoices):
        ERROR = "error", _("error")
        WARNING = "warning", _("warning")

    dsr = models.ForeignKey(DSR, models.CASCADE, related_name="problems", null=True)
    message = models.ForeignKey(ReportMessage, models.CASCADE, related_name="problems", null=True)
    rejection = models.ForeignKey(RejectedDelivery, models.CASCADE, related_name="problems", null=True)
    file = models.CharField(  # noqa: DJ001
        _("file"), max_length=255, null=True, help_text=_("Of a message of several files.")
    )
    level = models.CharField(_("level"), max_length=7, choices=Level)
    code = models.CharField(_("code"), max_length=40)
    line = models.BigIntegerField(_("line"), null=True)
    column = models.CharField(_("column"), max_length=200, null=True)  # noqa: DJ001
    value = models.CharField(_("value"), max_length=255, null=True)  # noqa: DJ001

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        place = "".join(f" {name} {value}" for name, value in (("line", self.line), ("column", self.column)) if value)
        return f"{self.code}{place}"


class RateChange(models.Model):
    """A change of the exchange rate of an ingested DSR, with the old and the new rate."""

    dsr = models.ForeignKey(DSR, models.CASCADE, related_name="rate_changes")
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
        ordering = ["-changed_at", "-id"]

    def __str__(self) -> str:
        return f"{self.old_rate} -> {self.new_rate}"


class LeftoverLines(models.Model):
    """Lines to drop: those of a deleted DSR, to be removed from the catalogue of resources and from the disk."""

    dsr_number = models.IntegerField(unique=True)
    partition = models.IntegerField()
    dsp = models.CharField("DSP", max_length=100, default="")
    is_catalogued = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "leftover lines"

    def __str__(self) -> str:
        return str(self.dsr_number)


class ImportJobManager(models.Manager["ImportJob"]):
    """Jobs without their problems, which only the download of the problems needs."""

    def get_queryset(self) -> models.QuerySet["ImportJob"]:
        return super().get_queryset().defer("problems")


class ImportJob(models.Model):
    """An uploaded file on its way to a DSR: to be checked, then confirmed by a user, then loaded.

    The files of a message wait for each other: see `catalogue.imports.waiting`. When all are there, the job of file 1
    leads the others, which are its `parts`.

    No column says whether a job is in work at this moment, but a lock does: see `catalogue.imports.jobs`.
    """

    class State(models.TextChoices):
        TO_CHECK = "to_check", _("to be checked")
        CHECKED = "checked", _("to be confirmed")
        TO_LOAD = "to_load", _("to be loaded")
        REFUSED = "refused", _("refused")
        DONE = "done", _("done")
        ABANDONED = "abandoned", _("discarded")
        # Workers of earlier releases know neither of these states, and leave such jobs alone.
        WAITING = "waiting", _("waiting for other files")
        PART = "part", _("part of a message")

    WORK = (State.TO_CHECK, State.TO_LOAD)
    OPEN = (*WORK, State.CHECKED, State.REFUSED, State.WAITING)

    # Four bytes, as the lock of a job has.
    id = models.AutoField(primary_key=True)
    upload = models.CharField(_("upload"), max_length=32, help_text=_("The same for all files of one upload."))
    name = models.CharField(_("name"), max_length=255, help_text=_("The name of the file as it was uploaded."))
    stored_name = models.CharField(max_length=64, help_text=_("The name of the file in the upload folder."))
    size = models.BigIntegerField(_("size"), help_text=_("The size of the packed file in bytes."))
    file_sha256 = models.CharField(
        max_length=64, blank=True, help_text=_("The hash of the packed file that was checked.")
    )
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.TO_CHECK)
    preview = models.JSONField(null=True, help_text=_("The findings of the check, with the first problems."))
    problems = models.JSONField(null=True, help_text=_("All kept problems, as long as the file exists."))
    keys = ArrayField(
        models.TextField(),
        default=list,
        db_default=[],  # The workers of the version before do not write it.
        help_text=_("The keys of the DSRs that the check found, in the order of the preview."),
    )
    message = models.CharField(_("message"), max_length=1000, blank=True)
    replace = models.BooleanField(default=False, help_text=_("An earlier delivery may be replaced."))
    # The servers and workers of the version before do not write the fields with a default of the database.
    drop_missing = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("DSRs of a replaced message whose contexts the file lacks may be deleted."),
    )
    # Null where nobody declared them, as the servers and workers of the version before write it.
    declared_lines = NumericField(_("declared lines"), null=True)
    declared_usages = NumericField(_("declared usages"), null=True)
    declared_revenue = NumericField(_("declared revenue"), null=True, help_text=_("In the currency of the file."))
    dsr_number = models.IntegerField("DSR", null=True)
    dsr_numbers = ArrayField(
        models.IntegerField(), default=list, db_default=[], help_text=_("All DSRs; `dsr_number` is the first one.")
    )

    # Only the files of messages of several files have these. See MessagePart.
    lead = models.ForeignKey("self", models.CASCADE, related_name="parts", null=True)
    part_sender = models.CharField(max_length=100, default="", db_default="")
    part_message_id = models.CharField(max_length=255, default="", db_default="")
    part_number = models.IntegerField(null=True)
    part_count = models.IntegerField(null=True)

    tries = models.IntegerField(default=0, help_text=_("How often the present step was started."))
    started_at = models.DateTimeField(null=True, help_text=_("When the present step was last started."))
    bytes_done = models.BigIntegerField(default=0)
    uploaded_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed at"), auto_now=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True, verbose_name=_("uploaded by")
    )
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True, verbose_name=_("confirmed by")
    )

    request_id = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("The id of the request that queued the present step, for the logs."),
    )
    address = models.CharField(
        max_length=45,
        blank=True,
        default="",
        db_default="",  # The servers of the version before do not write it.
        help_text=_("The address of the client that queued the present step, for the audit log."),
    )

    objects = ImportJobManager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()  # Users who may import see all jobs.
        indexes = [
            models.Index(fields=["upload"], name="import_job_upload"),
            # For the workers, which poll the queue.
            models.Index(fields=["id"], condition=Q(state__in=["to_check", "to_load"]), name="import_job_work"),
            models.Index(fields=["uploaded_by"], condition=Q(state="waiting"), name="import_job_waiting"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def files(self) -> list["ImportJob"]:
        """The jobs of all files that are imported with this one, in the order of the message."""
        if self.part_number is None:
            return [self]
        return [self, *sorted(self.parts.all(), key=lambda part: part.part_number or 0)]

    @property
    def total_size(self) -> int:
        """The size of all these files."""
        return sum(file.size for file in self.files)


class KeptRanking(models.Model):
    """A cached ranking: resources by their revenue in EUR, in one state of the DSRs. See `catalogue.ranking.kept`.

    Its rows are in a shared table that has no model, or in a table of their own. All of these tables are unlogged: a
    crash of the server empties them.
    """

    id = models.AutoField(primary_key=True)
    key = models.CharField(max_length=64, help_text=_("The hash of the state of the DSRs that it was built from."))
    ends = ArrayField(
        models.BigIntegerField(null=True),
        help_text=_("The rank with which the top 1, 2, ... per cent end; empty where it is not known."),
    )
    total = NumericField(help_text=_("All revenue in EUR, to 20 digits."))
    row_count = models.BigIntegerField()
    has_own_table = models.BooleanField()
    used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()  # No page shows it.
        indexes = [models.Index(fields=["key"], name="kept_ranking_key")]

    def __str__(self) -> str:
        return f"{self.key}: {self.row_count}"


class WantedRanking(models.Model):
    """A ranking that a request had no time to build: a worker builds it."""

    key = models.CharField(
        max_length=64, unique=True, help_text=_("The hash of the state of the DSRs when it was requested.")
    )
    percentile = models.IntegerField()
    dsr_numbers = ArrayField(models.IntegerField(), help_text=_("The DSRs in scope."))
    wanted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()  # No page shows it.
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.percentile} % of {len(self.dsr_numbers)} DSRs"


class KeptArtists(models.Model):
    """A cached ranking of artists, in one state of the DSRs, with its totals in EUR. See `catalogue.ranking.kept`.

    Its rows are in a table that has no model. Both tables are unlogged: a crash of the server empties them.
    """

    id = models.AutoField(primary_key=True)
    key = models.CharField(max_length=64, help_text=_("The hash of the state of the DSRs that it was built from."))
    credit = models.CharField(max_length=5, help_text=_("Of a line with several artists: full, or split."))
    row_count = models.BigIntegerField()
    revenue = NumericField(help_text=_("Of all artists."))
    top_revenue = NumericField(help_text=_("Of the first ten."))
    squares = NumericField(help_text=_("The sum of the squares of all."))
    without_lines = models.BigIntegerField(help_text=_("The number of lines without an artist."))
    without_usages = NumericField()
    without_revenue = NumericField()
    used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()  # No page shows it.
        indexes = [models.Index(fields=["key"], name="kept_artists_key")]

    def __str__(self) -> str:
        return f"{self.key} {self.credit}: {self.row_count}"


class WantedArtists(models.Model):
    """A ranking of artists that a request had no time to build: a worker builds it."""

    key = models.CharField(max_length=64, help_text=_("The hash of the state of the DSRs when it was requested."))
    credit = models.CharField(max_length=5)
    dsr_numbers = ArrayField(models.IntegerField(), help_text=_("The DSRs in scope."))
    wanted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()  # No page shows it.
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["key", "credit"], name="wanted_artists_once")]

    def __str__(self) -> str:
        return f"artists of {len(self.dsr_numbers)} DSRs, {self.credit}"
