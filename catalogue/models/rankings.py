"""Cached rankings, and those that are queued."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from dsrhub.values.fields import NumericField


class KeptRanking(models.Model):
    """A cached ranking: resources by their revenue in EUR, in one state of the DSRs.

    See `catalogue.ranking.cached.cache`.
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


class AskedScope(models.Model):
    """A scope that people asked about, whose rankings of resources a worker prepares.

    See `catalogue.ranking.cached.asked`.
    The table is unlogged: a crash of the server empties it.
    """

    # Texts of any length, as questions have them. Only those of DSRs are stored.
    territory = models.TextField(null=True)  # noqa: DJ001 - as in a Scope
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    dsp = models.TextField(null=True)  # noqa: DJ001
    # When it was last asked about. It is written about once an hour.
    asked_at = models.DateTimeField()
    # The state of its DSRs whose ranking was prepared. Empty if none was.
    key = models.CharField(max_length=64, blank=True)
    # The state of all DSRs in which a worker considered it. Empty if it was asked about since then.
    state = models.CharField(max_length=64, blank=True)

    class Meta:
        default_permissions = ()  # No page shows it.
        constraints = [
            models.UniqueConstraint(
                fields=["territory", "period_start", "period_end", "dsp"],
                nulls_distinct=False,
                name="asked_scope_once",
            )
        ]

    def __str__(self) -> str:
        values = (self.territory, self.period_start, self.period_end, self.dsp)
        return ", ".join(str(value) for value in values if value is not None) or "everything"


class KeptArtists(models.Model):
    """A cached ranking of artists, in one state of the DSRs, with its totals in EUR.

    See `catalogue.ranking.cached.cache`.
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
