"""Earlier versions: DSRs and messages that were replaced or deleted."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalogue.models.currencies import Currency, Territory
from catalogue.models.dsrs import DSR, AbstractDSR
from catalogue.models.messages import AbstractMessage
from catalogue.querysets import SupersededQuerySet


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

    It keeps its id, by which its lines are found: see `catalogue.dsrs.versions.superseding`.
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
    byte_count = models.BigIntegerField(
        _("bytes on disk"), help_text=_("About. Of its lines, what belongs to it and its file.")
    )
    belongings = models.JSONField(help_text=_("The rows of other tables that belong to it, by table."))

    # What it still is, and what workers change.
    UNSEEN_FIELDS = ("is_catalogued", "blank_isrc_usages", "blank_isrc_revenue", "byte_count", "belongings")
    # The DSR under its key: `catalogue.dsrs.versions.selectors` sets it.
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
