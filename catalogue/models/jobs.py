"""Import jobs."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalogue.models.templates import Template, TemplateVersion
from dsrhub.texts.marked import Text, text_json, text_read
from dsrhub.texts.translations import label_text
from dsrhub.values.fields import NumericField

LONGEST_MESSAGE = 1000


def message_fields(text: Text) -> dict[str, Any]:
    """The fields that hold the message of a job."""
    return {"message": text[:LONGEST_MESSAGE], "message_parts": text_json(text)}


class ImportJobManager(models.Manager["ImportJob"]):
    """Jobs without their problems, which only the download of the problems needs."""

    def get_queryset(self) -> models.QuerySet["ImportJob"]:
        return super().get_queryset().defer("problems")


class ImportJob(models.Model):
    """An uploaded file on its way to a DSR: to be checked, then confirmed by a user, then loaded.

    The files of a message wait for each other: see `catalogue.imports.queue.waiting`. When all are there, the job of
    file 1 leads the others, which are its `parts`.

    No column says whether a job is in work at this moment, but a lock does: see `catalogue.imports.queue.jobs`.
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
    message = models.CharField(_("message"), max_length=LONGEST_MESSAGE, blank=True, help_text=_("In English."))
    # The workers of the version before write the message alone.
    message_parts = models.JSONField(null=True, help_text=_("What the message is made of, to say it in any language."))
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
    # Null where a user chose none, and for files that no template reads. Servers and workers of the version before do
    # not write these two.
    template = models.ForeignKey(Template, models.SET_NULL, related_name="+", null=True, verbose_name=_("template"))
    template_version = models.ForeignKey(
        TemplateVersion,
        models.SET_NULL,
        related_name="+",
        null=True,
        help_text=_("The version of the template that the check used. The file is loaded with the same one."),
    )
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
        verbose_name = _("import job")
        verbose_name_plural = _("import jobs")
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

    def say(self, text: Text) -> None:
        for name, value in message_fields(text).items():
            setattr(self, name, value)

    @property
    def shown_message(self) -> str:
        """The message in the active language."""
        return text_read(self.message, self.message_parts, longest=LONGEST_MESSAGE)

    @property
    def state_text(self) -> Text:
        return label_text(self.State(self.state).label)

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
