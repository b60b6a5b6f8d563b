"""The lines of DSRs, lines to drop, and the resources that lines report."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from catalogue.models.dsrs import DSR
from catalogue.querysets import UsageLineQuerySet
from dsrhub.values.fields import NumericField


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
    dsp_id = models.TextField(_("DSP ID"), db_collation="C")
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
        verbose_name = _("usage line")
        ordering = ["line_number"]

    def __str__(self) -> str:
        return f"{self.dsr_id}:{self.line_number}"


class LeftoverLines(models.Model):
    """Lines to drop: those of a deleted DSR, to be removed from the catalogue of resources and from the disk."""

    dsr_number = models.IntegerField(unique=True)
    partition = models.IntegerField()
    dsp = models.CharField("DSP", max_length=100, default="")
    is_catalogued = models.BooleanField(default=False)

    class Meta:
        verbose_name = verbose_name_plural = _("leftover lines")

    def __str__(self) -> str:
        return str(self.dsr_number)


class IncomingLines(models.Model):
    """Lines on their way to a cluster: they are there before their DSR is, which removes the row.

    A row that is left belongs to an import that failed, unless somebody holds the lock of `load`: `INCOMING_LINES`.
    """

    dsr_number = models.IntegerField(unique=True)
    partition = models.IntegerField()
    load = models.IntegerField(db_index=True)

    class Meta:
        default_permissions = ()  # No page shows it.

    def __str__(self) -> str:
        return str(self.dsr_number)


class Resource(models.Model):
    """A recording as a DSP knows it, by its natural key (DSP, dsp_id).

    Title, artists and ISRC are each the value of the most recent line that has one. No unique index guards the key, as
    a dsp_id may be too long for an index: one session at a time registers the resources of a DSP. Two more columns are
    in the database alone (see the migration): hashes of the dsp_id and of all values, by which an index finds the lines
    of a new DSR that change nothing.
    """

    dsp = models.CharField("DSP", max_length=100)
    dsp_id = models.TextField(_("DSP ID"), db_collation="C")
    title = models.TextField(_("title"), null=True)  # noqa: DJ001 - blank is NULL, here and below
    artists = models.TextField(_("artists"), null=True, help_text=_("Separated by |."))  # noqa: DJ001
    isrc = models.TextField("ISRC", null=True)  # noqa: DJ001

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ["id"]
        permissions = [("export_resource", gettext_noop("Can export resources"))]

    def __str__(self) -> str:
        return f"{self.dsp} {self.dsp_id}"
