"""Templates: how to read the column files of a sender."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


class Template(models.Model):
    """How the files of a sender are recognised and read. Its definition is that of its latest version.

    `catalogue.report_templates.services` writes templates and their versions.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("An inactive template recognises no file, and can still be chosen.")
    )
    version_number = models.IntegerField(_("version"), help_text=_("The number of the latest version."))

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["name"]
        permissions = [("export_template", gettext_noop("Can export templates"))]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """A definition that a template has or had. It never changes: messages name the version that read them."""

    template = models.ForeignKey(Template, models.CASCADE, related_name="versions", verbose_name=_("template"))
    number = models.IntegerField(_("version"), help_text=_("From 1 on, in the order in which they were saved."))
    definition = models.JSONField(_("definition"))
    saved_at = models.DateTimeField(_("saved at"), auto_now_add=True)
    # The constraint is in the migration: it acts in the database, so that servers of the release before, which do not
    # know the table, can delete users.
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        db_constraint=False,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("saved by"),
    )

    class Meta:
        default_permissions = ()  # Users who may view a template see its versions.
        verbose_name = _("version of a template")
        verbose_name_plural = _("versions of templates")
        ordering = ["template", "-number"]
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="template_version_once")]

    def __str__(self) -> str:
        return f"{self.template} {self.number}"
