"""Answers about usage that are stored as a whole."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from dsrhub.values.fields import NumericField
from subscriptions.models.records import usage_type_field
from subscriptions.models.subscribers import subscription_key


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
    subscription = subscription_key()
    usage_type = usage_type_field()
    day = models.DateField(null=True)
    price = NumericField()
    amount = NumericField()

    class Meta:
        default_permissions = ()  # No page shows it.

    def __str__(self) -> str:
        return f"{self.export_id}: {self.place}"
